import { groupByKey } from '../lib/tally.ts'
import { randomPermutation, randomFor } from '../lib/random.ts'
import type { IndexRange } from '../lib/ranges.ts'
import type { Dataset, Sample } from './dataset.ts'

const orderName = 'by region, random 1'

/**
 * Orders a data set for its evaluation: region after region, and at random within each, by a fixed seed and the ids alone.
 * Thus the images of a region that have been read are a random sample of it at any time. Images inside Parquet files stay
 * in their order, because these files are read in blocks.
 */
export function shuffleWithinRegions(dataset: Dataset): Dataset {
  if (dataset.order !== undefined || dataset.samples.some(({ image }) => image.kind === 'parquet'))
    return dataset
  const items = shuffleSamples(dataset.samples)
  const byRegion = groupByKey(items, regionOf)
  return {
    ...dataset,
    order: orderName,
    samples: [...byRegion.keys()].sort().flatMap(region => byRegion.get(region)!),
  }
}

/** Returns the index range of each region in evaluation order; one range for a data set without regions or in file order. */
export function regionRanges({ samples, order }: Dataset): IndexRange[] {
  if (order === undefined) return [{ start: 0, end: samples.length }]
  const starts = [...samples.keys()].filter(
    i => i === 0 || regionOf(samples[i]!) !== regionOf(samples[i - 1]!),
  )
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? samples.length }))
}

const regionOf = ({ groups }: Sample): string => String(groups['region'] ?? '')

function shuffleSamples(items: readonly Sample[]): Sample[] {
  const sorted = [...items].sort((a, b) => (a.id < b.id ? -1 : 1))
  return Array.from(randomPermutation(items.length, randomFor(1, 'visit')), place => sorted[place]!)
}

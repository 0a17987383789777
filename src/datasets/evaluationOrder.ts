import { randomPermutation, randomFor } from '../lib/random.ts'
import type { Dataset, Sample } from './dataset.ts'

/** Positions of the images of one region, or of all, in the order in which a data set is visited. */
export interface RegionRange {
  start: number
  end: number
}

const orderName = 'by region, random 1'

/**
 * The data set in the order in which its images are visited: region after region, at random within each (by a fixed seed, from
 * the ids alone). What is read of a region, or of any group within one, is a random sample at any time. Images inside
 * Parquet files stay in their order, for these are read in blocks.
 */
export function shuffleWithinRegions(dataset: Dataset): Dataset {
  if (dataset.order !== undefined || dataset.samples.some(({ image }) => image.kind === 'parquet'))
    return dataset
  const items = shuffleSamples(dataset.samples)
  const regions = [...new Set(items.map(regionOf))].sort()
  return {
    ...dataset,
    order: orderName,
    samples: regions.flatMap(region => items.filter(item => regionOf(item) === region)),
  }
}

/** The regions of a data set in visiting order; all of it where there are none, or where the order is the files'. */
export function regionRanges({ samples: items, order }: Dataset): RegionRange[] {
  if (order === undefined) return [{ start: 0, end: items.length }]
  const starts = [...items.keys()].filter(
    i => i === 0 || regionOf(items[i]!) !== regionOf(items[i - 1]!),
  )
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? items.length }))
}

const regionOf = ({ groups }: Sample): string => String(groups['region'] ?? '')

function shuffleSamples(items: readonly Sample[]): Sample[] {
  const sorted = [...items].sort((a, b) => (a.id < b.id ? -1 : 1))
  return Array.from(randomPermutation(items.length, randomFor(1, 'visit')), place => sorted[place]!)
}

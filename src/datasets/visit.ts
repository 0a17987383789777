import { permutation, random } from '../lib/random.ts'
import type { Dataset, Item } from './dataset.ts'

/** Positions of the images of one region, or of all, in the order in which a data set is visited. */
export interface Stratum {
  start: number
  end: number
}

const order = 'by region, random 1'

/**
 * The data set in the order in which its images are visited: region after region, at random within each (by a fixed seed, from
 * the ids alone). What is read of a region, or of any group within one, is a random sample at any time. Images inside
 * Parquet files stay in their order, for these are read in blocks.
 */
export function inVisitingOrder(dataset: Dataset): Dataset {
  if (dataset.order !== undefined || dataset.items.some(({ image }) => image.kind === 'parquet')) return dataset
  const items = shuffled(dataset.items)
  const regions = [...new Set(items.map(regionOf))].sort()
  return { ...dataset, order, items: regions.flatMap(region => items.filter(item => regionOf(item) === region)) }
}

/** The regions of a data set in visiting order; all of it where there are none, or where the order is the files'. */
export function strata({ items, order }: Dataset): Stratum[] {
  if (order === undefined) return [{ start: 0, end: items.length }]
  const starts = [...items.keys()].filter(i => i === 0 || regionOf(items[i]!) !== regionOf(items[i - 1]!))
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? items.length }))
}

const regionOf = ({ groups }: Item): string => String(groups['region'] ?? '')

function shuffled(items: readonly Item[]): Item[] {
  const sorted = [...items].sort((a, b) => (a.id < b.id ? -1 : 1))
  return Array.from(permutation(items.length, random(1, 'visit')), place => sorted[place]!)
}

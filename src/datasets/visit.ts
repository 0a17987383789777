import { randomFrom } from '../metrics/random.ts'
import type { Item } from './dataset.ts'

/** Positions `start` to `end` (excluded) of a data set's order. */
export interface Stratum {
  /** The region of its images; null where the data set has none. */
  region: string | null
  start: number
  end: number
}

/**
 * The order in which images are visited: region after region, in a random order within each that depends on the ids alone. So the
 * images of any group are read in random order, and what is read of a region at any time is a random sample of it.
 */
export function visitingOrder(items: readonly Item[]): Item[] {
  const random = randomFrom(1)
  const shuffled = [...items].sort((a, b) => (a.id < b.id ? -1 : 1))
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
  }
  const byRegion = new Map<string | null, Item[]>()
  for (const item of shuffled) {
    const region = regionOf(item)
    const known = byRegion.get(region)
    if (known) known.push(item)
    else byRegion.set(region, [item])
  }
  return [...byRegion].sort(([a], [b]) => (a === null ? 1 : b === null || a < b ? -1 : 1)).flatMap(([, of]) => of)
}

/** The runs of images of one region, for items in visiting order. */
export function strata(items: readonly Item[]): Stratum[] {
  const found: Stratum[] = []
  for (const [i, item] of items.entries()) {
    const region = regionOf(item)
    const last = found.at(-1)
    if (last?.region === region) last.end = i + 1
    else found.push({ region, start: i, end: i + 1 })
  }
  return found
}

const regionOf = ({ groups }: Item): string | null => (typeof groups['region'] === 'string' ? groups['region'] : null)

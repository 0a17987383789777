import { inputError } from '../lib/errors.ts'
import { rootBetween } from './distributions.ts'
import { type Interval, zOf } from './intervals.ts'
import { pairedImageCount, type PairCounts } from './pairedTests.ts'

/**
 * Score interval of accuracy(second) - accuracy(first) on the same images (Tango 1998, Statistics in Medicine 17). Holds
 * its coverage where few images differ, also when all of them differ in one direction. `inflation` is how much clusters
 * inflate the variance. Null without images.
 */
export function pairedInterval(
  counts: PairCounts,
  confidence = 0.95,
  inflation = 1,
): Interval | null {
  const z = zOf(confidence) * Math.sqrt(inflation)
  const n = pairedImageCount(counts)
  if (!(n >= 0 && n < Infinity)) throw inputError('bad-counts', `${n} images in common`)
  if (n === 0) return null
  const { onlySecond: gained, onlyFirst: lost } = counts
  const change = (gained - lost) / n
  const statistic = (at: number): number => score({ gained, lost, n }, at)
  const low = change <= -1 ? -1 : rootBetween(at => z - statistic(at), -1 + 1e-12, change)
  const high = change >= 1 ? 1 : rootBetween(at => -z - statistic(at), change, 1 - 1e-12)
  return [low, high]
}

/** Whether the upper end of `pairedInterval` is below `change`: one look instead of a search. */
export function isChangeBelow(
  counts: PairCounts,
  change: number,
  { confidence = 0.95, inflation = 1 }: { confidence?: number; inflation?: number } = {},
): boolean {
  const { onlySecond: gained, onlyFirst: lost } = counts
  const z = zOf(confidence) * Math.sqrt(inflation)
  return score({ gained, lost, n: pairedImageCount(counts) }, change) < -z
}

/** Standardized distance of what was seen from a true change of `at`; decreases in `at`, 0 at the change seen. */
function score(
  { gained, lost, n }: { gained: number; lost: number; n: number },
  at: number,
): number {
  const distance = gained - lost - n * at
  if (distance === 0) return 0
  const b = -gained - lost + (2 * n - gained + lost) * at
  const c = -lost * at * (1 - at)
  const share = (Math.sqrt(Math.max(0, b * b - 8 * n * c)) - b) / (4 * n)
  return distance / Math.sqrt(Math.max(1e-300, n * (2 * share + at * (1 - at))))
}

import { inputError } from '../lib/errors.ts'
import { type BootstrapDraws, differenceOf, drawsOf } from './bootstrap.ts'
import { binomialCdf } from './distributions.ts'
import { type Interval } from './intervals.ts'
import { percentileInterval } from './numbers.ts'

/** How two models did on the same images. */
export interface PairCounts {
  both: number
  onlyFirst: number
  onlySecond: number
  neither: number
}

/** Images of a pair of outcomes. */
export const pairedImageCount = ({ both, onlyFirst, onlySecond, neither }: PairCounts): number =>
  both + onlyFirst + onlySecond + neither

/** Outcomes of the images that both models have; null marks a failed image. Errors: unequal-lengths. */
export function pairCounts(
  first: ArrayLike<number | null>,
  second: ArrayLike<number | null>,
): PairCounts {
  if (first.length !== second.length) {
    throw inputError(
      'unequal-lengths',
      `${first.length} outcomes of the first model but ${second.length} of the second`,
    )
  }
  const counts = { both: 0, onlyFirst: 0, onlySecond: 0, neither: 0 }
  for (let i = 0; i < first.length; i++) {
    const [a, b] = [first[i], second[i]]
    if (a === null || b === null) continue
    counts[a ? (b ? 'both' : 'onlyFirst') : b ? 'onlySecond' : 'neither']++
  }
  return counts
}

/** The result of McNemar's exact test of two models on the same images. */
export interface McNemar {
  /** Accuracy of the first minus accuracy of the second model. */
  difference: number | null
  /** Exact two-sided p-value: the discordant images are a fair coin under equality. */
  p: number | null
  discordant: number
  reason: string | null
}

/** McNemar's exact test (statsmodels' `mcnemar(exact=True)`). Without discordant images p is 1. */
export function mcnemar(counts: PairCounts): McNemar {
  const { onlyFirst, onlySecond } = counts
  for (const [name, value] of Object.entries(counts) as [string, number][]) {
    if (!(Number.isSafeInteger(value) && value >= 0)) {
      throw inputError('bad-counts', `${name} is ${value}, not a count of images`)
    }
  }
  const discordant = onlyFirst + onlySecond
  const n = pairedImageCount(counts)
  if (n === 0) return { difference: null, p: null, discordant, reason: 'no images in common' }
  const p = Math.min(1, 2 * binomialCdf(Math.min(onlyFirst, onlySecond), discordant, 0.5))
  return { difference: (onlyFirst - onlySecond) / n, p, discordant, reason: null }
}

/** Benjamini and Hochberg's adjusted p-values (false discovery rate), in the order given; null stays null. */
export function benjaminiHochberg(p: readonly (number | null)[]): (number | null)[] {
  const known = p
    .flatMap((value, i) => (value === null ? [] : [{ value, i }]))
    .sort((a, b) => b.value - a.value)
  const adjusted: (number | null)[] = p.map(() => null)
  let least = 1
  for (const [k, { value, i }] of known.entries()) {
    if (!(value >= 0 && value <= 1))
      throw inputError('bad-p-value', `p-value ${value} is not in 0 … 1`)
    least = Math.min(least, (value * known.length) / (known.length - k))
    adjusted[i] = least
  }
  return adjusted
}

/**
 * Paired bootstrap of accuracy(first) - accuracy(second): interval, and a two-sided p-value from the share of draws on the
 * other side of 0 (at least 1 / (draws + 1)).
 */
export function pairedBootstrap(
  draws: BootstrapDraws,
  [first, second]: readonly [first: string, second: string],
  options: { group?: string; confidence?: number } = {},
): { interval: Interval | null; p: number | null } {
  const differences = differenceOf(
    drawsOf(draws, first, options.group),
    drawsOf(draws, second, options.group),
  )
  const known = differences.filter(value => !Number.isNaN(value))
  const interval = percentileInterval(known, options.confidence)
  if (interval === null) return { interval: null, p: null }
  const [less, more] = [
    known.filter(value => value <= 0).length,
    known.filter(value => value >= 0).length,
  ]
  return { interval, p: Math.min(1, (2 * (Math.min(less, more) + 1)) / (known.length + 1)) }
}

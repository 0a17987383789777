import { memoize } from '../lib/memoize.ts'
import { inputError } from '../lib/errors.ts'
import { binomialCdf, normalQuantile, rootBetween, tQuantile } from './distributions.ts'

/** The lower and upper end of an interval. */
export type Interval = readonly [low: number, high: number]

/** Whether 0 lies outside an interval: whether it shows the sign of the value. */
export const excludesZero = ([low, high]: Interval): boolean => low > 0 || high < 0

interface ShareCounts {
  hits: number
  n: number
}

/** A number, or null with the reason why there is none. */
export interface Estimate {
  value: number | null
  interval: Interval | null
  reason: string | null
}

export const undefinedEstimate = (reason: string): Estimate => ({
  value: null,
  interval: null,
  reason,
})

/**
 * Wilson's score interval of a share, without continuity correction (statsmodels' `proportion_confint(…, 'wilson')`).
 * `n` may be an effective sample size (not whole). Null for n = 0. Errors: bad-counts, bad-confidence.
 */
export function wilson(hits: number, n: number, confidence = 0.95): Interval | null {
  checkShare(hits, n)
  return n === 0 ? null : scoreInterval(hits, n, zOf(confidence))
}

function scoreInterval(hits: number, n: number, z: number): Interval {
  const share = hits / n
  const scale = 1 + (z * z) / n
  const center = (share + (z * z) / (2 * n)) / scale
  const half = (z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))) / scale
  return [hits === 0 ? 0 : Math.max(0, center - half), hits === n ? 1 : Math.min(1, center + half)]
}

/** Returns a share with half a success added to both sides, so that it is never 0 or 1 and has a variance. */
export const smoothedShare = (hits: number, n: number): number => (hits + 0.5) / (n + 1)

/** Shares of fewer images than this get Student's t instead of the normal quantile. */
const fewImages = 100

/** Up to so many hits or misses, if they are rare, the end next to them is exact. */
const fewHits = 12
const rareShare = 0.2

/**
 * Returns an interval of a share that covers it for few images and near 0 and 1, where Wilson's alone falls to 86 %: Wilson's,
 * with Student's t below 100 images, and where hits or misses are few no narrower than the exact one (Clopper and Pearson) on
 * their side. `n` may be an effective sample size (not whole). Null for n = 0. Errors: bad-counts, bad-confidence.
 *
 * @example
 * shareInterval(39, 40) // [0.868, 0.999]
 */
export function shareInterval(hits: number, n: number, confidence = 0.95): Interval | null {
  checkShare(hits, n)
  if (n === 0) return null
  const [low, high] = scoreInterval(hits, n, n < fewImages ? tOf(n, confidence) : zOf(confidence))
  const least = (few: number): number =>
    few > 0 && few <= fewHits && few < rareShare * n ? exactLeastShare(few, n, confidence) : 1
  return [Math.min(low, least(hits)), Math.max(high, 1 - least(n - hits))]
}

const tOf = (n: number, confidence: number): number =>
  tQuantiles(confidence)(Math.max(10, Math.round(n)))

const tQuantiles = memoize((confidence: number) =>
  memoize((n: number) => tQuantile((1 + confidence) / 2, n - 1)),
)

/** Returns the share of which at least `few` hits of `n` images have half the error probability. */
const exactLeastShare = (few: number, n: number, confidence: number): number =>
  exactLeastShares(confidence)(few)(n)
const exactLeastShares = memoize((confidence: number) =>
  memoize((few: number) =>
    memoize((n: number) =>
      rootBetween(share => 1 - binomialCdf(few - 1, n, share) - (1 - confidence) / 2, 0, few / n),
    ),
  ),
)

/**
 * Newcombe's hybrid score interval of the difference a - b of two independent shares (Newcombe 1998, method 10).
 * Null when a side is empty.
 */
export function newcombe(a: ShareCounts, b: ShareCounts, confidence = 0.95): Interval | null {
  const first = wilson(a.hits, a.n, confidence)
  const second = wilson(b.hits, b.n, confidence)
  if (!first || !second) return null
  const [low, high] = differenceInterval(
    { value: a.hits / a.n, interval: first },
    { value: b.hits / b.n, interval: second },
  )
  return [Math.max(-1, low), Math.min(1, high)]
}

/** Returns the interval of the difference a - b of two independent numbers from the interval of each (MOVER; Newcombe 1998). */
export function differenceInterval(
  a: { value: number; interval: Interval },
  b: { value: number; interval: Interval },
): Interval {
  const below = Math.hypot(a.value - a.interval[0], b.interval[1] - b.value)
  const above = Math.hypot(a.interval[1] - a.value, b.value - b.interval[0])
  return [a.value - b.value - below, a.value - b.value + above]
}

/**
 * Miettinen and Nurminen's score interval (1985) of the difference a - b of two independent shares. Null when a side is empty.
 */
export function miettinenNurminen(
  a: ShareCounts,
  b: ShareCounts,
  confidence = 0.95,
): Interval | null {
  checkShare(a.hits, a.n)
  checkShare(b.hits, b.n)
  if (a.n === 0 || b.n === 0) return null
  const z = zOf(confidence)
  const difference = a.hits / a.n - b.hits / b.n
  const statistic = (at: number): number => scoreOfDifference(a, b, at)
  const low = difference <= -1 ? -1 : rootBetween(at => z - statistic(at), -1, difference)
  const high = difference >= 1 ? 1 : rootBetween(at => -z - statistic(at), difference, 1)
  return [Math.max(-1, low), Math.min(1, high)]
}

/** Standardized distance of the difference seen from a true difference `at`. */
function scoreOfDifference(a: ShareCounts, b: ShareCounts, at: number): number {
  const distance = a.hits / a.n - b.hits / b.n - at
  if (Math.abs(distance) < 1e-15) return 0
  const total = a.n + b.n
  const hits = a.hits + b.hits
  const q = constrainedShare({ a, b, at, total, hits })
  const p = Math.min(1, Math.max(0, q + at))
  const variance = ((p * (1 - p)) / a.n + (q * (1 - q)) / b.n) * (total / Math.max(1, total - 1))
  return distance / Math.sqrt(Math.max(1e-300, variance))
}

/** Most likely share of b where a's share is larger by `at`: a root of a cubic. */
function constrainedShare(setting: {
  a: ShareCounts
  b: ShareCounts
  at: number
  total: number
  hits: number
}): number {
  const { a, b, at, total, hits } = setting
  const l2 = (a.n + 2 * b.n) * at - total - hits
  const l1 = (b.n * at - total - 2 * b.hits) * at + hits
  const l0 = b.hits * at * (1 - at)
  const third = l2 / (3 * total)
  const q = third ** 3 - (l1 * l2) / (6 * total * total) + l0 / (2 * total)
  const root = Math.sqrt(Math.max(0, third * third - l1 / (3 * total)))
  const p = q < 0 ? -root : root
  const cosine = p === 0 ? 0 : Math.min(1, Math.max(-1, q / p ** 3))
  const share = 2 * p * Math.cos((Math.PI + Math.acos(cosine)) / 3) - third
  return Math.min(Math.min(1, 1 - at), Math.max(Math.max(0, -at), share))
}

/** Interval of an absolute value from that of the value. */
export const foldInterval = ([low, high]: Interval): Interval =>
  low > 0 ? [low, high] : high < 0 ? [-high, -low] : [0, Math.max(-low, high)]

/** The two-sided standard normal quantile of a confidence level, 1.96 for 0.95; tables ask for the same ones thousands of times. */
export const zOf = memoize((confidence: number): number => {
  checkConfidence(confidence)
  return normalQuantile((1 + confidence) / 2)
})

export function checkConfidence(confidence: number): void {
  if (!(confidence > 0 && confidence < 1)) {
    throw inputError('bad-confidence', `confidence ${confidence} is not between 0 and 1`)
  }
}

function checkShare(hits: number, n: number): void {
  if (!(n >= 0 && n < Infinity && hits >= 0 && hits <= n)) {
    throw inputError('bad-counts', `${hits} hits of ${n} images is not a share`)
  }
}

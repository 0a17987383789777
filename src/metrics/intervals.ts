import { memoize } from '../lib/memoize.ts'
import { inputError } from '../lib/errors.ts'
import { normalQuantile } from './distributions.ts'

/** The lower and upper end of an interval. */
export type Interval = readonly [low: number, high: number]

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
  if (n === 0) return null
  const z = zOf(confidence)
  const share = hits / n
  const scale = 1 + (z * z) / n
  const center = (share + (z * z) / (2 * n)) / scale
  const half = (z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))) / scale
  return [hits === 0 ? 0 : Math.max(0, center - half), hits === n ? 1 : Math.min(1, center + half)]
}

/**
 * Newcombe's hybrid score interval of the difference a - b of two independent shares (Newcombe 1998, method 10).
 * Null when a side is empty.
 */
export function newcombe(
  a: { hits: number; n: number },
  b: { hits: number; n: number },
  confidence = 0.95,
): Interval | null {
  const first = wilson(a.hits, a.n, confidence)
  const second = wilson(b.hits, b.n, confidence)
  if (!first || !second) return null
  const [p, q] = [a.hits / a.n, b.hits / b.n]
  const below = Math.hypot(p - first[0], second[1] - q)
  const above = Math.hypot(first[1] - p, q - second[0])
  return [Math.max(-1, p - q - below), Math.min(1, p - q + above)]
}

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

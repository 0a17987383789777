import { inputError } from '../lib/errors.ts'
import { tQuantile, tTwoSided } from './distributions.ts'
import { type FamilyLine, slopeInference } from './familyInference.ts'
import { checkConfidence, type Interval } from './intervals.ts'
import { checkFinite, mean, median, ranks } from './numbers.ts'

/** A least-squares line y = intercept + slope x; what the points do not determine is null. */
export interface Line {
  n: number
  slope: number | null
  intercept: number | null
  /** Coefficient of determination. */
  r2: number | null
  pearson: number | null
  spearman: number | null
  /** Standard error of the slope. */
  standardError: number | null
  /** Degrees of freedom of the slope's t distribution: n - 2 for independent points, fewer for families of them. */
  degreesOfFreedom: number | null
  /** Two-sided p-value of a zero slope. */
  p: number | null
  /** t-interval of the slope, widened for sampling errors of x where these are given. */
  interval: Interval | null
  theilSen: { slope: number; intercept: number } | null
  /** Why something is null. */
  reason: string | null
}

/** Options of `fitLine`. Without families the points are independent, with errors of one variance. */
export interface FitLineOptions extends Partial<Omit<FamilyLine, 'x'>> {
  /** Default 0.95. */
  confidence?: number | undefined
}

/**
 * Fits a line by least squares, with correlations and Theil and Sen's median line (SciPy's `linregress`, `spearmanr`,
 * `theilslopes`). With families the slope's uncertainty is that of `slopeInference`.
 * Errors: not-a-number, bad-confidence, unequal-lengths.
 *
 * @example
 * const { slope, interval } = fitLine([0.5, 0.6, 0.7], [0.2, 0.3, 0.5])
 */
export function fitLine(
  x: readonly number[],
  y: readonly number[],
  { confidence = 0.95, families, xVariances }: FitLineOptions = {},
): Line {
  checkConfidence(confidence)
  if (x.length !== y.length)
    throw inputError('unequal-lengths', `${x.length} x values but ${y.length} y values`)
  for (const [i, value] of x.entries()) {
    checkFinite(value, `x value ${i + 1}`)
    checkFinite(y[i]!, `y value ${i + 1}`)
  }
  const n = x.length
  if (n < 2) return { ...noLine, n, reason: n === 0 ? 'no models' : 'one model: a line needs two' }
  const { slope, intercept, sxx, syy, sse } = leastSquares(x, y)
  if (!(sxx > minVariation)) return { ...noLine, n, reason: 'all x values are equal' }
  const theilSen = medianLine(x, y)
  if (!(syy > minVariation)) {
    return {
      ...noLine,
      n,
      slope: 0,
      intercept: y[0]!,
      theilSen,
      reason: 'all y values are equal: no correlation',
    }
  }
  const pearson = clampUnit((slope * sxx) / Math.sqrt(sxx * syy))
  const [rx, ry] = [ranks(x), ranks(y)]
  const byRank = leastSquares(rx, ry)
  const spearman = clampUnit((byRank.slope * byRank.sxx) / Math.sqrt(byRank.sxx * byRank.syy))
  const line = {
    ...noLine,
    n,
    slope,
    intercept,
    pearson,
    spearman,
    theilSen,
    r2: pearson * pearson,
  }
  if (n === 2) return { ...line, reason: 'two models: no standard error' }
  if (families) {
    const inference = slopeInference({ x, families, xVariances }, y, confidence)
    return Object.assign(line, inference)
  }
  const degreesOfFreedom = n - 2
  const standardError = Math.sqrt(sse / degreesOfFreedom / sxx)
  const half = tQuantile((1 + confidence) / 2, degreesOfFreedom) * standardError
  const p = standardError === 0 ? 0 : tTwoSided(slope / standardError, degreesOfFreedom)
  const interval = [slope - half, slope + half] as const
  return { ...line, standardError, degreesOfFreedom, p, interval, reason: null }
}

/**
 * The points of models with both values; the others with the reason, of those given for x and y. `names` say in an
 * error what is no number. Errors: not-a-number.
 */
export function knownPoints(
  points: readonly { model: string; x: number | null; y: number | null }[],
  names: readonly [x: string, y: string],
  lacking: readonly [x: string, y: string],
): {
  known: { model: string; x: number; y: number }[]
  leftOut: { model: string; reason: string }[]
} {
  const known: { model: string; x: number; y: number }[] = []
  const leftOut: { model: string; reason: string }[] = []
  for (const { model, x, y } of points) {
    if (x === null || y === null) {
      leftOut.push({ model, reason: lacking[x === null ? 0 : 1] })
      continue
    }
    checkFinite(x, `${names[0]} of ${model}`)
    checkFinite(y, `${names[1]} of ${model}`)
    known.push({ model, x, y })
  }
  return { known, leftOut }
}

const noLine: Omit<Line, 'n'> = {
  slope: null,
  intercept: null,
  r2: null,
  pearson: null,
  spearman: null,
  standardError: null,
  degreesOfFreedom: null,
  p: null,
  interval: null,
  theilSen: null,
  reason: null,
}

/** Below this a sum of squares is rounding (or underflow), not spread. */
const minVariation = 1e-28

const clampUnit = (value: number): number => Math.max(-1, Math.min(1, value))

function leastSquares(
  x: readonly number[],
  y: readonly number[],
): { slope: number; intercept: number; sxx: number; syy: number; sse: number } {
  const [mx, my] = [mean(x), mean(y)]
  let [sxx, sxy, syy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mx, y[i]! - my]
    sxx += dx * dx
    sxy += dx * dy
    syy += dy * dy
  }
  const slope = sxy / sxx
  let sse = 0
  for (let i = 0; i < x.length; i++) sse += (y[i]! - my - slope * (x[i]! - mx)) ** 2
  return { slope, intercept: my - slope * mx, sxx, syy, sse }
}

/** Median of the slopes between all pairs of points with different x; median of the remainders as intercept. */
function medianLine(
  x: readonly number[],
  y: readonly number[],
): { slope: number; intercept: number } {
  const slopes = new Float64Array((x.length * (x.length - 1)) / 2)
  let count = 0
  for (let i = 0; i < x.length; i++) {
    const [xi, yi] = [x[i]!, y[i]!]
    for (let j = 0; j < i; j++) {
      const step = xi - x[j]!
      if (step > 1e-14 || step < -1e-14) slopes[count++] = (yi - y[j]!) / step
    }
  }
  const slope = median(slopes.subarray(0, count))
  return { slope, intercept: median(y) - slope * median(x) }
}

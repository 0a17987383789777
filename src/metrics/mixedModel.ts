/*
 * A linear mixed model of a line over models: every family of models has an intercept and a slope of its own, which are drawn from a
 * bivariate normal distribution around those of all families. The variances maximize the restricted likelihood (REML), as in
 * statsmodels' MixedLM and lme4; the fixed effects and the residual variance are profiled out.
 */
import { tQuantile } from './distributions.ts'
import { type FamilyLine } from './familyInference.ts'
import { type Interval } from './intervals.ts'
import { minimize } from './minimize.ts'
import { mean, sum } from './numbers.ts'
import { groupByKey } from '../lib/tally.ts'

/** The slope of a mixed model with its uncertainty, and the variances between families. */
export interface MixedSlope {
  slope: number | null
  intercept: number | null
  standardError: number | null
  interval: Interval | null
  /** Variances of the families' intercepts (where x is 0) and slopes, with their covariance. */
  between: { intercept: number; slope: number; covariance: number } | null
  /** Variance within families. */
  within: number | null
  reason: string | null
}

const minFamilies = 3

/** Fewest degrees of freedom for an interval. */
const minFreedom = 0.5

/**
 * Returns the slope of `y` on the line's x with random intercepts and slopes by family. The t-interval has two degrees of freedom
 * fewer than the families that the slope rests on, counted by their shares of its variance; this is cautious where slopes hardly differ.
 *
 * @example
 * mixedSlope({ x: [0.5, 0.6, 0.7, 0.8, 0.6, 0.9], families: ['a', 'a', 'b', 'b', 'c', 'c'] }, y, 0.95)
 */
export function mixedSlope(
  { x, families }: Pick<FamilyLine, 'x' | 'families'>,
  y: readonly number[],
  confidence: number,
): MixedSlope {
  const groups = [...groupByKey(families.keys(), i => families[i]!).values()]
  const n = x.length
  if (groups.length < minFamilies)
    return {
      ...noSlope,
      reason: `no mixed model: ${groups.length} families of models, ${minFamilies} needed`,
    }
  if (n < groups.length + 2)
    return { ...noSlope, reason: 'no mixed model: hardly a family has two models' }
  const center = mean(x)
  const scale = Math.sqrt(sum(x.map(value => (value - center) ** 2)) / n)
  if (!(scale > 1e-12)) return { ...noSlope, reason: 'no mixed model: all x values are equal' }
  const z = x.map(value => (value - center) / scale)
  const level = mean(y)
  const spread = Math.sqrt(sum(y.map(value => (value - level) ** 2)) / n)
  if (!(spread > 1e-12)) return { ...noSlope, reason: 'no mixed model: all y values are equal' }
  const v = y.map(value => (value - level) / spread)
  const sums = groups.map(members => familySums(members, z, v))
  const deviance = (root: readonly number[]): number => profile(sums, root, n).deviance
  const starts = [
    [0.3, 0, 0.1],
    [2, 0.5, 1],
  ]
  const fits = starts.map(start => minimize(deviance, start))
  const { x: root } = fits.reduce((a, b) => (b.value < a.value ? b : a))
  const { beta, variance, covariance, parts } = profile(sums, root, n)
  if (!Number.isFinite(beta[1]) || !(covariance[2] > 0))
    return { ...noSlope, reason: 'no mixed model: the variances cannot be estimated' }
  const slope = (beta[1] * spread) / scale
  const standardError = (Math.sqrt(variance * covariance[2]) * spread) / scale
  const freedom = effectiveFamilies(covariance, parts) - 2
  const half =
    freedom < minFreedom ? null : tQuantile((1 + confidence) / 2, freedom) * standardError
  return {
    slope,
    intercept: level + spread * beta[0] - slope * center,
    standardError,
    interval: half === null ? null : [slope - half, slope + half],
    between: betweenFamilies(root, { variance: variance * spread ** 2, center, scale }),
    within: variance * spread ** 2,
    reason: half === null ? 'no interval: the mixed model rests on too few families' : null,
  }
}

const noSlope: Omit<MixedSlope, 'reason'> = {
  slope: null,
  intercept: null,
  standardError: null,
  interval: null,
  between: null,
  within: null,
}

/** The sums over a family of 1, z, z², v, zv and v². */
type FamilySums = readonly [n: number, z: number, zz: number, v: number, zv: number, vv: number]

function familySums(
  members: readonly number[],
  z: readonly number[],
  v: readonly number[],
): FamilySums {
  const of = (value: (i: number) => number): number => sum(members.map(value))
  return [
    members.length,
    of(i => z[i]!),
    of(i => z[i]! ** 2),
    of(i => v[i]!),
    of(i => z[i]! * v[i]!),
    of(i => v[i]! ** 2),
  ]
}

type Pair = readonly [number, number]

/**
 * The fit of the fixed effects for the relative covariance L L' of the families' lines, L = [[a, 0], [b, c]] of `root`. With the
 * identity of Woodbury, only 2 × 2 matrices are inverted: V^-1 = I - Z L (I + L' Z'Z L)^-1 L' Z'.
 */
function profile(
  sums: readonly FamilySums[],
  [a = 0, b = 0, c = 0]: readonly number[],
  n: number,
): {
  deviance: number
  beta: [number, number]
  variance: number
  /** The inverse of X' V^-1 X: its entries (1, 1), (1, 2), (2, 2). */
  covariance: [number, number, number]
  /** What each family adds to X' V^-1 X, likewise. */
  parts: [number, number, number][]
} {
  let [s11, s12, s22, t1, t2, total, logs] = [0, 0, 0, 0, 0, 0, 0]
  const parts: [number, number, number][] = []
  for (const [m, z, zz, v, zv, vv] of sums) {
    // The columns of L' Z'Z, and L' Z'v.
    const p1: Pair = [a * m + b * z, c * z]
    const p2: Pair = [a * z + b * zz, c * zz]
    const q: Pair = [a * v + b * zv, c * zv]
    const m11 = 1 + p1[0] * a + p2[0] * b
    const m12 = p2[0] * c
    const m22 = 1 + p2[1] * c
    const det = m11 * m22 - m12 * m12
    const inner = ([x1, x2]: Pair, [y1, y2]: Pair): number =>
      (m22 * x1 * y1 - m12 * (x1 * y2 + x2 * y1) + m11 * x2 * y2) / det
    const part: [number, number, number] = [
      m - inner(p1, p1),
      z - inner(p1, p2),
      zz - inner(p2, p2),
    ]
    parts.push(part)
    s11 += part[0]
    s12 += part[1]
    s22 += part[2]
    t1 += v - inner(p1, q)
    t2 += zv - inner(p2, q)
    total += vv - inner(q, q)
    logs += Math.log(det)
  }
  const det = s11 * s22 - s12 * s12
  const beta: [number, number] = [(s22 * t1 - s12 * t2) / det, (s11 * t2 - s12 * t1) / det]
  const rest = Math.max(1e-300, total - beta[0] * t1 - beta[1] * t2)
  return {
    deviance: (n - 2) * Math.log(rest) + logs + Math.log(det),
    beta,
    variance: rest / (n - 2),
    covariance: [s22 / det, -s12 / det, s11 / det],
    parts,
  }
}

/** The number of families that would determine the slope as well if each had the same share of it. */
function effectiveFamilies(
  [, cross, own]: readonly [number, number, number],
  parts: readonly (readonly [number, number, number])[],
): number {
  const shares = parts.map(([a, b, c]) => cross * cross * a + 2 * cross * own * b + own * own * c)
  return sum(shares) ** 2 / sum(shares.map(share => share ** 2))
}

/** The variances of the families' lines in the units of x and y. */
function betweenFamilies(
  [a = 0, b = 0, c = 0]: readonly number[],
  { variance, center, scale }: { variance: number; center: number; scale: number },
): MixedSlope['between'] {
  const [own, cross, steep] = [a * a, a * b, b * b + c * c].map(value => value * variance)
  const slope = steep! / scale ** 2
  const covariance = cross! / scale - center * slope
  return {
    slope,
    covariance,
    intercept: own! - (2 * center * cross!) / scale + center ** 2 * slope,
  }
}

import { checkConfidence, type Interval } from './intervals.ts'
import { posteriorMeans } from './mixture.ts'
import { bisect, mean, quantile, spread, sum } from './numbers.ts'
import { checkDraws, fillNormal } from './samplers.ts'
import { randomFrom } from '../lib/random.ts'

/*
 * An interval for the true disparity D: the largest minus the smallest true accuracy of K groups.
 *
 * The observed range T exceeds D, and by how much depends on how many groups share the extremes: a percentile bootstrap
 * starts from the noisy accuracies, adds the noise once more, and under equality never contains 0. So the interval is the
 * set of all D that a test does not reject (test inversion). For each D the test needs accuracies that have exactly the
 * range D and fit the data; they are made from posterior means that a nonparametric maximum likelihood fit gives:
 *
 * - Lower end (reject a D for which T is too large): posterior means stretched or clipped to range D, and groups within
 *   half to one standard error of an end put on it. More groups at the ends make T larger, so this errs to the safe side
 *   (moment selection, as Andrews and Soares 2010 do for moment inequalities).
 * - Upper end (reject a D for which T is too small): posterior means, and only the one pair of groups moved to the two ends
 *   that needs the least push. Fewer groups at the ends make T smaller, again the safe side.
 *
 * With several groups tied at an end the upper test hardly errs, with single ones both err alike; so the level is split 70 : 30
 * between the lower and the upper end. At D = 0 nothing can be above, and all of it goes to the lower end: the interval contains 0
 * exactly when equality is not rejected. test/metrics/coverage.test.ts counts how often the intervals contain the truth.
 */

export interface GroupShare {
  /** Correct share, 0 … 1. */
  share: number
  /** Images, or their effective number where they come in clusters; > 0. */
  n: number
}

export interface RangeOptions {
  seed: number
  /** Default 1,000. */
  draws?: number
  confidence?: number
}

export interface RangeEstimate {
  interval: Interval
  /** The D for which half of all samples would show a smaller range: median-unbiased, 0 where equality explains the range. */
  corrected: number
}

interface RangeSimulation {
  x: Float64Array
  n: Float64Array
  se: Float64Array
  /** Shrunken accuracies. */
  center: Float64Array
  range: number
  /** Standard normal numbers, row-major [draw, group]. */
  noise: Float64Array
  draws: number
}

const lowerShare = 0.7

/** Interval and bias-corrected value of the range of `groups`' true shares (at least two groups). Errors: bad-draws, bad-seed. */
export function rangeInterval(groups: readonly GroupShare[], options: RangeOptions): RangeEstimate {
  const { seed, draws = 1000, confidence = 0.95 } = options
  checkDraws(draws)
  checkConfidence(confidence)
  const setting = createRangeSimulation(groups, seed, draws)
  const { range } = setting
  const alpha = 1 - confidence
  const expected = mean(rangesOf(setting, stretchTruth(setting, 0, setting.center)))
  const upperLevel = (d: number): number => alpha * (1 - lowerShare) * Math.min(1, d / expected)
  const notTooSmall = (d: number): boolean =>
    shareWhere(rangesOf(setting, crowdTruth(setting, d / expected, d)), r => r >= range) >
    alpha - upperLevel(d)
  const notTooLarge = (d: number): boolean =>
    shareWhere(rangesOf(setting, pushPairApart(setting, d)), r => r <= range) > upperLevel(d)
  const low = notTooSmall(0) ? 0 : firstTrue(notTooSmall, 0, range)
  const high = Math.max(
    low,
    firstTrue(d => !notTooLarge(d), low, 1),
  )
  const belowMedian = (d: number): boolean =>
    quantile(rangesOf(setting, stretchTruth(setting, d, setting.center)).sort(), 0.5) < range
  const corrected = belowMedian(0) ? firstTrue(d => !belowMedian(d), 0, range) : 0
  return { interval: [low, high], corrected: Math.min(high, Math.max(low, corrected)) }
}

function createRangeSimulation(
  groups: readonly GroupShare[],
  seed: number,
  draws: number,
): RangeSimulation {
  const x = Float64Array.from(groups, group => group.share)
  const n = Float64Array.from(groups, group => group.n)
  const total = sum(n)
  const pool = groups.reduce((sum, group) => sum + group.share * group.n, 0) / total
  const safePool = Math.min(Math.max(pool, 0.5 / total), 1 - 0.5 / total)
  const se = x.map((share, k) => {
    const steady = (share * n[k]! + 4 * safePool) / (n[k]! + 4)
    return Math.sqrt((steady * (1 - steady)) / n[k]!)
  })
  const noise = fillNormal(new Float64Array(draws * x.length), randomFrom(seed))
  return { x, n, se, center: posteriorMeans(x, se), range: spread(x), noise, draws }
}

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value))

const shareWhere = (values: Float64Array, holds: (value: number) => boolean): number => {
  let count = 1
  for (const value of values) if (holds(value)) count++
  return count / (values.length + 1)
}

/**
 * Ranges that samples of groups with true shares `truth` would show. A share's arcsine root has the nearly constant standard error
 * 1 / (2 √n), which keeps samples inside 0 … 1 and skewed as binomials are.
 */
function rangesOf({ n, noise, draws }: RangeSimulation, truth: Float64Array): Float64Array {
  const count = n.length
  const angle = truth.map(share => Math.asin(Math.sqrt(clamp(share, 0, 1))))
  const scale = n.map(size => 0.5 / Math.sqrt(size))
  const ranges = new Float64Array(draws)
  for (let draw = 0, at = 0; draw < draws; draw++) {
    let [least, most] = [Infinity, -Infinity]
    for (let k = 0; k < count; k++, at++) {
      const value = angle[k]! + scale[k]! * noise[at]!
      if (value < least) least = value
      if (value > most) most = value
    }
    const [low, high] = [clamp(least, 0, Math.PI / 2), clamp(most, 0, Math.PI / 2)]
    ranges[draw] = Math.sin(high) ** 2 - Math.sin(low) ** 2
  }
  return ranges
}

/**
 * Truth for the lower end. Where D is small against the range that noise alone shows (`ratio`), posterior means know little
 * of who is at the ends: they are mixed with the data, and groups up to one standard error from an end go to it, else half.
 */
function crowdTruth(setting: RangeSimulation, ratio: number, d: number): Float64Array {
  const { x, se, center } = setting
  const own = clamp(1 - 2 * ratio, 0, 1)
  const ties = clamp(2 - 1.5 * ratio, 0.5, 1)
  const truth = stretchTruth(
    setting,
    d,
    center.map((value, k) => value + own * (x[k]! - value)),
  )
  const [low, high] = [Math.min(...truth), Math.max(...truth)]
  return truth.map((value, k) => {
    const [below, above] = [value - low, high - value]
    if (Math.min(below, above) > ties * se[k]!) return value
    return below <= above ? low : high
  })
}

/** Shares of the given shape brought to range `d`: clipped where they are wider, stretched where they are narrower. */
function stretchTruth(
  { x, se, range }: RangeSimulation,
  d: number,
  shapeTarget: Float64Array,
): Float64Array {
  const flat = spread(shapeTarget) < 0.1 * Math.min(...se)
  const shape = flat ? x : shapeTarget
  const width = flat ? range : spread(shapeTarget)
  if (width >= d) {
    const start = windowStart(shape, se, d)
    return shape.map(value => clamp(value, start, start + d))
  }
  const middle = weightedMean(shape, se)
  return shape.map(value => middle + ((value - middle) * d) / width)
}

/** Posterior means with one low and one high group at the ends of a range `d`: the pair that fits the data best. */
function pushPairApart({ x, se, center, range }: RangeSimulation, d: number): Float64Array {
  if (d <= range) {
    const start = windowStart(x, se, d)
    const truth = center.map(value => clamp(value, start, start + d))
    if (Math.min(...truth) > start) truth[x.indexOf(Math.min(...x))] = start
    if (Math.max(...truth) < start + d) truth[x.indexOf(Math.max(...x))] = start + d
    return truth
  }
  const { i, j } = cheapestPair(x, se, d)
  const push = (d - (x[j]! - x[i]!)) / (se[i]! ** 2 + se[j]! ** 2)
  const [low, high] = [x[i]! - push * se[i]! ** 2, x[j]! + push * se[j]! ** 2]
  const truth = center.map(value => clamp(value, low, high))
  truth[i] = low
  truth[j] = high
  return truth
}

/** Finds the pair of a low group i and a high group j whose difference is nearest to `d` in standard errors. */
function cheapestPair(x: Float64Array, se: Float64Array, d: number): { i: number; j: number } {
  let best = { i: 0, j: 1, cost: Infinity }
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < x.length; j++) {
      const cost = (d - (x[j]! - x[i]!)) ** 2 / (se[i]! ** 2 + se[j]! ** 2)
      if (i !== j && cost < best.cost) best = { i, j, cost }
    }
  }
  return best
}

const weightedMean = (values: Float64Array, se: Float64Array): number => windowStart(values, se, 0)

/** Start of the window of width `d` that leaves out the least, by squared distance in standard errors. */
function windowStart(values: Float64Array, se: Float64Array, d: number): number {
  const pull = (start: number): number => {
    let sum = 0
    for (let k = 0; k < values.length; k++) {
      const value = values[k]!
      sum += (Math.min(value - start, 0) + Math.max(value - start - d, 0)) / se[k]! ** 2
    }
    return sum
  }
  let [low, high] = [Math.min(...values) - d, Math.max(...values)]
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2
    if (pull(middle) > 0) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Smallest d in [low, high] at which `holds` has become true, to 1e-4 of the width; `high` where it never does. */
const firstTrue = (holds: (d: number) => boolean, low: number, high: number): number =>
  bisect(holds, low, high, 14)

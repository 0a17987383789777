import { checkConfidence, foldInterval, type Interval, miettinenNurminen } from './intervals.ts'
import { posteriorMeans } from './mixture.ts'
import { bisect, mean, spread, sum } from './numbers.ts'
import { type BinomialDraws, checkDraws, createBinomialDraws, fillRanges } from './samplers.ts'

/*
 * An interval for the true disparity D: the largest minus the smallest true accuracy of K groups.
 *
 * The observed range T exceeds D, and by how much depends on how many groups share the extremes: a percentile bootstrap
 * starts from the noisy accuracies, adds the noise once more, and under equality never contains 0. So the interval is the
 * set of all D that a test does not reject (test inversion), with samples drawn from binomials. For each D the test needs
 * accuracies that have exactly the range D and fit the data; they are made from posterior means that a nonparametric
 * maximum likelihood fit gives:
 *
 * - Lower end (reject a D for which T is too large): posterior means stretched or clipped to range D, and groups within
 *   three quarters to one and a quarter standard errors of an end put on it. More groups at the ends make T larger, so this errs to the safe side
 *   (moment selection, as Andrews and Soares 2010 do for moment inequalities).
 * - Upper end (reject a D for which T is too small): posterior means, and only the one pair of groups moved to the two ends
 *   that needs the least push. Fewer groups at the ends make T smaller, again the safe side.
 *
 * With several groups tied at an end the upper test hardly errs, with single ones both err alike; so the level is split 70 : 30
 * between the lower and the upper end. D = 0 is decided by the permutation test of equality alone, at the whole level, so that
 * the interval contains 0 exactly when the p-value is above it. Two groups have no such difficulty: their interval is Miettinen
 * and Nurminen's for the difference, folded at 0. test/metrics/coverage.test.ts counts how often the intervals contain the truth.
 */

export interface GroupShare {
  /** Correct share, 0 … 1. */
  share: number
  /** Images, or their effective number where they come in clusters; > 0. */
  n: number
}

export interface RangeOptions {
  seed: number
  /** Chance of at least the observed range if all true shares were equal. */
  equalityP: number
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
  draws: BinomialDraws
}

const lowerShare = 0.7

/** Interval and bias-corrected value of the range of `groups`' true shares (at least two groups). Errors: bad-draws, bad-seed. */
export function disparityInterval(
  groups: readonly GroupShare[],
  options: RangeOptions,
): RangeEstimate {
  const { seed, equalityP, draws = 1000, confidence = 0.95 } = options
  checkDraws(draws)
  checkConfidence(confidence)
  const setting = createRangeSimulation(groups, seed, draws)
  const alpha = 1 - confidence
  const equalityHolds = equalityP > alpha
  const interval =
    groups.length === 2
      ? pairRangeInterval(groups, confidence, equalityHolds)
      : invertTests(setting, alpha, equalityHolds)
  // Shares are discrete, so samples of just the observed range count half: above it and below it alike.
  const isBelowMedian = (d: number): boolean =>
    sum(
      rangesOf(setting, stretchTruth(setting, d, setting.center)).map(range =>
        compareRanges(range, setting.range),
      ),
    ) < 0
  const corrected = isBelowMedian(0) ? firstTrue(d => !isBelowMedian(d), 0, setting.range) : 0
  return { interval, corrected: clamp(corrected, interval[0], interval[1]) }
}

/**
 * Returns the lower end of the interval of groups whose equality is rejected at the level of `confidence`.
 * Errors: bad-draws, bad-seed.
 */
export function disparityLowerEnd(
  groups: readonly GroupShare[],
  { seed, draws = 1000, confidence = 0.95 }: Omit<RangeOptions, 'equalityP'>,
): number {
  checkDraws(draws)
  checkConfidence(confidence)
  if (groups.length === 2) return pairRangeInterval(groups, confidence, false)[0]
  const setting = createRangeSimulation(groups, seed, draws)
  return invertLowerTest(setting, 1 - confidence, expectedRange(setting))
}

/** Returns the mean range that noise alone shows. */
const expectedRange = (setting: RangeSimulation): number =>
  mean(rangesOf(setting, stretchTruth(setting, 0, setting.center)))

/** Returns the part of the level `alpha` that the test at the upper end of a range `d` gets. */
const upperLevel = (alpha: number, expected: number, d: number): number =>
  alpha * (1 - lowerShare) * (expected > 0 ? Math.min(1, d / expected) : 1)

function invertLowerTest(setting: RangeSimulation, alpha: number, expected: number): number {
  const { range } = setting
  const ratio = (d: number): number => (expected > 0 ? d / expected : Infinity)
  const notTooSmall = (d: number): boolean =>
    shareWhere(rangesOf(setting, crowdTruth(setting, ratio(d), d)), r => r >= range - rounding) >
    alpha - upperLevel(alpha, expected, d)
  return firstTrue(notTooSmall, 0, range)
}

function invertTests(setting: RangeSimulation, alpha: number, equalityHolds: boolean): Interval {
  const { range } = setting
  const expected = expectedRange(setting)
  const notTooLarge = (d: number): boolean =>
    shareWhere(rangesOf(setting, pushPairApart(setting, d)), r => r <= range + rounding) >
    upperLevel(alpha, expected, d)
  const low = equalityHolds ? 0 : invertLowerTest(setting, alpha, expected)
  return [
    low,
    Math.max(
      low,
      firstTrue(d => !notTooLarge(d), low, 1),
    ),
  ]
}

/** Interval of the absolute difference of two shares; excludes 0 exactly where equality is rejected. */
function pairRangeInterval(
  groups: readonly GroupShare[],
  confidence: number,
  equalityHolds: boolean,
): Interval {
  const [a, b] = groups.map(({ share, n }) => ({ hits: share * n, n })) as [
    { hits: number; n: number },
    { hits: number; n: number },
  ]
  const [low, high] = foldInterval(miettinenNurminen(a, b, confidence)!)
  return [equalityHolds ? 0 : Math.max(low, Number.EPSILON), high]
}

function createRangeSimulation(
  groups: readonly GroupShare[],
  seed: number,
  draws: number,
): RangeSimulation {
  const x = Float64Array.from(groups, group => group.share)
  const n = Float64Array.from(groups, group => group.n)
  const total = sum(n)
  const pool = groups.reduce((hits, group) => hits + group.share * group.n, 0) / total
  const safePool = Math.min(Math.max(pool, 0.5 / total), 1 - 0.5 / total)
  const center = posteriorMeans(x, n)
  const se = center.map((share, k) => {
    const steady = (share * n[k]! + safePool) / (n[k]! + 1)
    return Math.sqrt((steady * (1 - steady)) / n[k]!)
  })
  return {
    x,
    n,
    se,
    center,
    range: spread(x),
    draws: createBinomialDraws(x.length, draws, seed),
  }
}

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value))

const shareWhere = (values: Float64Array, holds: (value: number) => boolean): number => {
  let count = 1
  for (const value of values) if (holds(value)) count++
  return count / (values.length + 1)
}

/** Ranges that samples of groups with true shares `truth` would show. */
const rangesOf = ({ n, draws }: RangeSimulation, truth: Float64Array): Float64Array =>
  fillRanges(draws, n, truth)

/** Moves shares whose range is at most 1 into 0 … 1 without changing their range. */
function shiftInside(shares: Float64Array): Float64Array {
  const [low, high] = [Math.min(...shares), Math.max(...shares)]
  const shift = low < 0 ? -low : high > 1 ? 1 - high : 0
  return shift === 0 ? shares : shares.map(share => clamp(share + shift, 0, 1))
}

/**
 * Truth for the lower end. Where D is small against the range that noise alone shows (`ratio`), posterior means know little
 * of who is at the ends: they are mixed with the data, and more groups near an end go to it.
 */
function crowdTruth(setting: RangeSimulation, ratio: number, d: number): Float64Array {
  const { x, se, center } = setting
  const own = clamp(1 - 2 * ratio, 0, 1)
  const ties = clamp(2 - 1.25 * ratio, 0.75, 1.25)
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
  return shiftInside(shape.map(value => middle + ((value - middle) * d) / width))
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
  const low = clamp(x[i]! - push * se[i]! ** 2, 0, 1 - d)
  const high = low + d
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
  return clamp((low + high) / 2, 0, 1 - d)
}

/** Differences of shares below this are rounding. */
const rounding = 1e-9

/** Returns -1, 0 or 1. */
const compareRanges = (a: number, b: number): number =>
  Math.abs(a - b) <= rounding ? 0 : Math.sign(a - b)

/** Smallest d in [low, high] at which `holds` has become true, to 1e-4 of the width; `high` where it never does. */
const firstTrue = (holds: (d: number) => boolean, low: number, high: number): number =>
  bisect(holds, [low, high], 14)

/*
 * Inference about a slope or a mean over models whose deviations may be alike within a family.
 *
 * Families are clusters: the variance is the bias-reduced cluster-robust one (CR2; Bell and McCaffrey 2002), which a working model
 * of independent models of one variance makes unbiased. Its degrees of freedom are Satterthwaite's, the smaller of those that
 * independent models and models with a correlation of one half within a family give (Imbens and Kolesár 2016), as the
 * correlation itself cannot be estimated from a few families. Models that are all of one family are clusters of their own: what
 * their family has in common moves the line, not its slope.
 *
 * A ratio of two slopes has Fieller's set (1954), which also shows when no finite interval exists. Sampling errors of x flatten a
 * slope. By how much depends on what nobody publishes: errors that all models share, as on one set of images, do no harm, while
 * independent ones need the correction by moments, slope × Sxx / (Sxx - Σ variances). The truth lies between the two, so the
 * interval is that of Imbens and Manski (2004) for a parameter that the data confine to a range.
 */
import { groupByKey } from '../lib/tally.ts'
import { inputError } from '../lib/errors.ts'
import { tQuantile, tTwoSided } from './distributions.ts'
import { type Interval } from './intervals.ts'
import { bisect, mean, sum } from './numbers.ts'

/** The uncertainty of a slope or a mean; what cannot be given is null with the reason. */
export interface FamilyInference {
  standardError: number | null
  degreesOfFreedom: number | null
  /** Two-sided p-value of 0. */
  p: number | null
  interval: Interval | null
  reason: string | null
}

/** The models of a line: their positions on the x axis, their families and, where known, the sampling variances of x. */
export interface FamilyLine {
  x: readonly number[]
  families: readonly string[]
  xVariances?: readonly number[] | undefined
}

const minFamilies = 3

/** Fewest degrees of freedom for the interval of a ratio. Below it, the intervals that exist are a biased selection. */
const minRatioFreedom = 2.5

/** Returns the family that a model's name begins with: `resnet` of `hub:timm/resnet50.a1_in1k`. */
export function familyFromName(model: string): string {
  const name = model.split(/[/:\\]/).at(-1)!
  return (/^[a-z]+/i.exec(name)?.[0] ?? name).toLowerCase()
}

/**
 * Returns the inference about the least-squares slope of `y` on the line's x.
 *
 * @example
 * slopeInference({ x: [0.5, 0.6, 0.7], families: ['a', 'b', 'c'] }, [0.4, 0.6, 0.6], 0.95)
 */
export function slopeInference(
  line: FamilyLine,
  y: readonly number[],
  confidence: number,
): FamilyInference {
  const design = lineDesign(line)
  if ('reason' in design) return { ...noInference, reason: design.reason }
  const { estimate: slope, deviations } = fitDesign(design, y)
  const known = inferenceAround(design, { estimate: slope, deviations }, confidence)
  if (line.xVariances === undefined || known.standardError === 0) return known
  const corrected = correctedTerms(design, { estimate: slope, deviations }, line.xVariances)
  const interval = partialInterval({ ...known, slope }, corrected, confidence)
  const reason = interval === null ? 'no interval: x differs little more than by chance' : null
  return { ...known, interval, reason }
}

/** A slope corrected for independent errors of x. */
export interface CorrectedSlope {
  /** The share of the variance of x that is not error, by which the errors flatten the slope. */
  attenuation: number | null
  slope: number | null
  interval: Interval | null
  reason: string | null
}

/**
 * Returns the slope as the correction by moments has it: the least-squares slope divided by the attenuation, which the known sampling
 * variances of x give (Fuller 1987), with Fieller's interval. It holds if models err independently; errors that all models
 * share flatten nothing.
 *
 * @example
 * correctedSlope({ x: [0.5, 0.6, 0.7], families: ['a', 'b', 'c'], xVariances: [1e-4, 1e-4, 1e-4] }, y, 0.95)
 */
export function correctedSlope(
  line: FamilyLine & { xVariances: readonly number[] },
  y: readonly number[],
  confidence: number,
): CorrectedSlope {
  const design = lineDesign(line)
  const none = { attenuation: null, slope: null, interval: null }
  if ('reason' in design) return { ...none, reason: design.reason }
  const terms = correctedTerms(design, fitDesign(design, y), line.xVariances)
  const attenuation = terms.denominator / design.szz
  if (!(attenuation > 0))
    return { ...none, attenuation, reason: 'no correction: x differs no more than by chance' }
  const interval = fiellerInterval(terms, tQuantile((1 + confidence) / 2, design.degreesOfFreedom))
  const reason = interval === null ? 'no interval: x differs little more than by chance' : null
  return { attenuation, slope: terms.numerator / terms.denominator, interval, reason }
}

/** The slope corrected by moments as a ratio: Sxy to Sxx without the sampling variances. */
function correctedTerms(
  { regressor, clusters, szz }: FamilyDesign,
  { estimate: slope, deviations }: DesignFit,
  variances: readonly number[],
): FiellerTerms {
  const kept = 1 - 1 / variances.length
  const lost = sum(variances) * kept
  const flattening = lost / szz
  const excess = clusters.map(cluster =>
    sum(cluster.map(i => variances[i]! * kept - flattening * regressor[i]! ** 2)),
  )
  const widen = Math.sqrt(clusters.length / (clusters.length - 1))
  return {
    numerator: slope * szz,
    denominator: szz - lost,
    ofNumerator: deviations.map(value => value * szz),
    ofDenominator: excess.map(value => -value * widen),
  }
}

/** The least-squares slopes of several series on the line's x without the models of one family. */
export interface SlopesWithoutFamily {
  family: string
  slopes: number[]
}

/** Returns the slopes of each series without each family; a family without which x does not vary is left out. */
export function slopesWithoutFamily(
  { x, families }: FamilyLine,
  series: readonly (readonly number[])[],
): SlopesWithoutFamily[] {
  return [...new Set(families)].flatMap(family => {
    const kept = [...x.keys()].filter(i => families[i] !== family)
    const center = mean(kept.map(i => x[i]!))
    const szz = sum(kept.map(i => (x[i]! - center) ** 2))
    if (kept.length < 2 || !(szz > 1e-28)) return []
    const slopes = series.map(y => sum(kept.map(i => (x[i]! - center) * y[i]!)) / szz)
    return [{ family, slopes }]
  })
}

/** Returns Fieller's interval of the ratio of the slopes of two series on the line's x; sampling errors of x cancel in it. */
export function slopeRatioInterval(
  line: FamilyLine,
  [numerator, denominator]: readonly [readonly number[], readonly number[]],
  confidence: number,
): { interval: Interval | null; reason: string | null } {
  const design = lineDesign(line)
  if ('reason' in design) return { interval: null, reason: design.reason }
  if (design.degreesOfFreedom < minRatioFreedom)
    return { interval: null, reason: 'no interval: too few families of models for a ratio' }
  const above = fitDesign(design, numerator)
  const below = fitDesign(design, denominator)
  const interval = fiellerInterval(
    {
      numerator: above.estimate,
      denominator: below.estimate,
      ofNumerator: above.deviations,
      ofDenominator: below.deviations,
    },
    tQuantile((1 + confidence) / 2, design.degreesOfFreedom),
  )
  const reason = interval === null ? 'no interval: the slope below may be 0' : null
  return { interval, reason }
}

/** Returns the inference about the mean of the population of models that the values are from. */
export function meanInference(
  values: readonly number[],
  families: readonly string[],
  confidence: number,
): FamilyInference {
  const design = createDesign(
    values.map(() => 1),
    families,
    false,
  )
  if ('reason' in design) return { ...noInference, reason: design.reason }
  return inferenceAround(design, fitDesign(design, values), confidence)
}

const noInference: Omit<FamilyInference, 'reason'> = {
  standardError: null,
  degreesOfFreedom: null,
  p: null,
  interval: null,
}

/** A regressor, free of the intercept where there is one, with what CR2 makes of it. */
interface FamilyDesign {
  regressor: readonly number[]
  /** Sum of the regressor's squares. */
  szz: number
  hasIntercept: boolean
  /** Positions of the models of each family. */
  clusters: readonly (readonly number[])[]
  /** For each model, its entry of (I - H)^(-1/2) z of its family. */
  weights: Float64Array
  degreesOfFreedom: number
}

type LineDesign = FamilyDesign | { reason: string }

/** The designs that were made last: the lines of many benchmarks are over the models of one, and y is no part of it. */
const recentDesigns: { x: readonly number[]; families: readonly string[]; design: LineDesign }[] =
  []
const maxRecentDesigns = 4

function lineDesign({ x, families }: FamilyLine): LineDesign {
  const known = recentDesigns.find(
    one => isEqualList(one.x, x) && isEqualList(one.families, families),
  )
  if (known) return known.design
  const center = mean(x)
  const regressor = x.map(value => value - center)
  const design = createDesign(regressor, families, true)
  recentDesigns.unshift({ x: [...x], families: [...families], design })
  recentDesigns.splice(maxRecentDesigns)
  return design
}

const isEqualList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i])

function createDesign(
  regressor: readonly number[],
  families: readonly string[],
  hasIntercept: boolean,
): LineDesign {
  if (families.length !== regressor.length)
    throw inputError(
      'unequal-lengths',
      `${regressor.length} models but ${families.length} families`,
    )
  const clusters = familyClusters(families)
  if (clusters.length < Math.min(minFamilies, families.length))
    return { reason: `no interval: ${clusters.length} families of models, ${minFamilies} needed` }
  const szz = sum(regressor.map(z => z * z))
  const weights = new Float64Array(regressor.length)
  const start = { regressor, szz, hasIntercept, clusters, weights }
  for (const cluster of clusters) {
    if (!fillWeights(start, cluster))
      return { reason: 'no interval: the value rests on one family of models alone' }
  }
  const independent = degreesOfFreedom(start, 0)
  const isSingle = clusters.length === regressor.length
  const alike = isSingle ? independent : degreesOfFreedom(start, 0.5)
  return { ...start, degreesOfFreedom: Math.min(independent, alike) }
}

function familyClusters(families: readonly string[]): number[][] {
  const clusters = groupByKey(families.keys(), i => families[i]!)
  return clusters.size === 1 ? families.map((_, i) => [i]) : [...clusters.values()]
}

type OpenDesign = Omit<FamilyDesign, 'degreesOfFreedom'>

/**
 * Fills a family's weights. Its part H of the hat matrix acts in the plane of the constant and the regressor only, so the
 * inverse root is that of a 2 × 2 matrix. False if the family alone determines the estimate.
 */
function fillWeights(design: OpenDesign, cluster: readonly number[]): boolean {
  const { regressor, szz, hasIntercept, weights } = design
  const size = cluster.length
  const middle = mean(cluster.map(i => regressor[i]!))
  const across = Math.sqrt(sum(cluster.map(i => (regressor[i]! - middle) ** 2)))
  const along = middle * Math.sqrt(size)
  const left = [
    1 - (hasIntercept ? size / regressor.length : 0) - along ** 2 / szz,
    (-along * across) / szz,
    1 - across ** 2 / szz,
  ] as const
  const center = (left[0] + left[2]) / 2
  const radius = Math.hypot((left[0] - left[2]) / 2, left[1])
  if (center - radius < 1e-9) return false
  const angle = Math.atan2(2 * left[1], left[0] - left[2]) / 2
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const high = (cos * along + sin * across) / Math.sqrt(center + radius)
  const low = (cos * across - sin * along) / Math.sqrt(center - radius)
  const constant = (cos * high - sin * low) / Math.sqrt(size)
  const slope = across > 0 ? (sin * high + cos * low) / across : 0
  for (const i of cluster) weights[i] = constant + slope * (regressor[i]! - middle)
  return true
}

/** Satterthwaite's degrees of freedom of the variance if models of a family have this correlation. */
function degreesOfFreedom(design: OpenDesign, correlation: number): number {
  const { regressor, szz, hasIntercept, clusters, weights } = design
  const n = regressor.length
  const families = clusters.map(cluster => ({
    size: cluster.length,
    weight: sum(cluster.map(i => weights[i]!)),
    square: sum(cluster.map(i => weights[i]! ** 2)),
    product: sum(cluster.map(i => weights[i]! * regressor[i]!)),
    total: sum(cluster.map(i => regressor[i]!)),
  }))
  const shared = hasIntercept ? 1 / n : 0
  const sums = families.map(({ weight, product }, g) =>
    (correlation === 0 ? [] : families).map(
      ({ size, total }, k) =>
        (k === g ? weight : 0) - shared * size * weight - (total * product) / szz,
    ),
  )
  let [trace, squares] = [0, 0]
  for (const [g, a] of families.entries()) {
    for (const [h, b] of families.entries()) {
      const independent =
        (g === h ? a.square : 0) - shared * a.weight * b.weight - (a.product * b.product) / szz
      const alike = correlation === 0 ? 0 : sum(families.map((_, k) => sums[g]![k]! * sums[h]![k]!))
      const value = (1 - correlation) * independent + correlation * alike
      if (g === h) trace += value
      squares += value * value
    }
  }
  return trace ** 2 / squares
}

interface DesignFit {
  estimate: number
  /** By how much each family moves the estimate; the sum of their squares is its variance. */
  deviations: number[]
}

function fitDesign(design: FamilyDesign, y: readonly number[]): DesignFit {
  const { regressor, szz, hasIntercept, clusters, weights } = design
  const center = hasIntercept ? mean(y) : 0
  const estimate = sum(regressor.map((z, i) => z * (y[i]! - center))) / szz
  const deviations = clusters.map(
    cluster =>
      sum(cluster.map(i => weights[i]! * (y[i]! - center - estimate * regressor[i]!))) / szz,
  )
  return { estimate, deviations }
}

const norm = (values: readonly number[]): number => Math.sqrt(sum(values.map(value => value ** 2)))

function inferenceAround(
  { degreesOfFreedom }: FamilyDesign,
  { estimate, deviations }: DesignFit,
  confidence: number,
): FamilyInference {
  const standardError = norm(deviations)
  const half = tQuantile((1 + confidence) / 2, degreesOfFreedom) * standardError
  const p = standardError === 0 ? 0 : tTwoSided(estimate / standardError, degreesOfFreedom)
  const interval = [estimate - half, estimate + half] as const
  return { standardError, degreesOfFreedom, p, interval, reason: null }
}

/** A ratio's two parts, and by how much each family moves them. */
interface FiellerTerms {
  numerator: number
  denominator: number
  ofNumerator: readonly number[]
  ofDenominator: readonly number[]
}

/** All ratios r for which numerator - r × denominator is within t standard errors of 0; null where they are not an interval. */
function fiellerInterval(terms: FiellerTerms, t: number): Interval | null {
  const { numerator, denominator, ofNumerator, ofDenominator } = terms
  const mixed = sum(ofNumerator.map((value, i) => value * ofDenominator[i]!))
  const a = denominator ** 2 - (t * norm(ofDenominator)) ** 2
  const b = numerator * denominator - t ** 2 * mixed
  const c = numerator ** 2 - (t * norm(ofNumerator)) ** 2
  if (!(a > 0)) return null
  const root = Math.sqrt(Math.max(0, b * b - a * c))
  return [(b - root) / a, (b + root) / a]
}

/**
 * Interval of a slope between `slope`, if errors of x do no harm, and the corrected one, if they are independent. The end
 * towards 0 is that of `slope` alone, so that 0 is left out exactly where the p-value is small.
 */
function partialInterval(
  { slope, standardError, degreesOfFreedom, interval }: FamilyInference & { slope: number },
  corrected: FiellerTerms,
  confidence: number,
): Interval | null {
  if (!(corrected.denominator > 0)) return null
  const value = corrected.numerator / corrected.denominator
  const error =
    norm(corrected.ofNumerator.map((own, i) => own - value * corrected.ofDenominator[i]!)) /
    corrected.denominator
  const apart = Math.abs(value - slope) / Math.max(error, standardError!)
  const below = (t: number): number => {
    const half = tTwoSided(t, degreesOfFreedom!) / 2
    return t < 0 ? half : 1 - half
  }
  const t = bisect(
    at => below(at + apart) - below(-at) >= confidence,
    [0, tQuantile((1 + confidence) / 2, degreesOfFreedom!)],
    40,
  )
  const other = fiellerInterval(corrected, t)
  return other && [Math.min(interval![0], other[0]), Math.max(interval![1], other[1])]
}

/* The slope of accuracy on income in each region, and a test of whether these slopes are equal. */
import { groupByKey } from '../lib/tally.ts'
import { type Counts } from './accuracy.ts'
import { fUpper, tQuantile, tTwoSided } from './distributions.ts'
import { type Interval } from './intervals.ts'
import { sum } from './numbers.ts'

/** Counts of the images of one region at one income, in one household if these are known. */
export interface IncomePoint extends Counts {
  group: string
  /** Income, such as its logarithm or the number of a level. */
  x: number
  cluster?: string
}

/** The slope of accuracy on income in one region. */
export interface IncomeSlope {
  group: string
  n: number
  /** Change of accuracy per unit of income; null with the reason. */
  slope: number | null
  standardError: number | null
  interval: Interval | null
  p: number | null
  reason: string | null
}

/** Slopes of regions, with a test of whether they are equal. */
export interface IncomeSlopes {
  slopes: IncomeSlope[]
  /** P-value of equal slopes in all regions that have one: the interaction of income and region. */
  interactionP: number | null
  reason: string | null
}

/** Fewest households (or images) by which the variance of a slope is estimated. */
const fewestClusters = 5

/**
 * Fits a least-squares line of right and wrong answers on income in each region. Variances are over households (statsmodels'
 * `OLS(…).fit(cov_type='cluster')`), with Student's t for their number less two. The interaction is Wald's test of equal slopes with
 * Fisher's F and the degrees of freedom of the region with fewest households.
 */
export function incomeSlopes(points: readonly IncomePoint[]): IncomeSlopes {
  const fits = [...groupByKey(points, ({ group }) => group)]
    .map(([group, own]) => fitSlope(group, own))
    .sort((a, b) => (a.line.group < b.line.group ? -1 : 1))
  const slopes = fits.map(({ line }) => line)
  const known = fits.filter(({ line }) => line.standardError !== null && line.standardError > 0)
  if (known.length < 2)
    return { slopes, interactionP: null, reason: 'fewer than two regions have a slope' }
  const weights = known.map(({ line }) => line.standardError! ** -2)
  const center = sum(known.map(({ line }, i) => weights[i]! * line.slope!)) / sum(weights)
  const spread = sum(known.map(({ line }, i) => weights[i]! * (line.slope! - center) ** 2))
  const freedom = known.length - 1
  const least = Math.min(...known.map(fit => fit.freedom))
  return { slopes, interactionP: fUpper(spread / freedom, freedom, least), reason: null }
}

function fitSlope(
  group: string,
  points: readonly IncomePoint[],
): { line: IncomeSlope; freedom: number } {
  const total = (of: (point: IncomePoint) => number): number => sum(points.map(of))
  const n = total(point => point.n)
  const empty = { group, n, standardError: null, interval: null, p: null }
  const meanX = total(point => point.n * point.x) / n
  const sxx = total(point => point.n * (point.x - meanX) ** 2)
  if (!(sxx > 1e-12 * n))
    return { line: { ...empty, slope: null, reason: 'all images have one income' }, freedom: 0 }
  const meanY = total(point => point.top1) / n
  const slope = total(point => (point.x - meanX) * (point.top1 - point.n * meanY)) / sxx
  // Sums of the scores (1, x) × residual of each household; an image alone is a household of its own.
  const scores = new Map<string, number>()
  let [clusters, meat] = [0, 0]
  for (const { x, n: images, top1, cluster } of points) {
    const fitted = meanY + slope * (x - meanX)
    if (cluster === undefined) {
      meat += (x - meanX) ** 2 * (top1 * (1 - fitted) ** 2 + (images - top1) * fitted ** 2)
      clusters += images
    } else scores.set(cluster, (scores.get(cluster) ?? 0) + (x - meanX) * (top1 - images * fitted))
  }
  for (const score of scores.values()) meat += score * score
  clusters += scores.size
  if (clusters < fewestClusters)
    return {
      line: { ...empty, slope, reason: `no interval: ${clusters} households in ${group}` },
      freedom: 0,
    }
  const correction = (clusters / (clusters - 1)) * ((n - 1) / (n - 2))
  const standardError = Math.sqrt((correction * meat) / (sxx * sxx))
  const freedom = clusters - 2
  const half = tQuantile(0.975, freedom) * standardError
  const line: IncomeSlope = {
    group,
    n,
    slope,
    standardError,
    interval: [slope - half, slope + half],
    p: standardError > 0 ? tTwoSided(slope / standardError, freedom) : null,
    reason: null,
  }
  return { line, freedom }
}

import { type Interval } from './intervals.ts'
import { mean, percentileInterval, spread } from './numbers.ts'
import { type AccuracyTable, pointsOf, type RateOptions, scale } from './progress.ts'
import { checkDraws } from './samplers.ts'
import { randomBelow, randomFrom } from '../lib/random.ts'
import { slopeAndR2 } from './regression.ts'

/** Options of the bootstrap over models. */
export interface ModelBootstrapOptions extends RateOptions {
  seed: number
  /** Default 1,000. */
  draws?: number
}

/** Percentile intervals over draws of models with replacement; null where too few draws define the value. */
export interface RateIntervals {
  rate: Interval | null
  r2: Interval | null
  draws: number
  /** Draws in which all models had the same accuracy, so that there was no line. */
  undefinedDraws: number
}

/** Intervals of a progress rate over the choice of models: pairs are drawn, so nothing is assumed about the line's errors. */
export function bootstrapRate(
  table: AccuracyTable,
  benchmark: string | readonly string[],
  options: ModelBootstrapOptions,
): RateIntervals {
  const { axis = 'linear', confidence } = options
  const { points } = pointsOf(table, [benchmark].flat(), options)
  const x = points.map(point => scale(axis, point.x))
  const y = points.map(point => mean(point.y.map(value => scale(axis, value))))
  const [rate, r2] = resample(points.length, 2, options, pick => {
    const line = slopeAndR2(pick(x), pick(y))
    return [line.slope, line.r2]
  }) as [Float64Array, Float64Array]
  return {
    rate: percentileInterval(rate, confidence),
    r2: percentileInterval(r2, confidence),
    draws: rate.length,
    undefinedDraws: rate.filter(Number.isNaN).length,
  }
}

export interface GapIntervals {
  difference: Interval | null
  ratio: Interval | null
  byImprovements: Interval | null
  draws: number
}

/** Intervals of the three progress gaps; every draw takes the same models for both benchmarks. */
export function bootstrapGap(
  table: AccuracyTable,
  standard: string | readonly string[],
  geographic: string,
  options: ModelBootstrapOptions,
): GapIntervals {
  const { axis = 'linear', confidence } = options
  const names = [standard].flat()
  const { points } = pointsOf(table, [...names, geographic], options)
  const x = points.map(point => scale(axis, point.x))
  const accuracies = [...names, geographic].map((_, i) => points.map(point => point.y[i]!))
  const pooled = points.map(point => mean(point.y.slice(0, -1).map(value => scale(axis, value))))
  const other = points.map(point => scale(axis, point.y.at(-1)!))
  const reference = points.map(point => point.x)
  const gaps = resample(points.length, 3, options, pick => {
    const px = pick(x)
    const [rate, slower] = [slopeAndR2(px, pick(pooled)).slope, slopeAndR2(px, pick(other)).slope]
    if (rate === null || slower === null) return [null, null, null]
    const spans = accuracies.map(values => spread(pick(values)))
    const improvements = (mean(spans.slice(0, -1)) - spans.at(-1)!) / spread(pick(reference))
    return [rate - slower, slower > 0 ? rate / slower : null, improvements]
  })
  const [difference, ratio, byImprovements] = gaps.map(values =>
    percentileInterval(values, confidence),
  ) as [Interval | null, Interval | null, Interval | null]
  return { difference, ratio, byImprovements, draws: gaps[0]!.length }
}

/** `count` values of a statistic over draws of `n` models with replacement, [count][draws]; NaN where one is null. */
function resample(
  n: number,
  count: number,
  { seed, draws = 1000 }: { seed: number; draws?: number },
  statistic: (pick: (values: readonly number[]) => number[]) => readonly (number | null)[],
): Float64Array[] {
  checkDraws(draws)
  const random = randomFrom(seed)
  const results = Array.from({ length: count }, () => new Float64Array(draws))
  for (let draw = 0; draw < draws; draw++) {
    const picked = Int32Array.from({ length: n }, () => randomBelow(n, random))
    const values = statistic(all => Array.from(picked, i => all[i]!))
    for (const [k, series] of results.entries()) series[draw] = values[k] ?? NaN
  }
  return results
}

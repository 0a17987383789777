import { type Interval } from './intervals.ts'
import { mean, percentileInterval } from './numbers.ts'
import { type AccuracyTable, pointsOf, type RateOptions, scale } from './progress.ts'
import { checkDraws } from './random.ts'
import { below, randomFrom } from '../random.ts'
import { slopeAndR2 } from './regression.ts'

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
  const names = typeof benchmark === 'string' ? [benchmark] : benchmark
  const { x, columns } = scaledColumns(table, names, options)
  const pooled = x.map((_, i) => mean(columns.map(column => column[i]!)))
  const { values, draws } = resample(x.length, options, picked => {
    const at = (column: readonly number[]): number[] => Array.from(picked, i => column[i]!)
    const px = at(x)
    const slopes = columns.map(column => slopeAndR2(px, at(column)).slope)
    return [meanOf(slopes), slopeAndR2(px, at(pooled)).r2]
  })
  const [rate, r2] = [column(values, 0), column(values, 1)]
  return {
    rate: percentileInterval(rate, options.confidence),
    r2: percentileInterval(r2, options.confidence),
    draws,
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
  const names = typeof standard === 'string' ? [standard] : standard
  const { x, columns, raw } = scaledColumns(table, [...names, geographic], options)
  const { values, draws } = resample(x.length, options, picked => {
    const at = (values: readonly number[]): number[] => Array.from(picked, i => values[i]!)
    const px = at(x)
    const slopes = columns.map(values => slopeAndR2(px, at(values)).slope)
    const rate = meanOf(slopes.slice(0, -1))
    const other = slopes.at(-1) ?? null
    if (rate === null || other === null) return [null, null, null]
    const spans = raw.map(values => spread(at(values)))
    const improvements = (mean(spans.slice(1, -1)) - spans.at(-1)!) / spans[0]!
    return [rate - other, other > 0 ? rate / other : null, improvements]
  })
  const [difference, ratio, byImprovements] = [0, 1, 2].map(i =>
    percentileInterval(column(values, i), options.confidence),
  ) as [Interval | null, Interval | null, Interval | null]
  return { difference, ratio, byImprovements, draws }
}

function scaledColumns(
  table: AccuracyTable,
  names: readonly string[],
  options: RateOptions,
): { x: number[]; columns: number[][]; raw: number[][] } {
  const { points } = pointsOf(table, names, options)
  const raw = [points.map(point => point.x), ...names.map((_, i) => points.map(point => point.y[i]!))]
  const [x, ...columns] = raw.map(values => values.map(value => scale(options.axis ?? 'linear', value)))
  return { x: x!, columns, raw }
}

/** Values of a statistic over draws of `n` indices with replacement; NaN where the statistic is null. */
function resample(
  n: number,
  { seed, draws = 1000 }: { seed: number; draws?: number },
  statistic: (picked: Int32Array) => readonly (number | null)[],
): { values: (readonly (number | null)[])[]; draws: number } {
  checkDraws(draws)
  const random = randomFrom(seed)
  const picked = new Int32Array(n)
  const values: (readonly (number | null)[])[] = []
  for (let draw = 0; draw < draws; draw++) {
    for (let i = 0; i < n; i++) picked[i] = below(n, random)
    values.push(statistic(picked))
  }
  return { values, draws }
}

const column = (values: readonly (readonly (number | null)[])[], i: number): Float64Array =>
  Float64Array.from(values, row => row[i] ?? NaN)

const spread = (values: readonly number[]): number => Math.max(...values) - Math.min(...values)

const meanOf = (values: readonly (number | null)[]): number | null => {
  const known = values.filter(value => value !== null)
  return known.length === values.length && known.length > 0 ? mean(known) : null
}

import { inputError } from '../lib/errors.ts'
import { normalQuantile } from './distributions.ts'
import { mean, spread } from './numbers.ts'
import { fitLine, type Line } from './regression.ts'

/** One accuracy (share, 0 … 1) of one model; null where it was not measured. */
export interface BenchmarkAccuracy {
  model: string
  benchmark: string
  accuracy: number | null
}

/** Scale of both axes: accuracies as they are, ln(p / (1 - p)), or the normal quantile of p. */
export type AccuracyAxis = 'linear' | 'logit' | 'probit'

/** Benchmark that the paper draws on the x axis. */
export const referenceBenchmark = 'imagenet-1k'

/** Benchmarks whose mean is the paper's OOD average (table 2). */
export const oodBenchmarks: readonly string[] = ['imagenet-sketch', 'imagenet-r', 'objectnet']

/** Accuracies by benchmark and model. */
export type AccuracyTable = ReadonlyMap<string, ReadonlyMap<string, number>>

/** Errors: duplicate-row, bad-accuracy. Rows without an accuracy are dropped. */
export function accuracyTable(rows: readonly BenchmarkAccuracy[]): AccuracyTable {
  const table = new Map<string, Map<string, number>>()
  const seen = new Set<string>()
  for (const { model, benchmark, accuracy } of rows) {
    const key = JSON.stringify([model, benchmark])
    if (seen.has(key)) throw inputError('duplicate-row', `duplicate row: ${model} on ${benchmark}`)
    seen.add(key)
    if (accuracy === null) continue
    if (!(accuracy >= 0 && accuracy <= 1)) {
      throw inputError(
        'bad-accuracy',
        `accuracy of ${model} on ${benchmark} is ${accuracy}, not in 0 … 1`,
      )
    }
    if (!table.has(benchmark)) table.set(benchmark, new Map())
    table.get(benchmark)!.set(model, accuracy)
  }
  return table
}

/** A line over models, with the models it could not use. */
export interface ProgressRate extends Line {
  benchmark: string
  /** Best minus worst accuracy of the models used. */
  netImprovement: number | null
  models: string[]
  /** Models of the set without a value on both axes. */
  leftOut: { model: string; reason: string }[]
}

/** Options of progress rates: the reference benchmark, the models, the axis and the confidence. */
export interface RateOptions {
  /** Benchmark of the x axis. Default: imagenet-1k. */
  reference?: string
  /** Default: every model that has the reference or the benchmark. */
  models?: readonly string[]
  axis?: AccuracyAxis
  confidence?: number
}

/**
 * Progress rate: slope of the least-squares line of `benchmark` on the reference (section 3.2). A list of benchmarks is
 * their mean: the line is that of each model's mean accuracy, whose slope and intercept are the means over the benchmarks
 * as well; net improvement is the mean over the benchmarks (the reading that gives table 2's OOD row).
 */
export function progressRate(
  table: AccuracyTable,
  benchmark: string | readonly string[],
  options: RateOptions = {},
): ProgressRate {
  const names = [benchmark].flat()
  const { axis = 'linear', confidence } = options
  const { points, leftOut } = pointsOf(table, names, options)
  const x = points.map(point => scale(axis, point.x))
  const y = points.map(point => mean(point.y.map(value => scale(axis, value))))
  return {
    ...fitLine(x, y, confidence),
    benchmark: names.join(' + '),
    netImprovement:
      points.length === 0
        ? null
        : mean(names.map((_, i) => spread(points.map(point => point.y[i]!)))),
    models: points.map(point => point.model),
    leftOut,
  }
}

export interface ProgressPoint {
  model: string
  x: number
  y: number[]
}

/** The models of the set with their accuracies, and those that lack one. */
export function pointsOf(
  table: AccuracyTable,
  names: readonly string[],
  { reference = referenceBenchmark, models, axis = 'linear' }: RateOptions,
): { points: ProgressPoint[]; leftOut: { model: string; reason: string }[] } {
  const columns = [reference, ...names].map(name => table.get(name) ?? new Map<string, number>())
  const set = new Set(models ?? columns.flatMap(column => [...column.keys()]))
  const points: ProgressPoint[] = []
  const leftOut: { model: string; reason: string }[] = []
  for (const model of set) {
    const values = columns.map(column => column.get(model))
    const missing = [reference, ...names].filter((_, i) => values[i] === undefined)
    const [x, ...y] = values as number[]
    if (missing.length > 0) leftOut.push({ model, reason: `no accuracy on ${missing.join(', ')}` })
    else if (axis !== 'linear' && [x!, ...y].some(value => value === 0 || value === 1)) {
      leftOut.push({ model, reason: `an accuracy of 0 or 1 has no ${axis}` })
    } else points.push({ model, x: x!, y })
  }
  return { points, leftOut }
}

export function scale(axis: AccuracyAxis, accuracy: number): number {
  if (axis === 'logit') return Math.log(accuracy / (1 - accuracy))
  return axis === 'probit' ? normalQuantile(accuracy) : accuracy
}

/** Best minus worst accuracy of a stated set of models, with their names. */
export function netImprovement(
  table: AccuracyTable,
  benchmark: string,
  models?: readonly string[],
): {
  value: number | null
  best: string | null
  worst: string | null
  models: number
  reason: string | null
} {
  const column = table.get(benchmark) ?? new Map<string, number>()
  const entries = [...column].filter(([model]) => models === undefined || models.includes(model))
  if (entries.length === 0) {
    return {
      value: null,
      best: null,
      worst: null,
      models: 0,
      reason: `no model has an accuracy on ${benchmark}`,
    }
  }
  const best = entries.reduce((a, b) => (b[1] > a[1] ? b : a))
  const worst = entries.reduce((a, b) => (b[1] < a[1] ? b : a))
  return {
    value: best[1] - worst[1],
    best: best[0],
    worst: worst[0],
    models: entries.length,
    reason: null,
  }
}

/** How much faster the standard benchmark progresses than the geographic one, in the paper's three readings. */
export interface ProgressGap {
  standard: ProgressRate
  geographic: ProgressRate
  /** Equation 1: rate on the standard minus rate on the geographic benchmark. */
  difference: number | null
  /** Table 2's column: rate on the standard divided by rate on the geographic benchmark. */
  ratio: number | null
  /** Equation 2: difference of net improvements divided by ImageNet's net improvement. */
  byImprovements: number | null
  reason: string | null
}

/**
 * Progress gap between a standard benchmark (or the mean of a list) and a geographic one, over the models that have
 * all of them, so that both rates speak of the same set.
 */
export function progressGap(
  table: AccuracyTable,
  standard: string | readonly string[],
  geographic: string,
  options: RateOptions = {},
): ProgressGap {
  const { points, leftOut } = pointsOf(table, [standard, geographic].flat(), options)
  const models = points.map(point => point.model)
  const first = { ...progressRate(table, standard, { ...options, models }), leftOut }
  const second = { ...progressRate(table, geographic, { ...options, models }), leftOut }
  const gap = {
    standard: first,
    geographic: second,
    difference: null,
    ratio: null,
    byImprovements: null,
  }
  if (first.slope === null || second.slope === null)
    return { ...gap, reason: first.reason ?? second.reason }
  const reference = spread(points.map(point => point.x))
  return {
    ...gap,
    difference: first.slope - second.slope,
    ratio: second.slope > 0 ? first.slope / second.slope : null,
    byImprovements: (first.netImprovement! - second.netImprovement!) / reference,
    reason: second.slope > 0 ? null : `no ratio: the rate on ${geographic} is not positive`,
  }
}

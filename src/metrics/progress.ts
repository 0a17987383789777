import { inputError } from '../lib/errors.ts'
import { normalQuantile } from './distributions.ts'
import { familyFromName, slopeRatioInterval } from './familyInference.ts'
import { type Interval } from './intervals.ts'
import { mean, spread } from './numbers.ts'
import { fitLine, type FitLineOptions, type Line } from './regression.ts'

/** One accuracy (share, 0 … 1) of one model; null where it was not measured. */
export interface BenchmarkAccuracy {
  model: string
  benchmark: string
  accuracy: number | null
}

export const accuracyAxes = ['linear', 'logit', 'probit'] as const

/** Scale of both axes: accuracies as they are, ln(p / (1 - p)), or the normal quantile of p. */
export type AccuracyAxis = (typeof accuracyAxes)[number]

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

/** What is known of the models of a line beside their accuracies. */
export interface ModelLineOptions {
  /** Family of each model, whose deviations may be alike. Default: the letters that its name begins with. */
  families?: ReadonlyMap<string, string> | undefined
  /** Images behind each model's accuracy on the x axis. An accuracy without them counts as exact. */
  images?: ReadonlyMap<string, number> | undefined
  /** Default 0.95. */
  confidence?: number | undefined
}

/** Options of progress rates: the reference benchmark, the models and the axis. */
export interface RateOptions extends ModelLineOptions {
  /** Benchmark of the x axis. Default: imagenet-1k. */
  reference?: string | undefined
  /** Default: every model that has the reference or the benchmark. */
  models?: readonly string[] | undefined
  axis?: AccuracyAxis | undefined
}

/** Returns the options of a line over these models by their accuracies on the x axis. */
export const modelFitOptions = (
  points: readonly { model: string; x: number }[],
  { families, images, confidence }: ModelLineOptions,
): FitLineOptions & { families: string[] } => ({
  confidence,
  families: points.map(({ model }) => families?.get(model) ?? familyFromName(model)),
  xVariances:
    images && points.map(({ model, x }) => (x * (1 - x)) / (images.get(model) ?? Infinity)),
})

/**
 * Returns the progress rate: the slope of the least-squares line of `benchmark` on the reference (section 3.2). Its interval takes
 * families of models and the sampling errors of the reference into account. A list of benchmarks is their mean: the line is
 * that of each model's mean accuracy, whose slope and intercept are the means over the benchmarks as well; net improvement is
 * the mean over the benchmarks (the reading that gives table 2's OOD row).
 *
 * @example
 * const { slope, interval } = progressRate(table, 'geode', { families, images })
 */
export function progressRate(
  table: AccuracyTable,
  benchmark: string | readonly string[],
  options: RateOptions = {},
): ProgressRate {
  const names = [benchmark].flat()
  const { points, leftOut } = pointsOf(table, names, options)
  const y = points.map(point => mean(point.y.map(value => scale(options.axis, value))))
  return {
    ...fitLine(referenceScale(points, options), y, rateFitOptions(points, names, options)),
    benchmark: names.join(' + '),
    netImprovement:
      points.length === 0
        ? null
        : mean(names.map((_, i) => spread(points.map(point => point.y[i]!)))),
    models: points.map(point => point.model),
    leftOut,
  }
}

const referenceScale = (points: readonly ProgressPoint[], { axis }: RateOptions): number[] =>
  points.map(({ x }) => scale(axis, x))

/** A benchmark that is the reference shares the errors of x, which then flatten nothing. */
function rateFitOptions(
  points: readonly ProgressPoint[],
  names: readonly string[],
  options: RateOptions,
): ReturnType<typeof modelFitOptions> {
  const { reference = referenceBenchmark, axis } = options
  const fit = modelFitOptions(points, options)
  const variances = names.includes(reference) ? undefined : fit.xVariances
  return {
    ...fit,
    xVariances: variances?.map((variance, i) => variance * scaleSlope(axis, points[i]!.x) ** 2),
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

function scale(axis: AccuracyAxis | undefined, accuracy: number): number {
  if (axis === 'logit') return Math.log(accuracy / (1 - accuracy))
  return axis === 'probit' ? normalQuantile(accuracy) : accuracy
}

/** The derivative of `scale`. */
function scaleSlope(axis: AccuracyAxis | undefined, accuracy: number): number {
  if (axis === 'logit') return 1 / (accuracy * (1 - accuracy))
  return axis === 'probit'
    ? Math.sqrt(2 * Math.PI) * Math.exp(normalQuantile(accuracy) ** 2 / 2)
    : 1
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
  /** A gap by improvements hangs on the best and the worst model alone and has no interval over models. */
  intervals: { difference: Interval | null; ratio: Interval | null; reason: string | null }
}

/**
 * Returns the progress gap between a standard benchmark (or the mean of a list) and a geographic one, over the models that have
 * all of them, so that both rates speak of the same set.
 *
 * @example
 * const { ratio, intervals } = progressGap(table, { standard: 'objectnet', geographic: 'geode' })
 */
export function progressGap(
  table: AccuracyTable,
  { standard, geographic }: { standard: string | readonly string[]; geographic: string },
  options: RateOptions = {},
): ProgressGap {
  const names = [standard, geographic].flat()
  const { points, leftOut } = pointsOf(table, names, options)
  const models = points.map(point => point.model)
  const first = { ...progressRate(table, standard, { ...options, models }), leftOut }
  const second = { ...progressRate(table, geographic, { ...options, models }), leftOut }
  const gap = {
    standard: first,
    geographic: second,
    difference: null,
    ratio: null,
    byImprovements: null,
    intervals: { difference: null, ratio: null, reason: null },
  }
  if (first.slope === null || second.slope === null)
    return { ...gap, reason: first.reason ?? second.reason }
  const reference = spread(points.map(point => point.x))
  const isRising = second.slope > 0
  const intervals = gapIntervals(points, names, options)
  return {
    ...gap,
    difference: first.slope - second.slope,
    ratio: isRising ? first.slope / second.slope : null,
    byImprovements: (first.netImprovement! - second.netImprovement!) / reference,
    reason: isRising ? null : `no ratio: the rate on ${geographic} is not positive`,
    intervals: isRising ? intervals : { ...intervals, ratio: null },
  }
}

/** The series behind a gap on the scale of the axes, and the options of lines through them. */
export interface GapSeries {
  x: number[]
  /** The standard benchmark, or the mean of several. */
  above: number[]
  /** The geographic benchmark. */
  below: number[]
  /** Standard minus geographic. */
  apart: number[]
  fit: ReturnType<typeof rateFitOptions>
}

/** Returns the series behind a gap; the geographic benchmark is the last of `names`. */
export function gapSeries(
  points: readonly ProgressPoint[],
  names: readonly string[],
  options: RateOptions,
): GapSeries {
  const { axis } = options
  const above = points.map(({ y }) => mean(y.slice(0, -1).map(value => scale(axis, value))))
  const below = points.map(({ y }) => scale(axis, y.at(-1)!))
  return {
    x: referenceScale(points, options),
    above,
    below,
    apart: above.map((value, i) => value - below[i]!),
    fit: rateFitOptions(points, names, options),
  }
}

/** Intervals of a gap's difference and ratio; the geographic benchmark is the last of `names`. */
function gapIntervals(
  points: readonly ProgressPoint[],
  names: readonly string[],
  options: RateOptions,
): ProgressGap['intervals'] {
  const { x, above, below, apart, fit } = gapSeries(points, names, options)
  const difference = fitLine(x, apart, fit)
  if (difference.interval === null && difference.standardError === null)
    return { difference: null, ratio: null, reason: difference.reason }
  const { confidence = 0.95 } = options
  const ratio = slopeRatioInterval({ x, families: fit.families }, [above, below], confidence)
  return {
    difference: difference.interval,
    ratio: ratio.interval,
    reason: difference.reason ?? ratio.reason,
  }
}

/** Computes where a model stands among comparable ones of the same ImageNet accuracy. */
import { countText } from '../lib/table/text.ts'
import { tQuantile } from '../metrics/distributions.ts'
import { type Interval } from '../metrics/intervals.ts'
import { mean, sum } from '../metrics/numbers.ts'
import { fitLine } from '../metrics/regression.ts'

/** Accuracies of a model by benchmark and region, and its disparities; shares in 0 … 1. */
export interface ModelMeasures {
  model: string
  /** A head of 1,000 classes, or zero-shot. The two follow different lines and are not mixed. */
  kind: '1K' | 'zero-shot'
  values: ReadonlyMap<string, number>
}

/** Where a model stands on one measure. */
export interface MeasureStanding {
  measure: string
  /** Number of comparable models in the fit. */
  models: number
  reference: number
  value: number
  /** Share of the variance that the line of the comparable models explains. */
  r2: number | null
  /** Value of that line at the reference accuracy of this model. */
  expected: number | null
  /** `value` minus `expected`; for an accuracy this is the effective robustness (Taori et al. 2020). */
  residual: number | null
  /** 95 % prediction interval of the measure of one more comparable model. */
  interval: Interval | null
  /** Share of the comparable models whose own residual is smaller. */
  percentile: number | null
  /** Whether the reference accuracy lies outside those of the comparable models, so that the line is extended. */
  isExtrapolated: boolean
  verdict: 'above' | 'below' | 'as expected' | null
  reason: string | null
}

/** The models that one is compared with: published facts, or measured results. */
export interface StandingReference {
  title: string
  /** Benchmark of the x axis. */
  benchmark: string
  models: ModelMeasures[]
  /** Whether geogap measured the models; otherwise publishers state their accuracies. */
  isMeasured: boolean
  notes: string[]
}

/** Where one model stands on all its measures. */
export interface Standing {
  model: ModelMeasures
  against: StandingReference
  measureStandings: MeasureStanding[]
  /** Models and images that are left out of the run. */
  notes: string[]
}

/** Whether a measure is a difference of accuracies and not an accuracy. */
export const isDifferenceMeasure = (measure: string): boolean =>
  /: (disparity|Europe −)/.test(measure)

/** The smallest number of models that a line is fitted to. */
const minFitModels = 4

/**
 * Returns the standing of `own` among `others` on each of its measures other than `reference`. Models of another kind and the
 * model itself (by name) are left out of the fit.
 */
export function measureStandings(
  own: ModelMeasures,
  others: readonly ModelMeasures[],
  reference: string,
): MeasureStanding[] {
  const x = own.values.get(reference)
  if (x === undefined) return []
  const comparable = comparableModels(own, others)
  return [...own.values].flatMap(([measure, y]) => {
    if (measure === reference) return []
    const points = comparable.flatMap(({ values }) =>
      values.has(reference) && values.has(measure)
        ? [{ x: values.get(reference)!, y: values.get(measure)! }]
        : [],
    )
    return { measure, ...standingOnLine({ x, y }, points) }
  })
}

/** Returns the models of the same kind as `own`, without `own` (by name). */
export const comparableModels = (
  own: ModelMeasures,
  others: readonly ModelMeasures[],
): ModelMeasures[] => others.filter(({ model, kind }) => kind === own.kind && model !== own.model)

interface StandingPoint {
  x: number
  y: number
}

function standingOnLine(
  { x, y }: StandingPoint,
  points: readonly StandingPoint[],
): Omit<MeasureStanding, 'measure'> {
  const xs = points.map(point => point.x)
  const ys = points.map(point => point.y)
  const line = fitLine(xs, ys)
  const n = points.length
  const start = { models: n, reference: x, value: y }
  if (n < minFitModels || line.slope === null || line.intercept === null)
    return {
      ...start,
      r2: null,
      expected: null,
      residual: null,
      interval: null,
      percentile: null,
      isExtrapolated: false,
      verdict: null,
      reason:
        n < minFitModels
          ? `${countText(n, 'comparable model')}, at least ${minFitModels} are needed`
          : line.reason,
    }
  const at = (value: number): number => line.intercept! + line.slope! * value
  const middle = mean(xs)
  const spread = sum(xs.map(value => (value - middle) ** 2))
  const squares = sum(points.map(point => (point.y - at(point.x)) ** 2))
  const half =
    tQuantile(0.975, n - 2) *
    Math.sqrt((squares / (n - 2)) * (1 + 1 / n + (x - middle) ** 2 / spread))
  const residual = y - at(x)
  return {
    ...start,
    r2: line.r2,
    expected: at(x),
    residual,
    interval: [at(x) - half, at(x) + half],
    percentile: points.filter(point => point.y - at(point.x) < residual).length / n,
    isExtrapolated: x < Math.min(...xs) || x > Math.max(...xs),
    verdict: Math.abs(residual) <= half ? 'as expected' : residual > 0 ? 'above' : 'below',
    reason: null,
  }
}

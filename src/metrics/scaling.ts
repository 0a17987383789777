import { inputError } from '../lib/errors.ts'
import { meanInference } from './familyInference.ts'
import { checkConfidence, type Interval } from './intervals.ts'
import { standardDeviation, mean } from './numbers.ts'
import { type ModelLineOptions, modelFitOptions } from './progress.ts'
import { fitLine, knownPoints, type Line } from './regression.ts'

/** One model: its size (training images or parameters) and a value such as its disparity; null where unknown. */
export interface ScalingPoint {
  model: string
  size: number | null
  value: number | null
}

export interface ScalingTrend extends Line {
  /** `log`: x is log10 of the size, so the slope is the change per tenfold size. */
  axis: 'log' | 'linear'
  leftOut: { model: string; reason: string }[]
}

/** Options of the metrics of scale: what is known of the models beside their size. */
export type ScalingOptions = Omit<ModelLineOptions, 'images'>

/**
 * Returns the line of a value on the size of models, with an interval that takes families of models into account.
 * Errors: bad-size, not-a-number.
 *
 * @example
 * const { slope } = scalingTrend([{ model: 'resnet50', size: 25.6e6, value: 0.14 }, ...others])
 */
export function scalingTrend(
  points: readonly ScalingPoint[],
  axis: 'log' | 'linear' = 'log',
  { families, confidence }: ScalingOptions = {},
): ScalingTrend {
  const { known, leftOut } = sizedPoints(points)
  const x = known.map(point => (axis === 'log' ? Math.log10(point.x) : point.x))
  const y = known.map(point => point.y)
  const options = modelFitOptions(known, { families, confidence })
  return { ...fitLine(x, y, options), axis, leftOut }
}

export interface SizeGroup {
  /** Sizes from `low` (included) to `high` (not included). */
  low: number
  high: number
  n: number
  mean: number | null
  /** Standard deviation of the models' values. */
  deviation: number | null
  /** Standard error of the mean: the error bars of figures 3 and 10. */
  standardError: number | null
  /** t-interval of the mean, by families of models. */
  interval: Interval | null
  models: string[]
  reason: string | null
}

/**
 * Returns the means of groups of models by size, as figures 3 and 10 show them; `edges` are the rising bounds between the groups.
 * Errors: bad-edges, bad-size, not-a-number.
 *
 * @example
 * const { groups } = sizeGroups(points, [10e6, 100e6])
 */
export function sizeGroups(
  points: readonly ScalingPoint[],
  edges: readonly number[],
  { families, confidence = 0.95 }: ScalingOptions = {},
): { groups: SizeGroup[]; leftOut: { model: string; reason: string }[] } {
  checkConfidence(confidence)
  if (edges.some((edge, i) => !(edge > (edges[i - 1] ?? 0)))) {
    throw inputError('bad-edges', `group bounds ${edges.join(', ')} do not rise from above 0`)
  }
  const { known, leftOut } = sizedPoints(points)
  const bounds = [0, ...edges, Infinity]
  const groups = bounds.slice(0, -1).map((low, i) => {
    const high = bounds[i + 1]!
    const members = known.filter(({ x }) => x >= low && x < high)
    return {
      low,
      high,
      models: members.map(({ model }) => model),
      ...meanWithErrors(members, { families, confidence }),
    }
  })
  return { groups, leftOut }
}

function meanWithErrors(
  members: readonly { model: string; x: number; y: number }[],
  options: ScalingOptions & { confidence: number },
): Omit<SizeGroup, 'low' | 'high' | 'models'> {
  const n = members.length
  const values = members.map(({ y }) => y)
  const none = { n, mean: null, deviation: null, standardError: null, interval: null }
  if (n === 0) return { ...none, reason: 'no models' }
  const center = mean(values)
  if (n === 1) return { ...none, mean: center, reason: 'one model: no error bar' }
  const { families } = modelFitOptions(members, options)
  const { interval, reason } = meanInference(values, families, options.confidence)
  const deviation = standardDeviation(values)
  return { n, mean: center, deviation, standardError: deviation / Math.sqrt(n), interval, reason }
}

function sizedPoints(points: readonly ScalingPoint[]) {
  const found = knownPoints(
    points.map(({ model, size, value }) => ({ model, x: size, y: value })),
    ['size', 'value'],
    ['no size known', 'no value'],
  )
  for (const { model, x } of found.known)
    if (!(x > 0)) throw inputError('bad-size', `size of ${model} is ${x}`)
  return found
}

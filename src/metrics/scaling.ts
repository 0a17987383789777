import { inputError } from '../lib/errors.ts'
import { checkConfidence, type Interval } from './intervals.ts'
import { standardDeviation, mean, meanInterval } from './numbers.ts'
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

/** Line of a value on the size of models. Errors: bad-size, not-a-number. */
export function scalingTrend(
  points: readonly ScalingPoint[],
  axis: 'log' | 'linear' = 'log',
  confidence = 0.95,
): ScalingTrend {
  const { known, leftOut } = sizedPoints(points)
  const x = known.map(point => (axis === 'log' ? Math.log10(point.x) : point.x))
  const y = known.map(point => point.y)
  return { ...fitLine(x, y, confidence), axis, leftOut }
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
  /** t-interval of the mean. */
  interval: Interval | null
  models: string[]
  reason: string | null
}

/**
 * Means of groups of models by size, as figures 3 and 10 show them; `edges` are the rising bounds between the groups.
 * Errors: bad-edges, bad-size, not-a-number.
 */
export function sizeGroups(
  points: readonly ScalingPoint[],
  edges: readonly number[],
  confidence = 0.95,
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
    const values = members.map(({ y }) => y)
    return {
      low,
      high,
      models: members.map(({ model }) => model),
      ...meanWithErrors(values, confidence),
    }
  })
  return { groups, leftOut }
}

function meanWithErrors(
  values: readonly number[],
  confidence: number,
): Omit<SizeGroup, 'low' | 'high' | 'models'> {
  const n = values.length
  const none = { n, mean: null, deviation: null, standardError: null, interval: null }
  if (n === 0) return { ...none, reason: 'no models' }
  const center = mean(values)
  if (n === 1) return { ...none, mean: center, reason: 'one model: no error bar' }
  const spread = standardDeviation(values)
  const errors = {
    standardError: spread / Math.sqrt(n),
    interval: meanInterval(values, confidence),
  }
  return { n, mean: center, deviation: spread, ...errors, reason: null }
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

import { inputError } from '../lib/errors.ts'
import { type Interval, shareInterval } from './intervals.ts'

/** Sums over the images of one cell. */
export interface WeightSums {
  /** Sum of the weights. */
  weight: number
  /** Sum of the squared weights. */
  squares: number
  /** Sum of the weights of correct images. */
  hits: number
}

export interface WeightedAccuracy {
  value: number | null
  /** Kish's effective number of images: as uncertain as this many images of equal weight. */
  effectiveN: number
  /** Interval with the effective number (`shareInterval`). */
  interval: Interval | null
  reason: string | null
}

/** Accuracy with sample weights. Errors: bad-weights. */
export function weightedAccuracy(
  { weight, squares, hits }: WeightSums,
  confidence = 0.95,
): WeightedAccuracy {
  const near = 1 + 1e-9
  if (!(
    hits >= 0 &&
    hits <= weight * near &&
    weight < Infinity &&
    squares >= 0 &&
    squares <= weight * weight * near
  )) {
    throw inputError(
      'bad-weights',
      `impossible weights: sum ${weight}, squares ${squares}, correct ${hits}`,
    )
  }
  if (weight === 0)
    return { value: null, effectiveN: 0, interval: null, reason: 'no images with a weight' }
  const value = Math.min(1, hits / weight)
  const effectiveN = (weight * weight) / squares
  return {
    value,
    effectiveN,
    interval: shareInterval(value * effectiveN, effectiveN, confidence),
    reason: null,
  }
}

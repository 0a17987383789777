import { inputError } from '../lib/errors.ts'
import { normalQuantile, rootBetween } from './distributions.ts'

export interface DetectionPowerOptions {
  /** Images of the group that one compares with. Default: so many that its accuracy is known. */
  otherN?: number
  /** Two-sided level of the test. Default 0.05. */
  alpha?: number
  /** Chance to find a difference that is there. Default 0.8. */
  power?: number
}

/**
 * Returns the smallest drop from accuracy `baseline` that a group of `n` images would show. Normal approximation with both variances. Null where even an
 * accuracy of 0 would not be found. Errors: bad-accuracy, bad-counts.
 */
export function minimumDetectableDifference(
  baseline: number,
  n: number,
  options: DetectionPowerOptions = {},
): { value: number | null; reason: string | null } {
  const { otherN = Infinity } = options
  checkInputs(baseline, [n, otherN], options)
  if (n === 0 || otherN === 0) return { value: null, reason: 'no images' }
  const excess = (drop: number): number =>
    drop - detectableDrop(baseline, drop, { ...options, n, otherN })
  if (excess(baseline) < 0)
    return { value: null, reason: `${n} images cannot show a drop from ${baseline} to 0` }
  return { value: rootBetween(excess, 0, baseline), reason: null }
}

/** Returns the images that a group needs so that a drop of `difference` from `baseline` is found. */
export function imagesNeeded(
  baseline: number,
  difference: number,
  options: DetectionPowerOptions = {},
): { value: number | null; reason: string | null } {
  const { otherN = Infinity } = options
  checkInputs(baseline, [otherN], options)
  if (!(difference > 0 && difference <= baseline)) {
    throw inputError(
      'bad-difference',
      `difference ${difference} is not between 0 and the accuracy ${baseline}`,
    )
  }
  const z = quantileSum(options)
  const share = baseline - difference
  const left = (difference / z) ** 2 - (baseline * (1 - baseline)) / otherN
  if (left <= 0)
    return { value: null, reason: `the other group's ${otherN} images are too few for any size` }
  return { value: Math.max(1, Math.ceil((share * (1 - share)) / left - 1e-9)), reason: null }
}

function detectableDrop(
  baseline: number,
  drop: number,
  { n, otherN, ...options }: DetectionPowerOptions & { n: number; otherN: number },
): number {
  const share = baseline - drop
  return (
    quantileSum(options) *
    Math.sqrt((share * (1 - share)) / n + (baseline * (1 - baseline)) / otherN)
  )
}

const quantileSum = ({ alpha = 0.05, power = 0.8 }: DetectionPowerOptions): number =>
  normalQuantile(1 - alpha / 2) + normalQuantile(power)

function checkInputs(
  baseline: number,
  sizes: readonly number[],
  { alpha = 0.05, power = 0.8 }: DetectionPowerOptions,
): void {
  if (!(baseline > 0 && baseline <= 1))
    throw inputError('bad-accuracy', `accuracy ${baseline} is not in 0 … 1`)
  for (const n of sizes) if (!(n >= 0)) throw inputError('bad-counts', `${n} images`)
  if (!(alpha > 0 && alpha < 1 && power > 0 && power < 1)) {
    throw inputError('bad-confidence', `level ${alpha} and power ${power} must lie between 0 and 1`)
  }
}

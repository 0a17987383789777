import { inputError } from '../lib/errors.ts'

export interface CalibrationBin {
  /** Confidences in (low, high]; the first bin includes 0. */
  low: number
  high: number
  n: number
  confidence: number
  accuracy: number
}

/** How well confidences match accuracies, over bins of confidence. */
export interface Calibration {
  n: number
  /** Expected calibration error: mean of |accuracy - confidence| over the bins, weighted by their images. */
  ece: number | null
  /** The largest |accuracy - confidence| of a bin. */
  mce: number | null
  /** Mean confidence minus accuracy: positive where the model is too sure. */
  overconfidence: number | null
  bins: CalibrationBin[]
  reason: string | null
}

/**
 * Calibration error of first-class probabilities over bins of equal width (Guo et al. 2017). Errors: bad-confidence,
 * unequal-lengths, bad-bins.
 */
export function calibration(
  confidences: ArrayLike<number>,
  correct: ArrayLike<number | boolean>,
  bins = 15,
): Calibration {
  const n = confidences.length
  if (correct.length !== n)
    throw inputError('unequal-lengths', `${n} confidences but ${correct.length} outcomes`)
  if (!(Number.isSafeInteger(bins) && bins > 0)) throw inputError('bad-bins', `${bins} bins`)
  const sums = Array.from({ length: bins }, () => ({ n: 0, confidence: 0, hits: 0 }))
  for (let i = 0; i < n; i++) {
    const confidence = confidences[i]!
    if (!(confidence >= 0 && confidence <= 1)) {
      throw inputError('bad-confidence', `confidence ${i + 1} is ${confidence}, not in 0 … 1`)
    }
    const bin = sums[Math.max(0, Math.ceil(confidence * bins) - 1)]!
    bin.n++
    bin.confidence += confidence
    bin.hits += Number(correct[i])
  }
  if (n === 0)
    return { n, ece: null, mce: null, overconfidence: null, bins: [], reason: 'no images' }
  const filled = sums
    .map(({ n, confidence, hits }, i): CalibrationBin => {
      return {
        low: i / bins,
        high: (i + 1) / bins,
        n,
        confidence: confidence / n,
        accuracy: hits / n,
      }
    })
    .filter(bin => bin.n > 0)
  const gap = (bin: CalibrationBin): number => bin.confidence - bin.accuracy
  const weighted = (of: (bin: CalibrationBin) => number): number =>
    filled.reduce((sum, bin) => sum + (bin.n / n) * of(bin), 0)
  return {
    n,
    ece: weighted(bin => Math.abs(gap(bin))),
    mce: Math.max(...filled.map(bin => Math.abs(gap(bin)))),
    overconfidence: weighted(gap),
    bins: filled,
    reason: null,
  }
}

import { type Choices } from '../datasets/dataset.ts'
import { sum } from '../metrics/numbers.ts'

/** One model's answers for some samples, column by column. Unused top-5 entries are -1. */
export interface Predictions {
  model: string
  /** `ok`, or the code of the image's error. */
  status: string[]
  /** Class indices, [items × 5], most probable first. */
  top5: Int32Array
  /** Of the classes of `top5`; NaN where it is not known. */
  probabilities: Float32Array
  /** Position of the first accepted class, from 1; 0 without a prediction or an accepted class. */
  rank: Int32Array
  /** Probability of the accepted classes together; NaN where it is not known. */
  targetProbability: Float32Array
  /** The kept output, float32 [items × width]; rows without a prediction are zero. */
  kept?: Float32Array | undefined
}

export const topCount = 5

/** Returns predictions that are to be filled in: every status is `ok`, and there is no class yet. */
export function emptyPredictions(model: string, items: number): Predictions {
  return {
    model,
    status: new Array<string>(items).fill('ok'),
    top5: new Int32Array(items * topCount).fill(-1),
    probabilities: new Float32Array(items * topCount).fill(NaN),
    rank: new Int32Array(items),
    targetProbability: new Float32Array(items).fill(NaN),
  }
}

/** Returns the predictions for the first `items` samples. */
export function firstPredictions(
  { model, status, top5, probabilities, rank, targetProbability, kept }: Predictions,
  items: number,
): Predictions {
  return {
    model,
    status: status.slice(0, items),
    top5: top5.slice(0, items * topCount),
    probabilities: probabilities.slice(0, items * topCount),
    rank: rank.slice(0, items),
    targetProbability: targetProbability.slice(0, items),
    kept: kept?.slice(0, (items * kept.length) / rank.length),
  }
}

/** Returns the predictions of one model for the samples of `a`, then those of `b`. */
export function joinPredictions(a: Predictions, b: Predictions): Predictions {
  return {
    model: a.model,
    status: [...a.status, ...b.status],
    top5: Int32Array.from([...a.top5, ...b.top5]),
    probabilities: Float32Array.from([...a.probabilities, ...b.probabilities]),
    rank: Int32Array.from([...a.rank, ...b.rank]),
    targetProbability: Float32Array.from([...a.targetProbability, ...b.targetProbability]),
    kept: joinKeptRows(a, b),
  }
}

/** Predictions without any image that could be read have no kept rows; zeros stand for them. */
function joinKeptRows(a: Predictions, b: Predictions): Float32Array | undefined {
  const known = a.kept ? a : b
  if (!known.kept) return undefined
  const width = known.kept.length / known.rank.length
  const both = new Float32Array((a.rank.length + b.rank.length) * width)
  if (a.kept) both.set(a.kept)
  if (b.kept) both.set(b.kept, a.rank.length * width)
  return both
}

/** One image's logits [classes], the classes that are right for it, and the classes to choose among. */
export interface ScoredLogits {
  logits: Float32Array
  labels: readonly number[]
  choices: Choices
  /** Whether the factor of the logits is not known, so that they give ranks and no probabilities; false by default. */
  isUnscaled?: boolean
}

/**
 * Ranks one image's logits among the choices and writes row `at` of `predictions`. Equal logits are ordered by class
 * index. The row's status is `not-a-number` if a logit is not a number or the largest one is not finite.
 */
export function scoreRow(
  predictions: Predictions,
  at: number,
  { logits, labels, choices, isUnscaled = false }: ScoredLogits,
): void {
  const candidates = choices === 'all' ? allClasses(logits.length) : choices
  let largest = -Infinity
  for (const index of candidates) largest = Math.max(largest, logits[index]!)
  if (!Number.isFinite(largest)) {
    predictions.status[at] = 'not-a-number'
    return
  }
  let total = isUnscaled ? NaN : 0
  for (const index of candidates) total += Math.exp(logits[index]! - largest)
  const probabilityOf = (index: number): number => Math.exp(logits[index]! - largest) / total
  for (const [k, index] of topClasses(logits, candidates).entries()) {
    predictions.top5[at * topCount + k] = index
    predictions.probabilities[at * topCount + k] = probabilityOf(index)
  }
  const accepted = labels.filter(
    index => index < logits.length && (choices === 'all' || choices.includes(index)),
  )
  predictions.targetProbability[at] = Math.min(1, sum(accepted.map(probabilityOf)))
  predictions.rank[at] = rankOf(logits, accepted, candidates)
}

let classIndices: readonly number[] = []

function allClasses(count: number): readonly number[] {
  if (classIndices.length !== count) classIndices = Array.from({ length: count }, (_, i) => i)
  return classIndices
}

/** Returns the classes of the `topCount` largest logits, in order. */
function topClasses(logits: Float32Array, candidates: readonly number[]): number[] {
  const best: number[] = []
  for (const index of candidates) {
    const logit = logits[index]!
    if (best.length === topCount && logit <= logits[best[topCount - 1]!]!) continue
    const place = best.findIndex(other => logits[other]! < logit)
    best.splice(place === -1 ? best.length : place, 0, index)
    best.length = Math.min(best.length, topCount)
  }
  return best
}

/** Returns the position of the best accepted class among the candidates, from 1; 0 if no class is accepted. */
function rankOf(
  logits: Float32Array,
  accepted: readonly number[],
  candidates: readonly number[],
): number {
  const [best] = accepted.toSorted((a, b) => logits[b]! - logits[a]! || a - b)
  if (best === undefined) return 0
  const reference = logits[best]!
  let rank = 1
  for (const index of candidates) {
    const logit = logits[index]!
    if (logit > reference || (logit === reference && index < best)) rank += 1
  }
  return rank
}

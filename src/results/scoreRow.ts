import { type Choices } from '../datasets/dataset.ts'
import { sum } from '../metrics/numbers.ts'
import { type Predictions, topCount } from './predictions.ts'

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

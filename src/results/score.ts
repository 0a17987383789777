import { type Choices } from '../datasets/dataset.ts'
import { type Predictions } from './predictions.ts'

export const topCount = 5

export function emptyPredictions(model: string, items: number): Predictions {
  return {
    model,
    status: new Array<string>(items).fill('ok'),
    top5: new Int32Array(items * topCount).fill(-1),
    probabilities: new Float32Array(items * topCount),
    rank: new Int32Array(items),
  }
}

/** The outcomes of the first `items` items. */
export function firstPredictions(outcomes: Predictions, items: number): Predictions {
  const { model, status, top5, probabilities, rank, kept } = outcomes
  return {
    model,
    status: status.slice(0, items),
    top5: top5.slice(0, items * topCount),
    probabilities: probabilities.slice(0, items * topCount),
    rank: rank.slice(0, items),
    ...(kept && { kept: kept.slice(0, (items * kept.length) / rank.length) }),
  }
}

/**
 * Ranks one image's logits [classes] among the choices and writes row `at` of `outcomes`. Equal logits are ordered by
 * class index. Where a logit is not a number or the largest is not finite, the row is `not-a-number`.
 */
export function scoreRow(
  outcomes: Predictions,
  at: number,
  logits: Float32Array,
  labels: readonly number[],
  choices: Choices,
): void {
  const candidates = choices === 'all' ? undefined : choices
  const count = candidates?.length ?? logits.length
  const classAt = (i: number): number => candidates?.[i] ?? i
  let largest = -Infinity
  for (let i = 0; i < count; i++) largest = Math.max(largest, logits[classAt(i)]!)
  if (!Number.isFinite(largest)) {
    outcomes.status[at] = 'not-a-number'
    return
  }
  let total = 0
  for (let i = 0; i < count; i++) total += Math.exp(logits[classAt(i)]! - largest)
  const best = topClasses(logits, count, classAt)
  for (const [k, index] of best.entries()) {
    outcomes.top5[at * topCount + k] = index
    outcomes.probabilities[at * topCount + k] = Math.exp(logits[index]! - largest) / total
  }
  outcomes.rank[at] = rankOf(logits, labels, count, classAt)
}

/** The classes of the `topCount` largest logits, in order. */
function topClasses(logits: Float32Array, count: number, classAt: (i: number) => number): number[] {
  const best: number[] = []
  for (let i = 0; i < count; i++) {
    const index = classAt(i)
    const logit = logits[index]!
    if (best.length === topCount && logit <= logits[best[topCount - 1]!]!) continue
    const place = best.findIndex(other => logits[other]! < logit)
    best.splice(place === -1 ? best.length : place, 0, index)
    best.length = Math.min(best.length, topCount)
  }
  return best
}

function rankOf(
  logits: Float32Array,
  labels: readonly number[],
  count: number,
  classAt: (i: number) => number,
): number {
  let accepted = -1
  for (let i = 0; i < count; i++) {
    const index = classAt(i)
    if (labels.includes(index) && (accepted === -1 || logits[index]! > logits[accepted]!))
      accepted = index
  }
  if (accepted === -1) return 0
  const reference = logits[accepted]!
  let rank = 1
  for (let i = 0; i < count; i++) {
    const index = classAt(i)
    const logit = logits[index]!
    if (logit > reference || (logit === reference && index < accepted)) rank += 1
  }
  return rank
}

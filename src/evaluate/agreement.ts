/*
 * Compares stored rows with those of a re-run. Other processors and versions move logits a little. A logit that moves by t moves
 * the logarithm of a probability by at most 2t, so logits have moved by at least half of the difference of two logarithms.
 */
import { type KeptOutput } from '../results/schema.ts'

/** The columns of a stored row that are compared. */
export interface ShardRow {
  id: string
  label: string
  labels: readonly number[]
  top5: readonly number[]
  probabilities: readonly number[]
  rank: number | null
  /** Null in rows of versions that did not store it. */
  target_probability: number | null
  correct1: boolean | null
  correct5: boolean | null
  status: string
}

export interface RowAgreement {
  /** Least movement of logits that explains the difference. */
  difference: number
  /** Whether the first class is another one of about the same score. */
  tie: boolean
  /** The difference that a movement within the tolerance does not explain. */
  fault?: string
}

/** Compares a stored row with the one of a re-run. */
export function compareRows(
  stored: ShardRow,
  again: ShardRow | undefined,
  tolerance: number,
): RowAgreement {
  const not = (fault: string, difference = 0): RowAgreement => ({ difference, tie: false, fault })
  if (!again) return not('no such image')
  if (stored.label !== again.label || stored.labels.join() !== again.labels.join())
    return not('label')
  if (stored.status !== again.status) return not(`${stored.status}, now ${again.status}`)
  if (!isConsistent(stored)) return not('rank or correctness against its own classes')
  if (stored.top5.length !== again.top5.length) return not('number of classes')
  const moved = [
    scoreMovement(stored, again),
    scoreMovement(again, stored),
    targetMovement(stored, again),
  ]
  const difference = Math.max(...moved) / 2
  const first = stored.top5[0] === again.top5[0]
  if (difference > tolerance) return not(first ? 'scores' : 'top-1', difference)
  return { difference, tie: !first }
}

/** Returns whether rank and correctness follow from the row's own first classes. */
function isConsistent({ labels, top5, rank, correct1, correct5, status }: ShardRow): boolean {
  if (status !== 'ok') return rank === null && correct1 === null && correct5 === null
  const place = top5.findIndex(at => labels.includes(at)) + 1
  const ranked = place > 0 ? rank === place : rank === null || rank > top5.length
  return ranked && correct1 === (place === 1) && correct5 === place > 0
}

/** Returns the logarithm of a probability; probabilities near the smallest float32 count as 1e-30. */
const logProbability = (probability: number): number => Math.log(Math.max(probability, 1e-30))

/**
 * Returns the largest movement by rank and by class; a class that `b` lacks scores below all classes of `b`. Without probabilities it
 * is 0 for equal classes and infinite for others.
 */
function scoreMovement(a: ShardRow, b: ShardRow): number {
  if (a.probabilities.length < a.top5.length || b.probabilities.length < b.top5.length)
    return a.top5.join() === b.top5.join() ? 0 : Infinity
  const mine = a.probabilities.map(logProbability)
  const others = b.probabilities.map(logProbability)
  const moves = a.top5.map((at, k) => {
    const place = b.top5.indexOf(at)
    const own =
      place < 0 ? Math.max(0, mine[k]! - others.at(-1)!) : Math.abs(mine[k]! - others[place]!)
    return Math.max(own, Math.abs(mine[k]! - others[k]!))
  })
  return Math.max(0, ...moves)
}

/** Returns the movement of the accepted classes' probability; 0 if one of the rows does not have it. */
const targetMovement = (a: ShardRow, b: ShardRow): number =>
  a.target_probability === null || b.target_probability === null
    ? 0
    : Math.abs(logProbability(a.target_probability) - logProbability(b.target_probability))

/** Steps of a float16 by which packing may move a logit. */
const packingSteps = 8

/** Returns the largest difference of two kept rows: of logits beyond their rounding, of features in standard deviations. */
export function keptDifference(
  output: KeptOutput,
  stored: Float32Array,
  again: Float32Array,
): number {
  if (stored.length !== again.length) return Infinity
  let largest = 0
  for (const [i, value] of stored.entries()) {
    const moved = Math.abs(value - again[i]!)
    if (Number.isNaN(moved)) largest = Object.is(value, again[i]) ? largest : Infinity
    else if (output === 'features') largest = Math.max(largest, moved)
    else largest = Math.max(largest, (moved - packingSteps * float16Spacing(value)) / 2)
  }
  return output === 'features' ? largest / featureDeviation(stored) : largest
}

/** Returns the distance of neighbouring float16 numbers at `value`. */
const float16Spacing = (value: number): number =>
  2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10)

function featureDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1
}

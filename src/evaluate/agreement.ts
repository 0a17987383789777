/*
 * Whether a stored row is what a re-run gives. Other processors and versions move logits by little; a logit that moves by t moves the
 * logarithm of a probability by 2t at most, so half of that difference is what logits have moved by at least.
 */
import { type KeptOutput } from '../results/schema.ts'

/** A row of a shard, as far as it is compared. */
export interface ShardRow {
  id: string
  label: string
  labels: readonly number[]
  top5: readonly number[]
  probabilities: readonly number[]
  rank: number | null
  correct1: boolean | null
  correct5: boolean | null
  status: string
}

export interface RowAgreement {
  /** Least movement of logits that explains the difference. */
  difference: number
  /** The first class is another one, of about the same score. */
  tie: boolean
  /** What is not explained by a movement within the tolerance. */
  fault?: string
}

/** Compares the stored row with the other one. Pure. */
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
  const difference = Math.max(scoreMovement(stored, again), scoreMovement(again, stored)) / 2
  const first = stored.top5[0] === again.top5[0]
  if (difference > tolerance) return not(first ? 'scores' : 'top-1', difference)
  return { difference, tie: !first }
}

/** Rank and correctness have to follow from the row's own first classes. */
function isConsistent({ labels, top5, rank, correct1, correct5, status }: ShardRow): boolean {
  if (status !== 'ok') return rank === null && correct1 === null && correct5 === null
  const place = top5.findIndex(at => labels.includes(at)) + 1
  const ranked = place > 0 ? rank === place : rank === null || rank > top5.length
  return ranked && correct1 === (place === 1) && correct5 === place > 0
}

/** Logarithm; what a float32 hardly holds counts as its smallest. */
const logProbability = (probability: number): number => Math.log(Math.max(probability, 1e-30))

/** Rank by rank, and class by class: one that the other row lacks is below all that it has. */
function scoreMovement(a: ShardRow, b: ShardRow): number {
  const [mine, others] = [a.probabilities.map(logProbability), b.probabilities.map(logProbability)]
  const moves = a.top5.map((at, k) => {
    const place = b.top5.indexOf(at)
    const own =
      place < 0 ? Math.max(0, mine[k]! - others.at(-1)!) : Math.abs(mine[k]! - others[place]!)
    return Math.max(own, Math.abs(mine[k]! - others[k]!))
  })
  return Math.max(0, ...moves)
}

/** Steps of a float16 by which packing may move a logit. */
const packingSteps = 8

/** The same for kept outputs: logits, which are relative to a median, beyond their rounding; features in standard deviations. */
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

/** Distance of neighbouring float16 numbers at `value`. */
const float16Spacing = (value: number): number =>
  2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10)

function featureDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1
}

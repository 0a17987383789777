import { inputError } from '../lib/errors.ts'
import { type Interval, shareInterval } from './intervals.ts'
import { mean } from './numbers.ts'

/** Counts of one class. */
export interface ClassCounts {
  class: string
  /** Images of the class with a prediction. */
  n: number
  /** Of these, images whose first prediction the class accepts. */
  hits: number
  /** Images of any class whose first prediction counts as this class. */
  predicted: number
}

export interface ClassScores extends ClassCounts {
  recall: number | null
  /** Interval of the recall (`shareInterval`). */
  interval: Interval | null
  precision: number | null
  f1: number | null
  /** Why a value is null. */
  reason: string | null
}

/** Recall, precision and F1 of each class, in the order given. Errors: bad-counts, duplicate-class. */
export function classScores(classes: readonly ClassCounts[], confidence = 0.95): ClassScores[] {
  const seen = new Set<string>()
  return classes.map(counts => {
    const { class: name, n, hits, predicted } = counts
    if (!(
      n >= 0 &&
      hits >= 0 &&
      hits <= Math.min(n, predicted) &&
      n < Infinity &&
      predicted < Infinity
    )) {
      throw inputError(
        'bad-counts',
        `impossible counts of ${name}: n ${n}, hits ${hits}, predicted ${predicted}`,
      )
    }
    if (seen.has(name)) throw inputError('duplicate-class', `duplicate class: ${name}`)
    seen.add(name)
    const reasons = [n === 0 ? 'no images' : '', predicted === 0 ? 'never predicted' : ''].filter(
      Boolean,
    )
    return {
      ...counts,
      recall: n === 0 ? null : hits / n,
      interval: shareInterval(hits, n, confidence),
      precision: predicted === 0 ? null : hits / predicted,
      f1: n + predicted === 0 ? null : (2 * hits) / (n + predicted),
      reason: reasons.length === 0 ? null : reasons.join(', '),
    }
  })
}

/** Plain means over the classes that have images. */
export function macroScores(scores: readonly ClassScores[]): {
  recall: number | null
  f1: number | null
  classes: number
  reason: string | null
} {
  const present = scores.filter(score => score.n > 0)
  if (present.length === 0)
    return { recall: null, f1: null, classes: 0, reason: 'no class has images' }
  const [recall, f1] = [
    mean(present.map(score => score.recall!)),
    mean(present.map(score => score.f1!)),
  ]
  return { recall, f1, classes: present.length, reason: null }
}

/**
 * Class counts from each image's true and predicted class; null marks a prediction that is none of the classes. Failed images
 * are left out by the caller.
 */
export function classCounts(
  truth: readonly string[],
  predicted: readonly (string | null)[],
): ClassCounts[] {
  if (truth.length !== predicted.length) {
    throw inputError(
      'unequal-lengths',
      `${truth.length} images but ${predicted.length} predictions`,
    )
  }
  const counts = new Map<string, ClassCounts>()
  const at = (name: string): ClassCounts => {
    const found = counts.get(name) ?? { class: name, n: 0, hits: 0, predicted: 0 }
    counts.set(name, found)
    return found
  }
  for (const [i, name] of truth.entries()) {
    at(name).n++
    const guess = predicted[i] ?? null
    if (guess === null) continue
    at(guess).predicted++
    if (guess === name) at(name).hits++
  }
  return [...counts.values()].sort((a, b) => (a.class < b.class ? -1 : 1))
}

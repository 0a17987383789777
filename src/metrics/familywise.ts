import { binomialCdf } from './distributions.ts'

/** One test of a family of exact tests, whose p-values take few values. */
export interface ExactTest {
  p: number
  /** The largest p-value of at most `t` that the test can give; 0 where it can give none. */
  attainable: (t: number) => number
}

/**
 * Which tests of a family reject so that the chance of any false rejection is at most `alpha`: Holm's steps, but every test
 * counts with the chance that it could reach the p-value at hand (Westfall and Wolfinger 1997, The American
 * Statistician 51). A group where two images flipped can show nothing, and so does not make it harder for the others.
 */
export function rejectFamilywise(family: readonly ExactTest[], alpha = 0.05): boolean[] {
  const rejected = family.map(() => false)
  let open = family.map((_, i) => i)
  for (;;) {
    const reach = (t: number): number => open.reduce((sum, i) => sum + family[i]!.attainable(t), 0)
    const values = open.map(i => family[i]!.p).filter(p => p <= alpha)
    const steps = Float64Array.from(new Set(values)).sort()
    // What tests can reach rises with the level, so that few of the p-values need to be tried.
    const last = largestWhere(steps.length - 1, k => reach(steps[k]!) <= alpha)
    if (last === -1) return rejected
    for (const i of open) rejected[i] = family[i]!.p <= steps[last]!
    open = open.filter(i => !rejected[i])
  }
}

/** Lower-tail exact test of `hits` among `n` with chance `share`. */
export const lowerTailTest = (hits: number, n: number, share: number): ExactTest =>
  countTest(hits, n, k => binomialCdf(k, n, share))

/**
 * Lower-tail exact test of a count whose chance of at most k is `atMost(k)`. Only counts up to `most` can reject, whatever their
 * p-value, and only they count for what the test can reach.
 */
export function countTest(hits: number, most: number, atMost: (k: number) => number): ExactTest {
  const attainable = (t: number): number =>
    atMost(largestWhere(most, k => atMost(k) <= t * (1 + 1e-9)))
  return { p: hits <= most ? atMost(hits) : 1, attainable }
}

/** The largest of 0 … `most` for which `holds`, which holds up to some number; -1 where it never does. */
export function largestWhere(most: number, holds: (k: number) => boolean): number {
  let [low, high] = [-1, most]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** One test of a family of exact tests. */
export interface ExactTest {
  p: number
  /** Smallest p-value that the test could have given with its number of informative images. */
  least: number
}

/**
 * Which tests of a family reject so that the chance of any false rejection is at most `alpha`: Holm's steps over the tests that
 * could reject at all (Tarone 1990, Biometrics 46). A group with two informative images cannot show anything, and
 * so does not make it harder for the others. `tests` is the number that alpha was shared among at the first step.
 */
export function familywise(family: readonly ExactTest[], alpha = 0.05): { rejected: boolean[]; tests: number } {
  const rejected = family.map(() => false)
  let open = family.map((_, i) => i)
  let tests = 0
  for (;;) {
    const share = taroneShare(
      open.map(i => family[i]!.least),
      alpha,
    )
    tests ||= share
    const found = open.filter(i => family[i]!.p <= alpha / share)
    if (found.length === 0 || open.length === 0) return { rejected, tests }
    for (const i of found) rejected[i] = true
    open = open.filter(i => !rejected[i])
  }
}

/** The least k such that at most k tests could reach alpha / k. */
function taroneShare(least: readonly number[], alpha: number): number {
  for (let k = 1; k < least.length; k++) if (least.filter(p => p <= alpha / k).length <= k) return k
  return Math.max(1, least.length)
}

import { inputError } from '../lib/errors.ts'
import { chiSquareUpper } from './distributions.ts'
import { type Interval, shareInterval } from './intervals.ts'
import { sum } from './numbers.ts'
import { checkDraws, hypergeometricSampler } from './samplers.ts'
import { randomFrom } from '../lib/random.ts'

/** Images of a group: all of them, and those that failed. */
export interface FailureCounts {
  group: string
  images: number
  failed: number
}

/** Failure rates by group, and a test of whether failures depend on the group. */
export interface FailureBias {
  images: number
  failed: number
  groups: {
    group: string
    images: number
    failed: number
    rate: number | null
    interval: Interval | null
  }[]
  /** Pearson's chi-square of failure against group; null where nothing or everything failed. */
  chiSquare: number | null
  /** Chance of such unequal failure rates if the group did not matter. */
  p: number | null
  /** How p was found: exact permutations where a group expects fewer than 5 failures or successes, else the chi-square law. */
  method: 'chi-square' | 'permutation' | null
  reason: string | null
}

/** Whether failures differ between groups by more than chance. A biased skip would fake or hide a gap. Errors: bad-counts. */
export function failureBias(
  groups: readonly FailureCounts[],
  options: { seed: number; draws?: number; confidence?: number },
): FailureBias {
  for (const { group, images, failed } of groups) {
    if (!(
      Number.isSafeInteger(images) &&
      Number.isSafeInteger(failed) &&
      failed >= 0 &&
      failed <= images
    )) {
      throw inputError(
        'bad-counts',
        `impossible counts of ${group}: ${failed} of ${images} images failed`,
      )
    }
  }
  const [images, failed] = [
    sum(groups.map(group => group.images)),
    sum(groups.map(group => group.failed)),
  ]
  const rows = groups.map(group => ({
    ...group,
    rate: group.images === 0 ? null : group.failed / group.images,
    interval: shareInterval(group.failed, group.images, options.confidence),
  }))
  const used = groups.filter(group => group.images > 0)
  const result = { images, failed, groups: rows, chiSquare: null, p: null, method: null }
  if (failed === 0) return { ...result, reason: 'no image failed' }
  if (failed === images) return { ...result, reason: 'every image failed' }
  if (used.length < 2) return { ...result, reason: 'only one group' }
  const sizes = used.map(group => group.images)
  const observed = chiSquareOf(
    sizes,
    used.map(group => group.failed),
    failed / images,
  )
  const rarer = Math.min(failed, images - failed) / images
  const exact = Math.min(...sizes) * rarer < 5
  const p = exact
    ? permutationP({ sizes, failed }, observed, options)
    : chiSquareUpper(observed, used.length - 1)
  return {
    ...result,
    chiSquare: observed,
    p,
    method: exact ? 'permutation' : 'chi-square',
    reason: null,
  }
}

const chiSquareOf = (sizes: readonly number[], failed: readonly number[], rate: number): number =>
  sum(sizes.map((n, i) => (failed[i]! - n * rate) ** 2 / (n * rate * (1 - rate))))

function permutationP(
  { sizes, failed }: { sizes: readonly number[]; failed: number },
  observed: number,
  { seed, draws = 10_000 }: { seed: number; draws?: number },
): number {
  checkDraws(draws)
  const images = sum(sizes)
  const draw = hypergeometricSampler(images, randomFrom(seed))
  let count = 1
  for (let i = 0; i < draws; i++) {
    let [left, bad] = [images, failed]
    const dealt = sizes.map(n => {
      const mine = draw(n, bad, left)
      left -= n
      bad -= mine
      return mine
    })
    if (chiSquareOf(sizes, dealt, failed / images) >= observed * (1 - 1e-12)) count++
  }
  return count / (draws + 1)
}

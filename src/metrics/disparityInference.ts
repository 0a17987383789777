import { inputError } from '../lib/errors.ts'
import { checkGroups, type GroupCounts } from './accuracy.ts'
import { clusterMoments, designEffect } from './designEffect.ts'
import { varianceRatio } from './valueMeans.ts'
import { defaultMinN, type Disparity, disparity, splitBySize } from './disparity.ts'
import { disparityInterval, disparityLowerEnd, type GroupShare } from './disparityInterval.ts'
import { checkConfidence, type Interval } from './intervals.ts'
import {
  type ClusterCounts,
  equalityNull,
  type PermutationOptions,
  rejectsEquality,
} from './permutationTest.ts'

/** Options of `inferDisparity`: the smallest group, the confidence and clusters. */
export interface DisparityInferenceOptions extends PermutationOptions {
  /** Groups with fewer images are left out and listed. Default 30. */
  minN?: number
  confidence?: number
  /** Counts per household, where images of one household are not independent. Must add up to the groups' counts. */
  clusters?: readonly ClusterCounts[] | null
}

/** A disparity with what noise alone would show, and what remains. Nulls where the disparity is null. */
export interface InferredDisparity extends Disparity {
  /** Mean disparity of these groups if accuracies were equal everywhere. */
  expected: number | null
  /** Chance of at least this disparity if accuracies were equal everywhere. */
  p: number | null
  /** Median-unbiased disparity; 0 where equality explains what is seen. */
  corrected: number | null
  /** Interval of the true disparity; its simulated coverage is in docs/developers/coverage.md. */
  interval: Interval | null
  /** What was dealt out in the permutations. */
  unit: 'images' | 'clusters'
  /** Correlation of images of one household; null without households. */
  clusterCorrelation: number | null
}

/**
 * Disparity of one model on one benchmark with permutation null, bias-corrected value and interval.
 * Errors: bad-counts, duplicate-group, bad-clusters, bad-draws, bad-seed, bad-confidence.
 */
export function inferDisparity(
  groups: readonly GroupCounts[],
  options: DisparityInferenceOptions,
): InferredDisparity {
  const { minN = defaultMinN, clusters, confidence = 0.95, ...permutation } = options
  checkGroups(groups)
  checkConfidence(confidence)
  const found = disparity(groups, minN)
  const unit = clusters ? ('clusters' as const) : ('images' as const)
  const empty = {
    expected: null,
    p: null,
    corrected: null,
    interval: null,
    unit,
    clusterCorrelation: null,
  }
  if (found.disparity === null) return { ...found, ...empty }
  const { kept, inside, effect, shares } = effectiveShares(groups, { minN, clusters })
  const { expected, p } = equalityNull(kept, permutation, inside)
  const inferred = { ...found, expected, p, unit, clusterCorrelation: effect?.correlation ?? null }
  if (effect?.reason) {
    return { ...inferred, corrected: null, interval: null, reason: effect.reason }
  }
  const range = disparityInterval(shares, { ...permutation, confidence, equalityP: p })
  return { ...inferred, ...range }
}

/**
 * Returns whether a disparity is shown to be beyond `limit`: whether the lower end of `inferDisparity`'s interval is, at a
 * confidence of 1 − `level`. At least two groups of `minN` images whose interval is known. Errors: as `inferDisparity`.
 */
export function exceedsDisparity(
  groups: readonly GroupCounts[],
  limit: number,
  options: Omit<DisparityInferenceOptions, 'confidence'> & { level: number },
): boolean {
  const { minN = defaultMinN, clusters, level, ...permutation } = options
  checkGroups(groups)
  const { kept, inside, shares } = effectiveShares(groups, { minN, clusters })
  return (
    rejectsEquality(kept, { ...permutation, level }, inside) &&
    disparityLowerEnd(shares, { ...permutation, confidence: 1 - level }) > limit
  )
}

/** The groups of enough images, their households, and their shares with the numbers of independent images. */
function effectiveShares(
  groups: readonly GroupCounts[],
  { minN, clusters }: { minN: number; clusters: readonly ClusterCounts[] | null | undefined },
) {
  const { kept } = splitBySize(groups, minN)
  const names = new Set(kept.map(counts => counts.group))
  const inside = clusters?.filter(cluster => names.has(cluster.group))
  if (inside) checkClusters(kept, inside)
  const effect = inside && designEffect(inside)
  const ratios = varianceRatios(inside ?? [])
  const shares = kept.map(({ group, n, top1 }): GroupShare => ({
    share: top1 / n,
    n: n / ((effect?.byGroup.get(group) ?? 1) * (ratios.get(group) ?? 1)),
  }))
  return { kept, inside, effect, shares }
}

/** Returns the variance of each group's values over that of a share, for groups of values that are not only 0 and 1. */
const varianceRatios = (clusters: readonly ClusterCounts[]): Map<string, number> =>
  new Map(
    clusterMoments(clusters).flatMap(({ group, n, top1: sum, squares }) =>
      squares === undefined ? [] : [[group, varianceRatio({ n, sum, squares })]],
    ),
  )

/** Rounding that sums of values between 0 and 1 may differ by. */
const tolerance = 1e-6

function checkClusters(groups: readonly GroupCounts[], clusters: readonly ClusterCounts[]): void {
  const byGroup = new Map(clusterMoments(clusters).map(sums => [sums.group, sums]))
  for (const { group, n, top1 } of groups) {
    const { n: images, top1: hits } = byGroup.get(group) ?? { n: 0, top1: 0 }
    if (images !== n || Math.abs(hits - top1) > tolerance) {
      throw inputError(
        'bad-clusters',
        `households of ${group} have ${hits} of ${images} images, the group ${top1} of ${n}`,
      )
    }
  }
}

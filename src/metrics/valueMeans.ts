/*
 * Means of values in 0 … 1 that are not only 0 and 1, such as reciprocal ranks. Their variance is less than that of a share of the
 * same size, so a mean is as uncertain as a share of more images: the interval of a share for that many images keeps within 0 … 1
 * and is the one of a share where all values are 0 or 1.
 */
import { smoothedShare } from './intervals.ts'
import { type ClusterMoments, type GroupClustering, groupClusterings } from './designEffect.ts'

/**
 * Returns the variance of values with this sum and this sum of squares over that of as many zeros and ones with the same mean. Half an
 * image each of 0 and 1 is added, so that equal values are not taken for certain.
 */
export function varianceRatio({
  n,
  sum,
  squares,
}: {
  n: number
  sum: number
  squares: number
}): number {
  const mean = smoothedShare(sum, n)
  const variance = smoothedShare(squares, n) - mean * mean
  return Math.min(1, variance / (mean * (1 - mean)))
}

/** Returns how clusters, and values between 0 and 1, bear on the variance of each group's mean, against that of a share. */
export function valueClusterings(groups: readonly ClusterMoments[]): Map<string, GroupClustering> {
  const found = groupClusterings(groups)
  for (const { group, n, top1: sum, squares = sum } of groups) {
    const { inflation, reason } = found.get(group)!
    found.set(group, { inflation: inflation * varianceRatio({ n, sum, squares }), reason })
  }
  return found
}

import { checkGroups, accuracyDifference, type GroupCounts } from './accuracy.ts'
import { type ClusterList, designEffect } from './designEffect.ts'
import { type Estimate, type Interval, newcombe, undefinedEstimate } from './intervals.ts'

/** Groups smaller than this are left out of a disparity and listed instead. */
export const defaultMinN = 30

/** The largest accuracy difference between groups, with the groups at both ends. */
export interface Disparity {
  /** Largest minus smallest accuracy (equation 3: the maximum over all pairs), share in 0 … 1. */
  disparity: number | null
  /** Worst divided by best accuracy, 0 … 1. */
  ratio: number | null
  best: string | null
  worst: string | null
  bestAccuracy: number | null
  worstAccuracy: number | null
  /** Number of groups compared. */
  groups: number
  /** Groups with fewer than `minN` predicted images. */
  leftOut: { group: string; n: number }[]
  /** Why a value is null. */
  reason: string | null
}

/**
 * Geographic disparity of one model on one benchmark: over groups of at least `minN` images, best minus worst accuracy
 * (section 3.2, equation 3). Ties go to the group that comes first; the worst is another than the best. Errors: bad-counts, duplicate-group.
 */
export function disparity(groups: readonly GroupCounts[], minN = defaultMinN): Disparity {
  const { kept, leftOut } = splitBySize(groups, minN)
  const empty = {
    disparity: null,
    ratio: null,
    best: null,
    worst: null,
    bestAccuracy: null,
    worstAccuracy: null,
  }
  if (kept.length < 2)
    return { ...empty, groups: kept.length, leftOut, reason: tooFew(kept.length, minN) }
  const share = (c: GroupCounts): number => c.top1 / c.n
  const best = kept.reduce((a, b) => (share(b) > share(a) ? b : a))
  const worst = kept.reduce((a, b) => (a === best || share(b) < share(a) ? b : a))
  const zero = share(best) === 0
  return {
    disparity: share(best) - share(worst),
    ratio: zero ? null : share(worst) / share(best),
    best: best.group,
    worst: worst.group,
    bestAccuracy: share(best),
    worstAccuracy: share(worst),
    groups: kept.length,
    leftOut,
    reason: zero ? 'no ratio: the best group has accuracy 0' : null,
  }
}

/** The groups with at least `minN` (and at least one) images, and the others. */
export function splitBySize(
  groups: readonly GroupCounts[],
  minN: number,
): { kept: GroupCounts[]; leftOut: { group: string; n: number }[] } {
  checkGroups(groups)
  const large = (c: GroupCounts): boolean => c.n >= Math.max(1, minN)
  return {
    kept: groups.filter(large),
    leftOut: groups.filter(c => !large(c)).map(({ group, n }) => ({ group, n })),
  }
}

const tooFew = (count: number, minN: number): string =>
  `${count === 0 ? 'no group' : 'only one group'} with at least ${minN} images`

/** Options of the difference between two groups. */
export interface PairDifferenceOptions {
  /** Default: Europe and Africa. */
  pair?: readonly [first: string, second: string]
  confidence?: number
  /** Counts by household, or their sums by group; null for independent images. */
  clusters?: ClusterList | null | undefined
}

/**
 * Returns the accuracy of the first minus that of the second group, by default Europe minus Africa as the paper's figures use it,
 * with Newcombe's interval; with households for the number of independent images that would vary as much. Null if a group is
 * absent or empty; without an interval, but with the reason, if the households of a group are too few.
 *
 * @example
 * const { value, interval } = pairDifference(groups, { pair: ['Americas', 'Asia'] })
 */
export function pairDifference(
  groups: readonly GroupCounts[],
  {
    pair: [a, b] = ['Europe', 'Africa'],
    confidence = 0.95,
    clusters = null,
  }: PairDifferenceOptions = {},
): Estimate {
  checkGroups(groups)
  const [first, second] = [a, b].map(name => groups.find(c => c.group === name))
  if (!first) return undefinedEstimate(`no group ${a}`)
  if (!second) return undefinedEstimate(`no group ${b}`)
  const { difference, interval } = accuracyDifference(first, second, confidence)
  if (!interval) return undefinedEstimate(`no images in ${first.n === 0 ? a : b}`)
  if (!clusters) return { value: difference, interval, reason: null }
  const clustered = clusteredInterval([first, second], clusters, confidence)
  return { value: difference, interval: clustered.interval, reason: clustered.reason }
}

/** An interval of the difference of two clustered groups. */
interface ClusteredInterval {
  /** Null where the clusters of a group are too few. */
  interval: Interval | null
  reason: string | null
  /** Factor by which clusters inflate the variance of each group. */
  inflation: [number, number]
}

/** Returns Newcombe's interval for the numbers of independent images that would vary as much as two clustered groups. */
export function clusteredInterval(
  pair: readonly [GroupCounts, GroupCounts],
  clusters: ClusterList,
  confidence: number,
): ClusteredInterval {
  const { reason, byGroup } = designEffect(
    clusters.filter(({ group }) => pair.some(counts => counts.group === group)),
  )
  const inflation = pair.map(({ group }) => byGroup.get(group) ?? 1) as [number, number]
  const [a, b] = pair.map(({ n, top1 }, i) => ({
    hits: top1 / inflation[i]!,
    n: n / inflation[i]!,
  }))
  const interval = reason === null ? newcombe(a!, b!, confidence) : null
  return { interval, reason, inflation }
}

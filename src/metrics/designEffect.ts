import { accuracy, type Accuracy, type Counts } from './accuracy.ts'
import { shareInterval } from './intervals.ts'
import { studentFactor } from './distributions.ts'
import { type ClusterCounts } from './permutationTest.ts'

/** How much clustering inflates the variance of each group's accuracy: 1 for independent images. */
export interface DesignEffect {
  /** Correlation of two images of one cluster, pooled within groups (one-way analysis of variance), at least 0. */
  correlation: number
  byGroup: ReadonlyMap<string, number>
  /** Why the variance cannot be estimated; null where it can. */
  reason: string | null
}

/** Weight of the pooled correlation against a group's own, as if it were known from so many clusters. */
const pooledFreedom = 8

/** Degrees of freedom that a cluster's worth of the rarer outcome tells: where all is right or nothing changed, nothing is known. */
const freedomPerRareCluster = 4

/** What is assumed before any data: one degree of freedom for this correlation. */
const assumed = { correlation: 0.3, freedom: 1 }

/**
 * Sums over the clusters of one group, which are all that a design effect depends on; `n` and `top1` are of a cluster. For a
 * change between two models `top1` stands for images gained minus images lost.
 */
export interface ClusterMoments {
  group: string
  /** Number of clusters with images. */
  clusters: number
  n: number
  top1: number
  /** Images whose value is not 0, where values are -1, 0 and 1. Default `top1`, for values 0 and 1. */
  squares?: number | undefined
  /** Sum of n². */
  sizeSquares: number
  /** Sum of top1². */
  hitSquares: number
  /** Sum of n · top1. */
  sizeHits: number
  /** Sum of top1² / n. */
  hitShares: number
}

/** Clusters one by one, or their sums by group. */
export type ClusterList = readonly (ClusterCounts | ClusterMoments)[]

/** Returns the sums over the clusters of each group. */
export function clusterMoments(clusters: readonly ClusterCounts[]): ClusterMoments[] {
  const groups = new Map<string, ClusterMoments>()
  for (const { group, n, top1, squares } of clusters) {
    if (n === 0) continue
    const sums = groups.get(group) ?? { ...noClusters, group }
    groups.set(group, sums)
    sums.clusters += 1
    sums.n += n
    sums.top1 += top1
    sums.sizeSquares += n * n
    sums.hitSquares += top1 * top1
    sums.sizeHits += n * top1
    sums.hitShares += (top1 * top1) / n
    if (squares !== undefined) sums.squares = (sums.squares ?? 0) + squares
  }
  return [...groups.values()]
}

const noClusters = {
  clusters: 0,
  n: 0,
  top1: 0,
  sizeSquares: 0,
  hitSquares: 0,
  sizeHits: 0,
  hitShares: 0,
}

const isMoments = (list: ClusterList): list is readonly ClusterMoments[] =>
  list.every(one => 'sizeSquares' in one)

/**
 * Returns the inflation of the variance of each group's accuracy (or change). Kish's design effect 1 + (m - 1) ρ, with m the mean
 * cluster size weighted by size and ρ pooled over the groups, is averaged with the group's own ratio of the variance between its
 * clusters to that of independent images, by their degrees of freedom: groups with many clusters are judged by their own. Rare
 * outcomes in few clusters tell little, and a correlation of .3 is assumed with the weight of one cluster. Few degrees of
 * freedom widen it as Student's t does (Korn and Graubard 1998).
 */
export function designEffect(clusters: ClusterList): DesignEffect {
  const groups = isMoments(clusters)
    ? clusters
    : clusterMoments(clusters as readonly ClusterCounts[])
  const pool = poolClusters(groups)
  const byGroup = new Map(groups.map(sums => [sums.group, inflationOf(sums, pool)]))
  const reason = groups.flatMap(sums => clusterShortage(sums) ?? [])[0] ?? null
  return { correlation: pool.correlation ?? 0, byGroup, reason }
}

/** What the clusters of all groups tell. */
interface ClusterPool {
  /** One-way analysis of variance, in 0 … 1; null where no cluster has two images or all images are alike. */
  correlation: number | null
  freedom: number
  /** Degrees of freedom that the rarer outcomes tell. */
  known: number
}

function poolClusters(groups: readonly ClusterMoments[]): ClusterPool {
  let between = 0
  let within = 0
  let images = 0
  let freedom = 0
  let size = 0
  let known = 0
  for (const sums of groups) {
    const { n, top1, squares = top1, clusters: count, sizeSquares, hitShares } = sums
    between += hitShares - (top1 * top1) / n
    within += squares - hitShares
    images += n - count
    freedom += count - 1
    size += n - sizeSquares / n
    known += knownFreedom(sums)
  }
  const [msb, msw, typical] = [between / freedom, within / images, size / freedom]
  const ratio = (msb - msw) / (msb + (typical - 1) * msw)
  const correlation = Number.isFinite(ratio) ? Math.min(1, Math.max(0, ratio)) : null
  return { correlation, freedom, known }
}

/** Number of clusters of equal size that would carry as much. */
const effectiveClusters = ({ n, sizeSquares }: Pick<ClusterMoments, 'n' | 'sizeSquares'>): number =>
  (n * n) / sizeSquares

/** Returns Kish's design effect, with the mean cluster size weighted by size. */
const kishEffect = (
  { n, sizeSquares }: Pick<ClusterMoments, 'n' | 'sizeSquares'>,
  correlation: number,
): number => 1 + (sizeSquares / n - 1) * correlation

const knownFreedom = ({ n, top1, squares = top1, sizeSquares }: ClusterMoments): number =>
  (freedomPerRareCluster * Math.min(squares, n - squares) * n) / sizeSquares

function inflationOf(own: ClusterMoments, pool: ClusterPool): number {
  const { n, clusters } = own
  const ownFreedom = effectiveClusters(own) - 1
  const isSplit = clusters < n && ownFreedom > 0
  const pooled = Math.min(pooledFreedom, pool.freedom)
  const weights = {
    pool: pool.correlation === null ? 0 : Math.min(pooled, pool.known),
    own: isSplit ? Math.min(ownFreedom, knownFreedom(own)) : 0,
  }
  const sum =
    weights.pool * kishEffect(own, pool.correlation ?? 0) +
    (weights.own > 0 ? weights.own * ownRatio(own) : 0) +
    assumed.freedom * kishEffect(own, assumed.correlation)
  const inflation = Math.max(1, sum / (weights.pool + weights.own + assumed.freedom))
  if (!isSplit) return inflation
  const freedom = Math.max(1, Math.min(pool.freedom, pooled + ownFreedom))
  return inflation * studentFactor(freedom)
}

/** Returns the variance of a group's share by its clusters over that of independent images. */
function ownRatio(own: ClusterMoments): number {
  const { n, top1, squares, clusters, sizeSquares, hitSquares, sizeHits } = own
  const share = top1 / n
  const deviations = hitSquares - 2 * share * sizeHits + share * share * sizeSquares
  const between = (Math.max(0, deviations) * clusters) / (clusters - 1)
  const independent =
    squares === undefined
      ? ((top1 + 0.5) * (n - top1 + 0.5) * n) / (n + 1) ** 2
      : squares + 1 - (top1 * top1) / n
  return between / independent
}

/** Returns why the clusters of a group do not tell how its accuracy varies; null if they do. */
function clusterShortage(
  sums: Pick<ClusterMoments, 'group' | 'clusters' | 'n' | 'sizeSquares'>,
): string | null {
  const { group, clusters, n } = sums
  if (clusters === 1 && n > 1) return `no interval: all images of ${group} are of one household`
  if (effectiveClusters(sums) < 2 - 1e-9 && n > 1)
    return `no interval: most images of ${group} are of one household`
  return null
}

/** The number of independent images that would vary as much as those of a group, and right ones among them. */
export interface EffectiveCounts {
  n: number
  hits: number
  /** Factor by which the variance is raised because the clusters are few. */
  widening: number
}

/**
 * Returns the effective counts of each of many small groups, by the correlation of all (Kish's design effect): most of them have too
 * few clusters to be judged by their own.
 */
export function effectiveCounts(groups: readonly ClusterMoments[]): Map<string, EffectiveCounts> {
  const { correlation } = designEffect(groups)
  return new Map(
    groups.map(sums => {
      const { group, n, top1, clusters } = sums
      const inflation = kishEffect(sums, correlation)
      const freedom = effectiveClusters(sums) - 1 + pooledFreedom
      const widening = clusters < n ? studentFactor(freedom) : 1
      return [group, { n: n / inflation, hits: top1 / inflation, widening }]
    }),
  )
}

/** How clusters bear on the variance of a group's accuracy or change. */
export interface GroupClustering {
  /** Factor by which they inflate it; 1 for independent images. */
  inflation: number
  /** Why it cannot be told; null if it can. */
  reason: string | null
}

export const independentImages: GroupClustering = { inflation: 1, reason: null }

/** Returns how clusters bear on each group. */
export function groupClusterings(
  clusters: readonly ClusterMoments[],
): Map<string, GroupClustering> {
  const { byGroup } = designEffect(clusters)
  return new Map(
    clusters.map(sums => [
      sums.group,
      { inflation: byGroup.get(sums.group)!, reason: clusterShortage(sums) },
    ]),
  )
}

/**
 * Returns the accuracy of a group with the intervals for the number of independent images that would vary as much; null with the
 * reason if the clusters do not tell. Null for `clustering` stands for independent images. Errors: bad-counts.
 */
export function clusteredAccuracy(counts: Counts, clustering: GroupClustering | null): Accuracy {
  const found = accuracy(counts)
  if (clustering === null || found.n === 0) return found
  const { inflation, reason } = clustering
  if (reason !== null) return { ...found, interval: null, interval5: null, reason }
  const { n, top1, top5 } = counts
  const intervalOf = (hits: number) => shareInterval(hits / inflation, n / inflation)
  return {
    ...found,
    interval: intervalOf(top1),
    interval5: top5 === undefined ? null : intervalOf(top5),
  }
}

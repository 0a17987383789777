import { tQuantile } from './distributions.ts'
import { type ClusterCounts } from './permutation.ts'

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

/** Sums over the clusters of one group, which are all that a design effect depends on; `n` and `top1` are of a cluster. */
export interface ClusterMoments {
  group: string
  /** Number of clusters with images. */
  clusters: number
  n: number
  top1: number
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
  for (const { group, n, top1 } of clusters) {
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
 * Returns the inflation of the variance of each group's accuracy. Kish's design effect 1 + (m - 1) ρ, with m the mean cluster
 * size weighted by size and ρ pooled over the groups, is averaged with the group's own ratio of the variance between its clusters
 * to that of independent images, by their degrees of freedom: groups with many clusters are judged by their own. Few degrees of
 * freedom widen it as Student's t does (Korn and Graubard 1998).
 */
export function designEffect(clusters: ClusterList): DesignEffect {
  const groups = isMoments(clusters)
    ? clusters
    : clusterMoments(clusters as readonly ClusterCounts[])
  let between = 0
  let within = 0
  let images = 0
  let freedom = 0
  let size = 0
  for (const { n, top1, clusters: count, sizeSquares, hitShares } of groups) {
    between += hitShares - (top1 * top1) / n
    within += top1 - hitShares
    images += n - count
    freedom += count - 1
    size += n - sizeSquares / n
  }
  const [msb, msw, typical] = [between / freedom, within / images, size / freedom]
  const ratio = (msb - msw) / (msb + (typical - 1) * msw)
  const correlation = Number.isFinite(ratio) ? Math.min(1, Math.max(0, ratio)) : 0
  const byGroup = new Map(
    groups.map(sums => {
      const kish = 1 + (sums.sizeSquares / sums.n - 1) * correlation
      return [sums.group, inflationOf(sums, { kish, freedom })]
    }),
  )
  const reason = groups.flatMap(sums => clusterShortage(sums) ?? [])[0] ?? null
  return { correlation, byGroup, reason }
}

/** Number of clusters of equal size that would carry as much. */
const effectiveClusters = ({ n, sizeSquares }: Pick<ClusterMoments, 'n' | 'sizeSquares'>): number =>
  (n * n) / sizeSquares

function inflationOf(own: ClusterMoments, pool: { kish: number; freedom: number }): number {
  const { n, top1, clusters, sizeSquares, hitSquares, sizeHits } = own
  const ownFreedom = effectiveClusters(own) - 1
  if (clusters === n || !(ownFreedom > 0)) return pool.kish
  const share = top1 / n
  const squares = hitSquares - 2 * share * sizeHits + share * share * sizeSquares
  const between = (Math.max(0, squares) * clusters) / (clusters - 1)
  const independent = ((top1 + 0.5) * (n - top1 + 0.5) * n) / (n + 1) ** 2
  const pooled = Math.min(pooledFreedom, pool.freedom)
  const all = pooled + ownFreedom
  const shrunk = (pooled * pool.kish + ownFreedom * (between / independent)) / all
  return Math.max(1, shrunk) * (tQuantile(0.975, all) / 1.96) ** 2
}

/** Returns why the clusters of a group do not tell how its accuracy varies; null if they do. */
export function clusterShortage(
  sums: Pick<ClusterMoments, 'group' | 'clusters' | 'n' | 'sizeSquares'>,
): string | null {
  const { group, clusters, n } = sums
  if (clusters === 1 && n > 1) return `no interval: all images of ${group} are of one household`
  if (effectiveClusters(sums) < 2 - 1e-9 && n > 1)
    return `no interval: most images of ${group} are of one household`
  return null
}

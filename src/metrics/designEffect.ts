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

/**
 * Inflation of the variance of each group's accuracy. Kish's design effect 1 + (m - 1) ρ, with m the mean cluster size weighted by
 * size and ρ pooled over the groups, is averaged with the group's own ratio of the variance between its clusters to that of
 * independent images, by their degrees of freedom: groups with many clusters are judged by their own. Few degrees of freedom
 * widen it as Student's t does (Korn and Graubard 1998).
 */
export function designEffect(clusters: readonly ClusterCounts[]): DesignEffect {
  const groups = new Map<string, ClusterSums>()
  const used = clusters.filter(cluster => cluster.n > 0)
  for (const { group, n, top1 } of used) {
    const sums = groups.get(group) ?? { n: 0, hits: 0, squares: 0, clusters: 0 }
    groups.set(group, {
      n: sums.n + n,
      hits: sums.hits + top1,
      squares: sums.squares + n * n,
      clusters: sums.clusters + 1,
    })
  }
  let [between, within, images] = [0, 0, 0]
  for (const { group, n, top1 } of used) {
    const sums = groups.get(group)!
    between += n * (top1 / n - sums.hits / sums.n) ** 2
    within += top1 * (1 - top1 / n)
    images += n - 1
  }
  let [freedom, size] = [0, 0]
  for (const { n, squares, clusters: count } of groups.values()) {
    freedom += count - 1
    size += n - squares / n
  }
  const [msb, msw, typical] = [between / freedom, within / images, size / freedom]
  const ratio = (msb - msw) / (msb + (typical - 1) * msw)
  const correlation = Number.isFinite(ratio) ? Math.min(1, Math.max(0, ratio)) : 0
  const byGroup = new Map<string, number>()
  for (const [group, sums] of groups) {
    const own = used.filter(cluster => cluster.group === group)
    const kish = 1 + (sums.squares / sums.n - 1) * correlation
    byGroup.set(group, inflationOf({ own, sums, kish, freedom }))
  }
  return { correlation, byGroup, reason: reasonOf(groups) }
}

interface ClusterSums {
  n: number
  hits: number
  squares: number
  clusters: number
}

/** Number of clusters of equal size that would carry as much. */
const effectiveClusters = ({ n, squares }: ClusterSums): number => (n * n) / squares

function inflationOf(setting: {
  own: readonly ClusterCounts[]
  sums: ClusterSums
  kish: number
  freedom: number
}): number {
  const { own, sums, kish, freedom } = setting
  const ownFreedom = effectiveClusters(sums) - 1
  if (own.every(({ n }) => n === 1) || !(ownFreedom > 0)) return kish
  const share = sums.hits / sums.n
  let between = 0
  for (const { n, top1 } of own) between += (top1 - n * share) ** 2
  between *= sums.clusters / (sums.clusters - 1)
  const independent = ((sums.hits + 0.5) * (sums.n - sums.hits + 0.5) * sums.n) / (sums.n + 1) ** 2
  const pooled = Math.min(pooledFreedom, freedom)
  const all = pooled + ownFreedom
  const shrunk = (pooled * kish + ownFreedom * (between / independent)) / all
  return Math.max(1, shrunk) * (tQuantile(0.975, all) / 1.96) ** 2
}

function reasonOf(groups: ReadonlyMap<string, ClusterSums>): string | null {
  for (const [group, sums] of groups) {
    if (sums.clusters === 1 && sums.n > 1)
      return `no interval: all images of ${group} are of one household`
    if (effectiveClusters(sums) < 2 - 1e-9 && sums.n > 1)
      return `no interval: most images of ${group} are of one household`
  }
  return null
}

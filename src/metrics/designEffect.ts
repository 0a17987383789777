import { type ClusterCounts } from './permutation.ts'

/** How much clustering inflates the variance of each group's accuracy: 1 for independent images. */
export interface DesignEffect {
  /** Correlation of two images of one cluster, pooled within groups (one-way analysis of variance), at least 0. */
  correlation: number
  byGroup: ReadonlyMap<string, number>
}

/** Kish's design effect 1 + (m - 1) ρ per group, with m the mean cluster size weighted by size. */
export function designEffect(clusters: readonly ClusterCounts[]): DesignEffect {
  const groups = new Map<string, { n: number; hits: number; squares: number; clusters: number }>()
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
  const byGroup = [...groups].map(
    ([group, { n, squares }]) => [group, 1 + (squares / n - 1) * correlation] as const,
  )
  return { correlation, byGroup: new Map(byGroup) }
}

import { groupByKey } from '../lib/tally.ts'
import { binomialCdf } from './distributions.ts'
import { type ClusterMoments } from './designEffect.ts'
import { pairedImageCount, type PairCounts } from './pairedTests.ts'

/** Outcomes of two models on the same images, which may come in clusters such as households. */
export interface PairedOutcomes extends PairCounts {
  /** Images gained minus images lost of each cluster where these differ; absent where images are independent. */
  nets?: readonly number[]
}

/** What a test of no change sees: `gained` of `total` net flips, and the chance of at most k under no change. */
export interface SignFlips {
  gained: number
  total: number
  atMost: (k: number) => number
}

/**
 * Exact sign-flip test: under no change each cluster's net gain is as likely to be a loss of that size. Where every
 * cluster has one flipped image this is McNemar's exact test.
 */
export function signFlips({ onlyFirst, onlySecond, nets }: PairedOutcomes): SignFlips {
  if (!nets) {
    const total = onlyFirst + onlySecond
    return { gained: onlySecond, total, atMost: k => binomialCdf(k, total, 0.5) }
  }
  const chances = flipSumChances(nets.map(Math.abs))
  for (let k = 1; k < chances.length; k++) chances[k]! += chances[k - 1]!
  return {
    gained: nets.reduce((sum, net) => sum + Math.max(0, net), 0),
    total: chances.length - 1,
    atMost: k => (k < 0 ? 0 : Math.min(1, chances[Math.min(k, chances.length - 1)]!)),
  }
}

/** Chance of each sum of the sizes that a fair coin picks, [1 + sum of all]. */
function flipSumChances(sizes: readonly number[]): Float64Array {
  const chances = new Float64Array(1 + sizes.reduce((sum, size) => sum + size, 0))
  chances[0] = 1
  let largest = 0
  for (const size of [...sizes].sort((a, b) => a - b)) {
    // From the largest sum down, so that each is read before it is written.
    for (let sum = largest; sum >= 0; sum--) {
      const half = chances[sum]! / 2
      chances[sum] = half
      chances[sum + size]! += half
    }
    largest += size
  }
  return chances
}

/** Two-sided p-value of no change. */
export function signFlipP(outcomes: PairedOutcomes): number {
  const { gained, total, atMost } = signFlips(outcomes)
  return Math.min(1, 2 * atMost(Math.min(gained, total - gained)))
}

/**
 * Mid-p of no change (Lancaster 1961): half of the probability of what was seen is left out of the exact p-value on each side. Its
 * errors are near the level on average and may pass it (Fagerland, Lydersen and Laake 2013), so no gate goes by it.
 *
 * @example
 * signFlipMidP({ both: 50, onlyFirst: 3, onlySecond: 12, neither: 35 }) // 0.0213
 */
export function signFlipMidP(outcomes: PairedOutcomes): number {
  const { gained, total, atMost } = signFlips(outcomes)
  const least = Math.min(gained, total - gained)
  return Math.min(1, atMost(least) + atMost(least - 1))
}

/** Outcomes of several cells together: a cell without a cluster holds independent images. */
export function joinOutcomes(
  cells: readonly (PairCounts & { cluster?: string | null })[],
): PairedOutcomes {
  const sum = { both: 0, onlyFirst: 0, onlySecond: 0, neither: 0 }
  const clusters = new Map<string, number>()
  let [gained, lost] = [0, 0]
  for (const { cluster, both, onlyFirst, onlySecond, neither } of cells) {
    sum.both += both
    sum.onlyFirst += onlyFirst
    sum.onlySecond += onlySecond
    sum.neither += neither
    if (cluster != null)
      clusters.set(cluster, (clusters.get(cluster) ?? 0) + onlySecond - onlyFirst)
    else [gained, lost] = [gained + onlySecond, lost + onlyFirst]
  }
  if (clusters.size === 0) return sum
  const single = [...new Array<number>(gained).fill(1), ...new Array<number>(lost).fill(-1)]
  return { ...sum, nets: [...[...clusters.values()].filter(net => net !== 0), ...single] }
}

/** Outcomes of the images of one group that are of one cluster, or of independent images. */
export type ClusterOutcomes = PairCounts & { group: string; cluster?: string | null }

/**
 * Returns the sums over the clusters of each group that a design effect of changes depends on, for the groups of which some image
 * has a cluster; an image without one is a cluster of its own.
 */
export function changeMoments(cells: readonly ClusterOutcomes[]): ClusterMoments[] {
  const groups = groupByKey(cells, ({ group }) => group)
  return [...groups].flatMap(([group, own]) => {
    const clusters = groupByKey(own, ({ cluster }) => cluster ?? null)
    const singles = clusters.get(null) ?? []
    clusters.delete(null)
    if (clusters.size === 0) return []
    const sums = { ...noMoments, group }
    for (const members of clusters.values()) addCluster(sums, members)
    for (const single of singles) addSingles(sums, single)
    return sums
  })
}

const noMoments = {
  clusters: 0,
  n: 0,
  top1: 0,
  squares: 0,
  sizeSquares: 0,
  hitSquares: 0,
  sizeHits: 0,
  hitShares: 0,
}

function addCluster(sums: typeof noMoments, members: readonly PairCounts[]): void {
  const n = members.reduce((total, one) => total + pairedImageCount(one), 0)
  const net = members.reduce((total, one) => total + one.onlySecond - one.onlyFirst, 0)
  sums.clusters += 1
  sums.n += n
  sums.top1 += net
  sums.squares += members.reduce((total, one) => total + one.onlySecond + one.onlyFirst, 0)
  sums.sizeSquares += n * n
  sums.hitSquares += net * net
  sums.sizeHits += n * net
  sums.hitShares += (net * net) / n
}

function addSingles(sums: typeof noMoments, images: PairCounts): void {
  const n = pairedImageCount(images)
  const net = images.onlySecond - images.onlyFirst
  const flipped = images.onlySecond + images.onlyFirst
  sums.clusters += n
  sums.n += n
  sums.top1 += net
  sums.squares += flipped
  sums.sizeSquares += n
  sums.hitSquares += flipped
  sums.sizeHits += net
  sums.hitShares += flipped
}

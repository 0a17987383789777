import { inputError } from '../lib/errors.ts'
import { type GroupCounts } from './accuracy.ts'
import { mean, spread, sum } from './numbers.ts'
import { checkDraws, hypergeometricSampler } from './samplers.ts'
import { type Random, randomFrom, shuffle } from '../lib/random.ts'

/** Counts of one cluster (a household) within one group. */
export interface ClusterCounts extends GroupCounts {
  cluster: string
  /** Sum of the squared values of its images, where these are not only 0 and 1. */
  squares?: number
}

export interface PermutationOptions {
  seed: number
  /** Default 1,000. */
  draws?: number
}

/** The distribution of the disparity if accuracy did not depend on the group. */
export interface EqualityNull {
  /** Mean disparity when accuracies are equal everywhere. */
  expected: number
  /** Chance, under equality, of a disparity at least as large as the observed one: (1 + count) / (1 + draws). */
  p: number
  /** What was dealt out anew to the groups. */
  unit: 'images' | 'clusters'
  draws: number
}

/**
 * What the disparity of these groups would be if the group did not matter: outcomes are dealt out to the groups anew, their sizes
 * kept. With `clusters` whole clusters are dealt, the number of clusters per group kept, so that images of one household
 * stay together. At least two groups with images. Errors: bad-counts, bad-draws, bad-seed.
 */
export function equalityNull(
  groups: readonly GroupCounts[],
  options: PermutationOptions,
  clusters?: readonly ClusterCounts[],
): EqualityNull {
  const { seed, draws = 1000 } = options
  checkDraws(draws)
  const ranges = Float64Array.from({ length: draws }, createDeal(groups, seed, clusters))
  const count = ranges.filter(isAtLeastObserved(groups)).length
  return {
    expected: mean(ranges),
    p: (1 + count) / (1 + draws),
    unit: clusters ? 'clusters' : 'images',
    draws,
  }
}

/**
 * Returns whether the p-value of `equalityNull` is at most `level`. Dealing ends with the draw after which it cannot be.
 * Errors: bad-counts, bad-draws, bad-seed.
 */
export function rejectsEquality(
  groups: readonly GroupCounts[],
  { seed, draws = 1000, level }: PermutationOptions & { level: number },
  clusters?: readonly ClusterCounts[],
): boolean {
  checkDraws(draws)
  const deal = createDeal(groups, seed, clusters)
  const counts = isAtLeastObserved(groups)
  let count = 0
  for (let draw = 0; draw < draws; draw++) {
    if (counts(deal())) count++
    if ((1 + count) / (1 + draws) > level) return false
  }
  return true
}

const createDeal = (
  groups: readonly GroupCounts[],
  seed: number,
  clusters: readonly ClusterCounts[] | undefined,
): (() => number) =>
  clusters ? clusterDeal(groups, clusters, randomFrom(seed)) : imageDeal(groups, randomFrom(seed))

function isAtLeastObserved(groups: readonly GroupCounts[]): (range: number) => boolean {
  const observed = spread(groups.map(counts => counts.top1 / counts.n))
  return range => range >= observed - 1e-12
}

function imageDeal(groups: readonly GroupCounts[], random: Random): () => number {
  for (const { group, n, top1 } of groups) {
    if (!(Number.isSafeInteger(n) && Number.isSafeInteger(top1))) {
      throw inputError(
        'bad-counts',
        `counts of ${group} are not whole: n ${n}, top1 ${top1}; weights cannot be permuted`,
      )
    }
  }
  const [total, hits] = [sum(groups.map(({ n }) => n)), sum(groups.map(({ top1 }) => top1))]
  const draw = hypergeometricSampler(total, random)
  return () => {
    let [images, good, low, high] = [total, hits, 1, 0]
    for (const { n } of groups) {
      const mine = draw(n, good, images)
      images -= n
      good -= mine
      low = Math.min(low, mine / n)
      high = Math.max(high, mine / n)
    }
    return high - low
  }
}

function clusterDeal(
  groups: readonly GroupCounts[],
  clusters: readonly ClusterCounts[],
  random: Random,
): () => number {
  const place = new Map(groups.map((counts, i) => [counts.group, i]))
  const kept = clusters.filter(cluster => place.has(cluster.group) && cluster.n > 0)
  const owner = Int32Array.from(kept, cluster => place.get(cluster.group)!)
  const [images, right] = [Float64Array.from(kept, c => c.n), Float64Array.from(kept, c => c.top1)]
  const [n, hits] = [new Float64Array(groups.length), new Float64Array(groups.length)]
  return () => {
    shuffle(owner, random)
    n.fill(0)
    hits.fill(0)
    for (let i = 0; i < owner.length; i++) {
      n[owner[i]!]! += images[i]!
      hits[owner[i]!]! += right[i]!
    }
    let [low, high] = [1, 0]
    for (let g = 0; g < n.length; g++) {
      low = Math.min(low, hits[g]! / n[g]!)
      high = Math.max(high, hits[g]! / n[g]!)
    }
    return high - low
  }
}

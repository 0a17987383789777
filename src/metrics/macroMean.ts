/*
 * Means over classes or groups that count equally, and over the worst of them, with intervals.
 */
import { type Counts } from './accuracy.ts'
import { studentFactor } from './distributions.ts'
import {
  type Estimate,
  type Interval,
  shareInterval,
  smoothedShare,
  undefinedEstimate,
} from './intervals.ts'
import { mean, sum } from './numbers.ts'
import { clusterMoments, type GroupClustering, groupClusterings } from './designEffect.ts'

/** Counts of one class, or of the images of one class in one household. */
export interface ClassCluster extends Counts {
  class: string
  /** The household; absent for independent images. */
  cluster?: string
}

/**
 * Macro accuracy, the plain mean over the classes that have images, with its 95 % interval: the variance adds those of the classes, with
 * half a success added to both sides and widened by their households, or is that of the households' deviations if these vary more. Its interval is that of a share with
 * this variance. Errors: none; null without images.
 *
 * @example
 * macroEstimate([{ class: 'stove', n: 40, top1: 30 }, { class: 'roof', n: 10, top1: 2 }]) // value 0.475
 */
export function macroEstimate(cells: readonly ClassCluster[]): Estimate {
  const classes = new Map<string, { n: number; hits: number }>()
  for (const { class: name, n, top1 } of cells) {
    if (n === 0) continue
    const known = classes.get(name) ?? { n: 0, hits: 0 }
    classes.set(name, { n: known.n + n, hits: known.hits + top1 })
  }
  const count = classes.size
  if (count === 0) return undefinedEstimate('no class has images')
  const clusterings = classClusterings(cells)
  let [value, separate] = [0, 0]
  for (const [name, own] of classes) {
    const share = smoothedShare(own.hits, own.n)
    const inflation = clusterings?.get(name)?.inflation ?? 1
    value += own.hits / own.n / count
    separate += (inflation * share * (1 - share)) / (own.n * count * count)
  }
  const reasons = [...(clusterings?.values() ?? [])].map(({ reason }) => reason)
  if (reasons.length > 0 && !reasons.includes(null))
    return { value, interval: null, reason: 'no interval: one household in each class' }
  const deviations = new Map<string, number>()
  for (const { class: name, n, top1, cluster } of cells) {
    if (n === 0 || cluster === undefined) continue
    const own = classes.get(name)!
    const deviation = (top1 - n * smoothedShare(own.hits, own.n)) / (own.n * count)
    deviations.set(cluster, (deviations.get(cluster) ?? 0) + deviation)
  }
  const { size } = deviations
  let variance = separate
  if (size > 1) {
    const squares = sum([...deviations.values()].map(one => one * one))
    variance = Math.max(separate, ((squares * size) / (size - 1)) * studentFactor(size - 1))
  }
  return { value, interval: varianceInterval(value, variance), reason: null }
}

/** Returns how households bear on each class; null for independent images. */
function classClusterings(cells: readonly ClassCluster[]): Map<string, GroupClustering> | null {
  const clusters = cells.flatMap(({ class: group, cluster, n, top1 }) =>
    cluster === undefined ? [] : [{ group, cluster, n, top1 }],
  )
  return clusters.length === 0 ? null : groupClusterings(clusterMoments(clusters))
}

/** Returns the interval of a share that has this variance. */
function varianceInterval(share: number, variance: number): Interval {
  const inside = Math.min(1 - 1e-9, Math.max(1e-9, share))
  const n = Math.max(1, (inside * (1 - inside)) / variance)
  return shareInterval(Math.min(n, share * n), n)!
}

/** A group with its counts and how households bear on them. */
export interface ClusteredGroup extends Counts {
  group: string
  clustering: GroupClustering | null
}

/** The mean accuracy of the worst groups. */
export interface WorstMean extends Estimate {
  /** The worst groups as seen, the worst first. */
  worst: string[]
  /** Number of groups. */
  groups: number
}

/**
 * Returns the mean accuracy of the worst groups, a share `part` of all (rounded up; conditional value at risk), or of the single worst for
 * part 0. The interval takes the same mean of lower and of upper ends of intervals that hold for all groups at once (Šidák), so it holds
 * whichever groups are worst in truth; it is wide where groups are many and small.
 */
export function worstMean(groups: readonly ClusteredGroup[], part: number): WorstMean {
  const known = groups.filter(({ n }) => n > 0)
  const names = [...known].sort((a, b) => a.top1 / a.n - b.top1 / b.n).map(({ group }) => group)
  const size = Math.max(1, Math.ceil(part * known.length - 1e-9))
  const base = { worst: names.slice(0, size), groups: known.length }
  if (known.length === 0) return { ...undefinedEstimate('no group has enough images'), ...base }
  const lowest = (values: readonly number[]): number =>
    mean([...values].sort((a, b) => a - b).slice(0, size))
  const value = lowest(known.map(({ n, top1 }) => top1 / n))
  const reason = known.flatMap(({ clustering }) => clustering?.reason ?? [])[0]
  if (reason !== undefined) return { value, interval: null, reason, ...base }
  const confidence = 0.95 ** (1 / known.length)
  const bands = known.map(({ n, top1, clustering }) => {
    const inflation = clustering?.inflation ?? 1
    return shareInterval(top1 / inflation, n / inflation, confidence)!
  })
  const interval: Interval = [
    lowest(bands.map(([low]) => low)),
    lowest(bands.map(([, high]) => high)),
  ]
  return { value, interval, reason: null, ...base }
}

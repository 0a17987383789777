/*
 * A gate fails on what the data show, never on a point estimate. Each limit is tested in every group, and the chance that
 * any limit of a run fails without a change (or with every group at the limit, for accuracy and disparity) is at most
 * alpha: alpha is shared between the limits in use, and among a limit's groups by Holm's steps for exact tests.
 */
import { type GroupCounts } from '../metrics/accuracy.ts'
import { inferDisparity } from '../metrics/disparityInference.ts'
import { familywise, largest, lowerTail } from '../metrics/familywise.ts'
import { wilson } from '../metrics/intervals.ts'
import { pairedInterval } from '../metrics/pairedInterval.ts'
import { imagesOf, type PairCounts } from '../metrics/pairedTests.ts'

export type Limit = 'max-drop' | 'min-worst' | 'max-disparity'

/** Chance of any false alarm: low enough that of 1,000 runs without a change at most 5 % fail. */
export const falseAlarms = 0.04

/** What is judged: one group of one model on one data set. */
export interface Subject {
  model: string
  dataset: string
  group: string
}

export interface Check extends Subject {
  rule: Limit
  /** Images. */
  n: number
  /** Drop, accuracy or disparity as seen; share in 0 … 1. */
  value: number
  /** What the value is at least (drop, disparity) or at most (accuracy) with 95 % confidence, of this group alone. */
  bound: number
  limit: number
  /** `broken`: shown to be beyond the limit; `holds`: shown to be within; `undecided`: the data cannot tell. */
  verdict: 'holds' | 'broken' | 'undecided'
}

/** One-sided 95 % bounds are the ends of a 90 % interval. */
const oneSided = 0.9

/**
 * Drops of accuracy against the baseline on the same images. Broken: the group got worse (exact one-sided McNemar test,
 * corrected for all groups) and the 95 % bound of its drop is beyond `maxDrop`. The correction counts only outcomes whose bound is
 * beyond it, for no other can fail a run.
 */
export function judgeDrops(
  groups: readonly (Subject & { counts: PairCounts })[],
  maxDrop: number,
  alpha = falseAlarms,
): Check[] {
  const rejected = familywise(
    groups.map(({ counts }) => {
      const { onlyFirst, onlySecond } = counts
      const flipped = onlyFirst + onlySecond
      const beyond = (gained: number): boolean =>
        -pairedInterval({ ...counts, onlyFirst: flipped - gained, onlySecond: gained }, oneSided)![1] > maxDrop
      return lowerTail(onlySecond, flipped, 0.5, maxDrop === 0 ? flipped : largest(flipped, beyond))
    }),
    alpha,
  )
  return groups.map(({ counts, ...subject }, i) => {
    const n = imagesOf(counts)
    const [low, high] = pairedInterval(counts, oneSided)!
    return {
      ...subject,
      ...{ rule: 'max-drop' as const, n, bound: 0 - high, limit: maxDrop },
      value: (counts.onlyFirst - counts.onlySecond) / n,
      verdict: rejected[i]! ? 'broken' : -low <= maxDrop ? 'holds' : 'undecided',
    }
  })
}

/** Accuracies of groups. Broken: an exact binomial test, corrected for all groups, shows less than `minWorst`. */
export function judgeWorst(
  groups: readonly (Subject & { counts: { n: number; top1: number } })[],
  minWorst: number,
  alpha = falseAlarms,
): Check[] {
  const rejected = familywise(
    groups.map(({ counts: { n, top1 } }) => lowerTail(top1, n, minWorst)),
    alpha,
  )
  return groups.map(({ counts: { n, top1 }, ...subject }, i) => {
    const [low, high] = wilson(top1, n, oneSided)!
    return {
      ...subject,
      ...{ rule: 'min-worst' as const, n, value: top1 / n, bound: high, limit: minWorst },
      verdict: rejected[i]! ? 'broken' : low >= minWorst ? 'holds' : 'undecided',
    }
  })
}

const seed = 1

/**
 * Disparities between groups of at least `minN` images. Broken: the lower end of the disparity's interval, made wider for
 * the number of disparities judged, is beyond `maxDisparity`.
 */
export function judgeDisparities(
  runs: readonly (Subject & { groups: readonly GroupCounts[] })[],
  maxDisparity: number,
  minN: number,
  alpha = falseAlarms,
): Check[] {
  return runs.flatMap(({ groups, ...subject }) => {
    const found = inferDisparity(groups, { seed, minN, confidence: 1 - (2 * alpha) / Math.max(1, runs.length) })
    if (found.disparity === null || found.interval === null) return []
    const [low, high] = found.interval
    const n = groups.filter(each => each.n >= minN).reduce((sum, each) => sum + each.n, 0)
    return {
      ...{ ...subject, group: `${found.best!} − ${found.worst!}`, rule: 'max-disparity' as const, n },
      ...{ value: found.disparity, bound: low, limit: maxDisparity },
      verdict: low > maxDisparity ? 'broken' : high <= maxDisparity ? 'holds' : 'undecided',
    }
  })
}

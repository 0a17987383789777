/*
 * A gate fails on what the data show, never on a point estimate. Each limit is tested in every group, and the chance that
 * any limit of a run fails without a change (or with every group at the limit, for accuracy and disparity) is at most
 * alpha: alpha is shared between the limits in use, and among a limit's groups by Holm's steps for exact tests.
 */
import { type GroupCounts, sumCounts } from '../metrics/accuracy.ts'
import { splitBySize } from '../metrics/disparity.ts'
import { inferDisparity } from '../metrics/disparityInference.ts'
import { countTest, rejectFamilywise, largestWhere, lowerTailTest } from '../metrics/familywise.ts'
import { type Interval, wilson } from '../metrics/intervals.ts'
import { pairedInterval } from '../metrics/pairedInterval.ts'
import { pairedImageCount } from '../metrics/pairedTests.ts'
import { type ClusterCounts } from '../metrics/permutation.ts'
import { flipInflation, type PairedOutcomes, signFlips } from '../metrics/signFlip.ts'

export type GateLimit = 'max-drop' | 'min-worst' | 'max-disparity'

/** Chance of any false alarm: low enough that of 1,000 runs without a change at most 5 % fail. */
export const defaultAlpha = 0.04

/** What is judged: one group of one model on one data set. */
export interface GateSubject {
  model: string
  dataset: string
  group: string
}

export interface GateCheck extends GateSubject {
  rule: GateLimit
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
const oneSidedConfidence = 0.9

/**
 * Drops of accuracy against the baseline on the same images. Broken: the group got worse (exact one-sided sign-flip test,
 * McNemar's where images are independent, corrected for all groups) and the 95 % bound of its drop is beyond `maxDrop`. The
 * correction counts only outcomes whose bound is beyond it, for no other can fail a run.
 */
export function judgeDrops(
  groups: readonly (GateSubject & { counts: PairedOutcomes })[],
  maxDrop: number,
  alpha = defaultAlpha,
): GateCheck[] {
  const rejected = rejectFamilywise(
    groups.map(({ counts }) => {
      const { gained, total, atMost } = signFlips(counts)
      const beyond = (k: number): boolean => -changeBounds(counts, k - gained)[1] > maxDrop
      return countTest(gained, maxDrop === 0 ? total : largestWhere(total, beyond), atMost)
    }),
    alpha,
  )
  return groups.map(({ counts, ...subject }, i) => {
    const n = pairedImageCount(counts)
    const [low, high] = changeBounds(counts)
    return {
      ...subject,
      ...{ rule: 'max-drop' as const, n, bound: 0 - high, limit: maxDrop },
      value: (counts.onlyFirst - counts.onlySecond) / n,
      verdict: rejected[i]! ? 'broken' : -low <= maxDrop ? 'holds' : 'undecided',
    }
  })
}

/** One-sided 95 % bounds of a change of accuracy, had `more` of the images lost been gained. */
function changeBounds(counts: PairedOutcomes, movedImages = 0): Interval {
  const moved = {
    ...counts,
    onlyFirst: counts.onlyFirst - movedImages,
    onlySecond: counts.onlySecond + movedImages,
  }
  return pairedInterval(moved, oneSidedConfidence, flipInflation(counts))!
}

/**
 * Accuracies of groups. Broken: an exact binomial test, corrected for all groups, shows less than `minWorst`. `inflation` is by
 * how much households inflate the variance: the test then takes that much fewer images.
 */
export function judgeWorst(
  groups: readonly (GateSubject & { counts: { n: number; top1: number }; inflation?: number })[],
  minWorst: number,
  alpha = defaultAlpha,
): GateCheck[] {
  const effectiveHits = groups.map(({ counts: { n, top1 }, inflation = 1 }) => {
    const effectiveN = Math.floor(n / inflation)
    return { worth: effectiveN, hits: Math.ceil((top1 * effectiveN) / n) }
  })
  const rejected = rejectFamilywise(
    effectiveHits.map(({ worth, hits }) => lowerTailTest(hits, worth, minWorst)),
    alpha,
  )
  return groups.map(({ counts: { n, top1 }, model, dataset, group }, i) => {
    const { worth, hits } = effectiveHits[i]!
    const [low, high] = wilson(hits, worth, oneSidedConfidence)!
    return {
      ...{ model, dataset, group },
      ...{ rule: 'min-worst' as const, n, value: top1 / n, bound: high, limit: minWorst },
      verdict: rejected[i]! ? 'broken' : low >= minWorst ? 'holds' : 'undecided',
    }
  })
}

const gateSeed = 1

/**
 * Disparities between groups of at least `minN` images. Broken: the lower end of the disparity's interval, made wider for
 * the number of disparities judged, is beyond `maxDisparity`.
 */
export function judgeDisparities(
  runs: readonly (GateSubject & {
    groups: readonly GroupCounts[]
    clusters?: readonly ClusterCounts[] | null
  })[],
  maxDisparity: number,
  minN: number,
  alpha = defaultAlpha,
): GateCheck[] {
  const confidence = 1 - alpha / Math.max(1, runs.length)
  return runs.flatMap(({ groups, clusters, ...subject }) => {
    const found = inferDisparity(groups, {
      seed: gateSeed,
      minN,
      confidence,
      ...(clusters && { clusters }),
    })
    if (found.disparity === null || found.interval === null) return []
    const [low, high] = found.interval
    const { n } = sumCounts(splitBySize(groups, minN).kept)
    return {
      ...{
        ...subject,
        group: `${found.best!} − ${found.worst!}`,
        rule: 'max-disparity' as const,
        n,
      },
      ...{ value: found.disparity, bound: low, limit: maxDisparity },
      verdict: low > maxDisparity ? 'broken' : high <= maxDisparity ? 'holds' : 'undecided',
    }
  })
}

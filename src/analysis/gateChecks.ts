/*
 * Judges groups against limits by what the data show, never by a point estimate. Each limit is tested in every group, and the
 * probability that any limit of a run fails without a change (for accuracy and disparity: with every group at the limit) is at
 * most alpha. Alpha is shared equally between the limits in use, and among the groups of a limit by Holm's steps for exact tests.
 */
import { type GroupCounts, sumCounts } from '../metrics/accuracy.ts'
import { splitBySize } from '../metrics/disparity.ts'
import { exceedsDisparity, inferDisparity } from '../metrics/disparityInference.ts'
import {
  countTest,
  type ExactTest,
  rejectFamilywise,
  largestWhere,
  lowerTailTest,
} from '../metrics/familywise.ts'
import { type GroupClustering } from '../metrics/designEffect.ts'
import { type Interval, wilson } from '../metrics/intervals.ts'
import { isChangeBelow, pairedInterval } from '../metrics/pairedInterval.ts'
import { pairedImageCount } from '../metrics/pairedTests.ts'
import { type ClusterCounts } from '../metrics/permutationTest.ts'
import { type PairedOutcomes, signFlips } from '../metrics/signFlip.ts'

export type GateLimit = 'max-drop' | 'min-worst' | 'max-disparity'

/** Default probability of any false alarm, low enough that of 1,000 runs without a change at most 5 % fail. */
export const defaultAlpha = 0.04

/** One group of one model on one data set. */
export interface GateSubject {
  model: string
  dataset: string
  group: string
}

/** The verdict on one group. */
export interface GateCheck extends GateSubject {
  rule: GateLimit
  /** Number of images. */
  n: number
  /** Observed drop, accuracy or disparity; share in 0 … 1. */
  value: number
  /** One-sided 95 % bound of this group alone: lower for a drop or a disparity, upper for an accuracy. Null with a `reason`. */
  bound: number | null
  limit: number
  /** `broken`: shown to be beyond the limit; `holds`: shown to be within; `undecided`: the data cannot tell. */
  verdict: 'holds' | 'broken' | 'undecided'
  /** Why no bound can be given, such as a group of one household; the verdict is then undecided. */
  reason: string | null
}

/** One-sided 95 % bounds are the ends of a 90 % interval. */
const oneSidedConfidence = 0.9

const verdictOf = (isBroken: boolean, holds: boolean): GateCheck['verdict'] =>
  isBroken ? 'broken' : holds ? 'holds' : 'undecided'

/** A group with its paired outcomes. */
export type GroupDrop = GateSubject & Partial<GroupClustering> & { counts: PairedOutcomes }

/**
 * Judges drops of accuracy against the baseline on the same images. A drop is broken if the group got worse (exact one-sided
 * sign-flip test, McNemar's for independent images, corrected for all groups) and the 95 % bound of its drop is beyond
 * `maxDrop`. The correction counts only outcomes whose bound is beyond `maxDrop`, as no other can fail a run.
 */
export function judgeDrops(
  groups: readonly GroupDrop[],
  maxDrop: number,
  alpha = defaultAlpha,
): GateCheck[] {
  const rejected = rejectFamilywise(
    groups.map(group => {
      if (group.reason != null) return neverRejected
      const { gained, total, atMost } = signFlips(group.counts)
      const beyond = (k: number): boolean => isBeyond(group, k - gained, maxDrop)
      return countTest(gained, maxDrop === 0 ? total : largestWhere(total, beyond), atMost)
    }),
    alpha,
  )
  return groups.map((drop, i) => {
    const { counts, model, dataset, group, reason = null } = drop
    const n = pairedImageCount(counts)
    const [low, high] = changeBounds(drop)
    const value = (counts.onlyFirst - counts.onlySecond) / n
    const subject = { model, dataset, group }
    const check = { ...subject, rule: 'max-drop' as const, n, value, limit: maxDrop }
    return reason === null
      ? { ...check, bound: 0 - high, verdict: verdictOf(rejected[i]!, -low <= maxDrop), reason }
      : { ...check, bound: null, verdict: 'undecided', reason }
  })
}

/** Returns one-sided 95 % bounds of a change of accuracy. */
const changeBounds = ({ counts, inflation = 1 }: GroupDrop): Interval =>
  pairedInterval(counts, oneSidedConfidence, inflation)!

/** Whether the 95 % bound of a drop is beyond `maxDrop` after moving `movedImages` from the lost to the gained images. */
function isBeyond(
  { counts, inflation = 1 }: GroupDrop,
  movedImages: number,
  maxDrop: number,
): boolean {
  const moved = {
    ...counts,
    onlyFirst: counts.onlyFirst - movedImages,
    onlySecond: counts.onlySecond + movedImages,
  }
  return isChangeBelow(moved, -maxDrop, { confidence: oneSidedConfidence, inflation })
}

/** A test of a group whose variance cannot be told, which never rejects and does not count for the others. */
const neverRejected: ExactTest = { p: 1, attainable: () => 0 }

/** A group with its counts. */
export type GroupAccuracy = GateSubject &
  Partial<GroupClustering> & { counts: { n: number; top1: number } }

/** Judges accuracies of groups. An accuracy is broken if an exact binomial test, corrected for all groups, shows less than `minWorst`. */
export function judgeWorst(
  groups: readonly GroupAccuracy[],
  minWorst: number,
  alpha = defaultAlpha,
): GateCheck[] {
  const effective = groups.map(({ counts: { n, top1 }, inflation = 1 }) => {
    const effectiveN = Math.floor(n / inflation)
    return { n: effectiveN, hits: Math.ceil((top1 * effectiveN) / n) }
  })
  const rejected = rejectFamilywise(
    effective.map(({ n, hits }, i) =>
      groups[i]!.reason == null ? lowerTailTest(hits, n, minWorst) : neverRejected,
    ),
    alpha,
  )
  return groups.map(({ counts: { n, top1 }, model, dataset, group, reason = null }, i) => {
    const subject = { model, dataset, group }
    const check = { ...subject, rule: 'min-worst' as const, n, value: top1 / n, limit: minWorst }
    if (reason !== null) return { ...check, bound: null, verdict: 'undecided', reason }
    const [low, high] = wilson(effective[i]!.hits, effective[i]!.n, oneSidedConfidence)!
    return { ...check, bound: high, verdict: verdictOf(rejected[i]!, low >= minWorst), reason }
  })
}

const gateSeed = 1

/** The groups of one evaluation, with counts by household if the data set names them. */
export type GroupedEvaluation = GateSubject & {
  groups: readonly GroupCounts[]
  clusters?: readonly ClusterCounts[] | null
}

/**
 * Judges disparities between groups of at least `minN` images. A disparity is broken if the lower end of its interval, widened
 * for the number of disparities judged, is beyond `maxDisparity`. Only those whose own 95 % interval is beyond it are tested so,
 * with enough draws for such small p-values.
 */
export function judgeDisparities(
  runs: readonly GroupedEvaluation[],
  maxDisparity: number,
  { minN, alpha = defaultAlpha }: { minN: number; alpha?: number },
): GateCheck[] {
  const level = alpha / Math.max(1, runs.length)
  const draws = Math.max(1000, Math.ceil(drawsBeyondLevel / level))
  return runs.flatMap(({ groups, clusters = null, ...subject }): GateCheck[] => {
    const options = { seed: gateSeed, minN, clusters }
    const found = inferDisparity(groups, options)
    if (found.disparity === null) return []
    const check = {
      ...subject,
      group: `${found.best!} − ${found.worst!}`,
      rule: 'max-disparity' as const,
      n: sumCounts(splitBySize(groups, minN).kept).n,
      value: found.disparity,
      limit: maxDisparity,
    }
    if (found.interval === null)
      return [{ ...check, bound: null, verdict: 'undecided', reason: found.reason }]
    const [low, high] = found.interval
    const isBroken =
      low > maxDisparity && exceedsDisparity(groups, maxDisparity, { ...options, level, draws })
    return [
      { ...check, bound: low, verdict: verdictOf(isBroken, high <= maxDisparity), reason: null },
    ]
  })
}

/** Draws for each expected draw beyond a p-value at the level of a test; fewer than one could never reject. */
const drawsBeyondLevel = 5

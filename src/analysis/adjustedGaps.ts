/** Gaps between groups adjusted for what was photographed, shrunken accuracies of cells, and incomes. */
import { groupBy } from '../metrics/accuracy.ts'
import { clusterMoments, effectiveCounts } from '../metrics/designEffect.ts'
import { disparity, splitBySize } from '../metrics/disparity.ts'
import { gapParts, type GapParts, type StratumCounts } from '../metrics/gapParts.ts'
import { incomeControlled, type IncomeClusterCounts } from '../metrics/incomeControlled.ts'
import { incomeSlopes, type IncomePoint } from '../metrics/incomeSlopes.ts'
import { type Estimate, excludesZero, type Interval } from '../metrics/intervals.ts'
import { shrunkenShares } from '../metrics/shrinkage.ts'
import { groupList, pointsText } from '../lib/table/text.ts'
import { countByHousehold } from '../results/households.ts'
import { groupSql } from '../results/counts.ts'
import { isOfCounts } from '../results/schema.ts'
import {
  type EvaluationId,
  evaluationIdOf,
  type StoredEvaluation,
} from '../results/storedEvaluations.ts'
import { type Run } from '../results/run.ts'
import { type CombinationCounts, countCombinations } from './combinationCounts.ts'

/** Returns the column of income levels that an evaluation has: its own, or quarters of a numeric `income`. */
async function incomeColumnOf(
  entry: StoredEvaluation,
  { entries }: Run,
): Promise<'income_group' | 'income' | null> {
  for (const name of ['income_group', 'income'] as const)
    if (await groupSql(entry, name, entries)) return name
  return null
}

/** The groups of an evaluation that are compared. */
interface GroupPairs {
  /** Europe and Africa if both have enough images, else the best and the worst group seen. */
  headline: [string, string]
  /** The headline, the first of it against each other group (the worst first), and the best against the worst group seen. */
  pairs: [string, string][]
  /** Whether the group that others are compared with is the best one seen, and not chosen beforehand. */
  isBestSeen: boolean
  leftOut: readonly { group: string; n: number }[]
}

/** Chooses the pairs of groups of at least `minN` images in the first of the columns; null with fewer than two of them. */
function groupPairs(cells: readonly CombinationCounts[], minN: number): GroupPairs | null {
  const { groups } = groupBy(
    cells.map(({ values, n, top1 }) => ({ groups: { group: values[0]! }, n, top1 })),
    ['group'],
  )
  const { best, worst, leftOut } = disparity(groups, minN)
  if (best === null) return null
  const { kept } = splitBySize(groups, minN)
  const large = kept.sort((a, b) => a.top1 / a.n - b.top1 / b.n).map(({ group }) => group)
  const hasPaperPair = large.includes('Europe') && large.includes('Africa')
  const headline: [string, string] = hasPaperPair ? ['Europe', 'Africa'] : [best, worst!]
  const others = large.filter(group => !headline.includes(group))
  const pairs = [headline, ...others.map((group): [string, string] => [headline[0], group])]
  if (best !== headline[0]) pairs.push([best, worst!])
  return { headline, pairs, isBestSeen: !hasPaperPair, leftOut }
}

/** One part of a gap. */
export interface GapPartRow extends EvaluationId, Estimate {
  /** `Europe − Africa`. */
  pair: string
  part: string
}

/** A gap in parts, and its sentence. */
export interface AdjustedGap {
  rows: GapPartRow[]
  sentences: string[]
}

const partNames: Readonly<Record<string, string>> = {
  label: 'which objects',
  income_group: 'income',
  income: 'income',
}

/** Returns the gaps of all evaluations, adjusted for classes and, if they are known, incomes. */
export async function adjustedGaps(
  run: Run,
  { by, minN }: { by: string; minN: number },
): Promise<AdjustedGap> {
  const rows: GapPartRow[] = []
  const sentences: string[] = []
  for (const entry of run.entries) {
    if (isOfCounts(entry.identity)) continue
    const income = await incomeColumnOf(entry, run)
    const all = ['label', ...(income !== null && by !== income ? [income] : [])]
    const cells = await countCombinations(entry, [by, ...all], { run })
    const chosen = groupPairs(cells, minN)
    const id = evaluationIdOf(entry)
    if (!chosen) {
      sentences.push(
        `${id.dataset}: no gap, for fewer than two groups by ${by} have ${minN} images`,
      )
      continue
    }
    for (const pair of chosen.pairs) {
      const { found, factors, note } = splitGap(cells, pair, all)
      const named = { ...id, pair: pair.join(' − '), factors }
      rows.push(...partRows(found, named))
      if (pair === chosen.headline) sentences.push(`${gapSentence(found, named)}${note}`)
    }
    sentences.push(...pairNotes(chosen, id))
  }
  return { rows, sentences: [...new Set(sentences)] }
}

/** One pair of groups of an evaluation, with the columns that its gap is split by. */
interface SplitPair extends EvaluationId {
  pair: string
  factors: readonly string[]
}

const partRows = (found: GapParts, { factors, ...id }: SplitPair): GapPartRow[] => [
  { ...id, part: 'gap', ...found.gap },
  ...found.parts.map((part, i) => ({ ...id, part: partNames[factors[i]!]!, ...part })),
  { ...id, part: 'left at an equal mix (adjusted gap)', ...found.left },
  {
    ...id,
    part: 'without counterpart',
    value: found.unmatched,
    interval: null,
    reason: 'images of a kind that only one of the two has',
  },
]

/** Says how to read several pairs, and which groups are too small for one. */
function pairNotes(
  { pairs, headline: [reference], isBestSeen, leftOut }: GroupPairs,
  { model, dataset }: EvaluationId,
): string[] {
  const seen = `${reference} is the best group seen, so that gaps against it are too large on average`
  const small = `left out for few images: ${groupList(leftOut, 5)}`
  return [
    ...(isBestSeen ? [`${model} on ${dataset}: ${seen}`] : []),
    ...(pairs.length > 1
      ? [
          `intervals are of each of ${pairs.length} pairs alone: of 20 gaps that are none, one is expected to seem shown`,
        ]
      : []),
    ...(leftOut.length > 0 ? [`${model} on ${dataset}: ${small}`] : []),
  ]
}

/** Returns a gap by classes and incomes, or by classes alone if too few images have a counterpart of their income. */
function splitGap(
  cells: readonly CombinationCounts[],
  pair: readonly [string, string],
  factors: readonly string[],
): { found: GapParts; factors: readonly string[]; note: string } {
  const countsOf = (used: number): StratumCounts[] =>
    cells.map(({ values: [group, ...strata], ...rest }) => ({
      group: group!,
      strata: strata.slice(0, used),
      ...rest,
    }))
  const found = gapParts(countsOf(factors.length), pair)
  if (factors.length === 1 || found.left.value !== null) return { found, factors, note: '' }
  const note = `; not split by income: ${found.left.reason ?? ''}`
  return { found: gapParts(countsOf(1), pair), factors: factors.slice(0, 1), note }
}

/** Returns `Europe − Africa: of 12.3 points: 4.1 which objects, …`, and whether the comparison turns around within classes. */
function gapSentence(
  { gap, parts, left, unmatched, ahead }: GapParts,
  { model, dataset, pair, factors }: SplitPair,
): string {
  if (left.value === null)
    return `${model} on ${dataset}, ${pair}: ${pointsText(gap.value ?? 0)} points, which cannot be split; ${left.reason ?? ''}`
  const points = (value: number | null): string => pointsText(value ?? 0).replace('+', '')
  const named = [
    ...parts.map((part, i) => `${points(part.value)} ${partNames[factors[i]!]!}`),
    `${points(left.value)} left`,
    ...(Math.abs(unmatched ?? 0) >= 0.0005 ? [`${points(unmatched)} without counterpart`] : []),
  ]
  const start = `${model} on ${dataset}, ${pair}: of ${points(gap.value)} points: ${named.join(', ')}`
  return `${start}; ${leftText(left)}${simpsonText({ gap, left, ahead })}`
}

function leftText({ interval, reason }: Estimate): string {
  if (interval === null) return reason ?? 'no interval'
  const range = `95 % interval ${interval.map(pointsText).join(' to ')}`
  return excludesZero(interval)
    ? `a gap is shown at an equal mix (${range})`
    : `a gap is not shown at an equal mix (${range})`
}

/** Says that a comparison turns around at an equal mix (Simpson's paradox). */
function simpsonText({ gap, left, ahead }: Pick<GapParts, 'gap' | 'left' | 'ahead'>): string {
  if (gap.value === null || left.value === null || gap.value * left.value >= 0) return ''
  const [first, second] = gap.value > 0 ? ahead : ([ahead[1], ahead[0]] as const)
  if (second <= first) return ''
  const isShown = left.interval !== null && excludesZero(left.interval)
  return `; the comparison turns around: who is ahead overall is behind in ${second} of ${first + second} kinds of images${isShown ? '' : ', which may be chance'}`
}

/** The accuracy of a cell, as seen and shrunken; null with the reason if there is no other cell. */
export interface ShrunkenRow extends EvaluationId {
  group: string
  n: number
  accuracy: number
  shrunken: number | null
  interval: Interval | null
  reason: string | null
}

/**
 * Returns the cells of each evaluation by their shrunken accuracy, the worst first. Where the data set names households, a cell counts as
 * the number of independent images that would vary as much.
 */
export async function shrunkenRows(run: Run, by: readonly string[]): Promise<ShrunkenRow[]> {
  const rows: ShrunkenRow[] = []
  for (const entry of run.entries) {
    const id = evaluationIdOf(entry)
    const cells = run.accuracy({ ...id, by }).filter(({ n }) => n > 0)
    if (cells.length < 2) {
      const reason = 'one cell with images does not tell how cells differ'
      const alone = cells.map(({ group, n, top1 }) => ({ group, n, accuracy: top1! }))
      rows.push(...alone.map(cell => ({ ...id, ...cell, shrunken: null, interval: null, reason })))
      continue
    }
    const clusters = await countByHousehold(entry, by, run.entries)
    const effective = clusters && effectiveCounts(clusterMoments(clusters))
    const shares = shrunkenShares(
      cells.map(
        ({ group, n, top1 }) => effective?.get(group) ?? { n, hits: Math.round(n * top1!) },
      ),
    )
    const own = cells.map(({ group, n, top1 }, i): ShrunkenRow => {
      const { value, interval } = shares[i]!
      return { ...id, group, n, accuracy: top1!, shrunken: value, interval, reason: null }
    })
    rows.push(...own.sort((a, b) => a.shrunken! - b.shrunken!))
  }
  return rows
}

/** A number about income and region. */
export interface IncomeRegionRow extends EvaluationId, Estimate {
  what: string
  n: number | null
  p: number | null
}

/** Returns the differences at each income, at equal income, the slopes of regions and the test of their equality. */
export async function incomeRegionRows(
  run: Run,
  { by, minN }: { by: string; minN: number },
): Promise<IncomeRegionRow[]> {
  const rows: IncomeRegionRow[] = []
  for (const entry of run.entries) {
    const income = await incomeColumnOf(entry, run)
    if (income === null) continue
    const id = evaluationIdOf(entry)
    const levels = await countCombinations(entry, [by, income], { run })
    const pair = groupPairs(levels, minN)?.headline
    if (pair) rows.push(...levelRows(levels, pair).map(row => ({ ...id, ...row })))
    rows.push(...(await slopeRows(entry, by, { run, levels })).map(row => ({ ...id, ...row })))
  }
  return rows
}

type IncomeRegionValue = Omit<IncomeRegionRow, keyof EvaluationId>

function levelRows(
  levels: readonly CombinationCounts[],
  [first, second]: [string, string],
): IncomeRegionValue[] {
  const clusters = levels.flatMap(({ values, cluster, n, top1 }): IncomeClusterCounts[] =>
    cluster === undefined ? [] : [{ income: values[1]!, group: values[0]!, cluster, n, top1 }],
  )
  const counts = groupBy(
    levels.map(({ values, n, top1 }) => ({
      groups: { group: values[0]!, income: values[1]! },
      n,
      top1,
    })),
    ['income', 'group'],
  ).groups.map(({ groups, n, top1 }) => ({
    income: String(groups['income']),
    group: String(groups['group']),
    n,
    top1,
  }))
  const found = incomeControlled(counts, {
    first,
    second,
    clusters: clusters.length > 0 ? clusters : null,
  })
  const pair = `${first} − ${second}`
  return [
    ...found.rows.map(({ income, n, difference, interval, reason }) => ({
      what: `${pair} at ${income}`,
      n: n[0] + n[1],
      value: difference,
      interval,
      p: null,
      reason: reason && `${income}: ${reason}`,
    })),
    { what: `${pair} at equal income`, n: null, p: null, ...found.controlled },
  ]
}

async function slopeRows(
  entry: StoredEvaluation,
  by: string,
  { run, levels }: { run: Run; levels: readonly CombinationCounts[] },
): Promise<IncomeRegionValue[]> {
  const numeric = await numericIncomes(entry, by, run)
  const named = numeric ?? namedIncomes(levels)
  const unit = numeric ? 'per doubling of income' : 'per income level'
  if (!named)
    return [
      {
        what: `slope ${unit}`,
        n: null,
        value: null,
        interval: null,
        p: null,
        reason: `the order of these incomes is not known: ${[...new Set(levels.map(({ values }) => values[1]!))].slice(0, 4).join(', ')}`,
      },
    ]
  const { slopes, interactionP, reason } = incomeSlopes(named)
  return [
    ...slopes.map(({ group, n, slope, interval, p, reason }) => ({
      what: `${group}: slope ${unit}`,
      n,
      value: slope,
      interval,
      p,
      reason,
    })),
    {
      what: 'income × region: equal slopes',
      n: null,
      value: null,
      interval: null,
      p: interactionP,
      reason,
    },
  ]
}

/** Returns the logarithms to base 2 of incomes in numbers; null if the evaluation has none. */
async function numericIncomes(
  entry: StoredEvaluation,
  by: string,
  run: Run,
): Promise<IncomePoint[] | null> {
  if (!entry.shards[0]!.columns.includes('income')) return null
  const cells = await countCombinations(entry, [by, 'income'], { run })
  const points = cells.map(({ values: [group, income], ...rest }) => ({
    group: group!,
    x: Math.log2(Number(income)),
    ...rest,
  }))
  return points.every(({ x }) => Number.isFinite(x)) && new Set(points.map(({ x }) => x)).size > 4
    ? points
    : null
}

const incomeOrder = [
  /^(low|poor)/i,
  /^lower[- ]?middle/i,
  /^middle/i,
  /^upper[- ]?middle/i,
  /^(high|rich)/i,
]

/** Returns income levels by their order, the poorest first: Q4 to Q1 as in the paper, or low to high; null for other names. */
function namedIncomes(levels: readonly CombinationCounts[]): IncomePoint[] | null {
  const rank = (name: string): number => {
    const quarter = /^Q(\d)/.exec(name)?.[1]
    if (quarter !== undefined) return 5 - Number(quarter)
    return incomeOrder.findLastIndex(pattern => pattern.test(name))
  }
  const points = levels.map(({ values: [group, income], ...rest }) => ({
    group: group!,
    x: rank(income!),
    ...rest,
  }))
  return points.every(({ x }) => x >= 0) ? points : null
}

import {
  accuracyDifference,
  checkCounts,
  type Counts,
  type Difference,
  type GroupCounts,
} from './accuracy.ts'
import { clusteredInterval } from './disparity.ts'
import { type ClusterCounts } from './permutationTest.ts'
import { type Estimate, smoothedShare, undefinedEstimate, zOf } from './intervals.ts'
import { checkFinite, quantile } from './numbers.ts'
import { inputError } from '../lib/errors.ts'

/** Income bounds of the quartiles: Q1 is the richest, as in the paper's code. */
export interface IncomeQuartiles {
  /** 25 %, 50 % and 75 % quantiles of the incomes, in the unit of the input. */
  bounds: readonly [number, number, number]
  /** For each input; null where no income is known. An income on a bound belongs to the lower quartile. */
  quartile: ('Q1' | 'Q2' | 'Q3' | 'Q4' | null)[]
}

/** Quartiles of the known incomes (pandas' `qcut`). Null where fewer than four differ. Errors: not-a-number. */
export function incomeQuartiles(incomes: readonly (number | null)[]): IncomeQuartiles | null {
  const sorted = incomes.filter(income => income !== null).sort((a, b) => a - b)
  for (const income of sorted) checkFinite(income, 'income')
  if (new Set(sorted).size < 4) return null
  const bounds = [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)] as const
  const name = (income: number): 'Q1' | 'Q2' | 'Q3' | 'Q4' => {
    if (income <= bounds[0]) return 'Q4'
    if (income <= bounds[1]) return 'Q3'
    return income <= bounds[2] ? 'Q2' : 'Q1'
  }
  return { bounds, quartile: incomes.map(income => (income === null ? null : name(income))) }
}

/** Numbers of more different values than this are cut into quartiles. */
export const maxIncomeLevels = 12

/** Names of the quartiles with their bounds, the lowest incomes (Q4) first. */
export function quartileNames(bounds: IncomeQuartiles['bounds']): string[] {
  const [low, middle, high] = bounds.map(bound =>
    bound.toLocaleString('en-US', { maximumFractionDigits: 1 }),
  )
  return [`Q4 (to ${low!})`, `Q3 (to ${middle!})`, `Q2 (to ${high!})`, `Q1 (above ${high!})`]
}

/** Counts of one region within one income level. */
export interface IncomeCounts extends Counts {
  income: string
  group: string
}

/** The images that two groups have at one income. */
export interface IncomeRow extends Difference {
  income: string
  reason: string | null
}

/** Accuracy differences between two groups at each income level and at equal income. */
export interface IncomeControlled {
  rows: IncomeRow[]
  /**
   * What remains of the difference at equal income: mean of the rows' differences, weighted by the images that both groups
   * have together at the income (rows that lack a group are left out).
   */
  controlled: Estimate
}

/** Counts of one household at one income level. */
export interface IncomeClusterCounts extends ClusterCounts {
  income: string
}

/** Options of `incomeControlled`. */
export interface IncomeControlledOptions {
  /** Default Europe. */
  first?: string
  /** Default Africa. */
  second?: string
  confidence?: number
  /** Counts by household; null for independent images. */
  clusters?: readonly IncomeClusterCounts[] | null
}

/** Returns the difference between two groups at each income level (table 8). Errors: bad-counts, duplicate-row. */
export function incomeControlled(
  cells: readonly IncomeCounts[],
  options: IncomeControlledOptions = {},
): IncomeControlled {
  const { first = 'Europe', second = 'Africa', confidence = 0.95, clusters = null } = options
  const seen = new Set<string>()
  for (const cell of cells) {
    checkCounts(cell, `${cell.group} at ${cell.income}`)
    const key = JSON.stringify([cell.income, cell.group])
    if (seen.has(key))
      throw inputError('duplicate-row', `duplicate row: ${cell.group} at ${cell.income}`)
    seen.add(key)
  }
  const levels = [...new Set(cells.map(cell => cell.income))].sort()
  const strata = levels.map(income => {
    const atIncome = <T extends { income: string }>(all: readonly T[]): T[] =>
      all.filter(one => one.income === income)
    const [a, b] = [first, second].map(
      group => atIncome(cells).find(cell => cell.group === group) ?? { group, n: 0, top1: 0 },
    ) as [GroupCounts, GroupCounts]
    return stratum([a, b], clusters && atIncome(clusters), confidence)
  })
  const rows = strata.map(({ row }, i) => ({ income: levels[i]!, ...row }))
  return { rows, controlled: controlledDifference(strata, confidence) }
}

/** The difference at one income level, and by how much households inflate the variance of each group. */
interface Stratum {
  row: Omit<IncomeRow, 'income'>
  inflation: readonly [number, number]
}

function stratum(
  pair: readonly [GroupCounts, GroupCounts],
  clusters: readonly ClusterCounts[] | null,
  confidence: number,
): Stratum {
  const row = accuracyDifference(pair[0], pair[1], confidence)
  const empty = pair.find(({ n }) => n === 0)
  if (empty) return { row: { ...row, reason: `no images in ${empty.group}` }, inflation: [1, 1] }
  if (!clusters) return { row: { ...row, reason: null }, inflation: [1, 1] }
  const { interval, reason, inflation } = clusteredInterval(pair, clusters, confidence)
  return { row: { ...row, interval, reason }, inflation }
}

/** Stratified difference; its variance adds the rows' with half a success added to both sides, so that no row is certain. */
function controlledDifference(strata: readonly Stratum[], confidence: number): Estimate {
  const used = strata.filter(({ row }) => row.difference !== null)
  if (used.length === 0) return undefinedEstimate('no income level has images of both groups')
  const images = used.reduce((sum, { row }) => sum + row.n[0] + row.n[1], 0)
  let value = 0
  let variance = 0
  for (const { row, inflation } of used) {
    const { n, accuracy, difference } = row
    const weight = (n[0] + n[1]) / images
    value += weight * difference!
    for (const side of [0, 1] as const) {
      const share = smoothedShare(accuracy[side]! * n[side], n[side])
      variance += (weight * weight * share * (1 - share) * inflation[side]) / n[side]
    }
  }
  const reason = used.flatMap(({ row }) => row.reason ?? [])[0]
  if (reason !== undefined) return { value, interval: null, reason }
  const half = zOf(confidence) * Math.sqrt(variance)
  return { value, interval: [Math.max(-1, value - half), Math.min(1, value + half)], reason: null }
}

import { checkCounts, type Counts, type Difference, accuracyDifference } from './accuracy.ts'
import { type Estimate, undefinedEstimate, zOf } from './intervals.ts'
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

/** Difference between two groups at each income level (table 8). Errors: bad-counts, duplicate-row. */
export function incomeControlled(
  cells: readonly IncomeCounts[],
  first = 'Europe',
  second = 'Africa',
  confidence = 0.95,
): IncomeControlled {
  const seen = new Set<string>()
  for (const cell of cells) {
    checkCounts(cell, `${cell.group} at ${cell.income}`)
    const key = JSON.stringify([cell.income, cell.group])
    if (seen.has(key))
      throw inputError('duplicate-row', `duplicate row: ${cell.group} at ${cell.income}`)
    seen.add(key)
  }
  const levels = [...new Set(cells.map(cell => cell.income))].sort()
  const rows = levels.map(income => incomeRow(cells, income, [first, second], confidence))
  return { rows, controlled: controlledDifference(rows, confidence) }
}

function incomeRow(
  cells: readonly IncomeCounts[],
  income: string,
  groups: readonly [string, string],
  confidence: number,
): IncomeRow {
  const [a, b] = groups.map(
    group =>
      cells.find(cell => cell.income === income && cell.group === group) ?? { n: 0, top1: 0 },
  ) as [Counts, Counts]
  const row = accuracyDifference(a, b, confidence)
  const empty = groups.find((_, i) => row.accuracy[i] === null)
  return { income, ...row, reason: empty === undefined ? null : `no images in ${empty}` }
}

/** Stratified difference; its variance adds the rows' with half a success added to both sides, so that no row is certain. */
function controlledDifference(rows: readonly IncomeRow[], confidence: number): Estimate {
  const used = rows.filter(row => row.difference !== null)
  if (used.length === 0) return undefinedEstimate('no income level has images of both groups')
  const images = used.reduce((sum, row) => sum + row.n[0] + row.n[1], 0)
  let [value, variance] = [0, 0]
  for (const { n, accuracy, difference } of used) {
    const weight = (n[0] + n[1]) / images
    value += weight * difference!
    for (const side of [0, 1] as const) {
      const share = (accuracy[side]! * n[side] + 0.5) / (n[side] + 1)
      variance += (weight * weight * share * (1 - share)) / n[side]
    }
  }
  const half = zOf(confidence) * Math.sqrt(variance)
  return { value, interval: [Math.max(-1, value - half), Math.min(1, value + half)], reason: null }
}

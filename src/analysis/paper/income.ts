/** Table 8: Europe and Africa at equal income. */
import { incomeScheme } from '../../datasets/labels/incomes.ts'
import { groupBy } from '../../metrics/accuracy.ts'
import {
  incomeControlled,
  type IncomeCounts,
  incomeQuartiles,
} from '../../metrics/incomeControlled.ts'
import { wilson } from '../../metrics/intervals.ts'
import { testbedModel } from '../../models/testbed.ts'
import { type StoredEvaluation, shardPaths } from '../../results/store.ts'
import { parquetRows, query } from '../../lib/sql.ts'
import {
  compareWithPaper,
  type PaperComparison,
  type MeasuredValue,
  printedValues,
} from './comparison.ts'
import { noResultsText } from './disparities.ts'
import { type PaperView } from './paperView.ts'

const incomeBenchmark = 'dollarstreet'

export async function incomeRows(
  evidence: PaperView,
): Promise<{ rows: PaperComparison[]; notes: string[] }> {
  const model = testbedModel('clip-vit32-openai')
  const { counts, note } = await incomeCounts(evidence, model)
  const printed = printedValues('8')
  const found = incomeControlled(counts)
  const levels = ['Q1', 'Q2', 'Q3', 'Q4'].map(
    income =>
      found.rows.find(row => row.income === income) ?? {
        income,
        accuracy: [null, null] as const,
        reason: null,
      },
  )
  const lacking = counts.length === 0 ? noResultsText(model, incomeBenchmark) : null
  const rows = levels.flatMap(level => {
    const one = (quantity: string, unit: string, ours: MeasuredValue) =>
      compareWithPaper(
        { table: '8', set: model, row: level.income, quantity, unit },
        ours,
        printed(level.income, quantity),
      )
    const reason =
      lacking ??
      level.reason ??
      (level.accuracy[0] === null ? `no images of ${level.income}` : null)
    const share = (group: string, i: 0 | 1): MeasuredValue => {
      const cell = counts.find(cell => cell.income === level.income && cell.group === group)
      const interval = cell ? wilson(cell.top1, cell.n) : null
      return {
        value: level.accuracy[i],
        interval,
        n: 1,
        note: level.accuracy[i] === null ? reason : null,
      }
    }
    const difference =
      'difference' in level
        ? { value: level.difference, interval: level.interval, n: 1 }
        : { value: null }
    return [
      one('europe accuracy', 'percent', share('Europe', 0)),
      one('africa accuracy', 'percent', share('Africa', 1)),
      one('disparity', 'points', { ...difference, note: reason }),
    ]
  })
  const overall = { ...found.controlled, n: 1, note: lacking ?? found.controlled.reason }
  return { rows: [...rows, controlledRow(model, overall)], notes: [note] }
}

const controlledRow = (set: string, measured: MeasuredValue): PaperComparison =>
  compareWithPaper(
    { table: '8', set, row: 'all', quantity: 'disparity at equal income', unit: 'points' },
    measured,
    null,
  )

/** Counts by the data set's own income groups (the paper's bounds); without any, by quartiles of its incomes. */
async function incomeCounts(
  evidence: PaperView,
  model: string,
): Promise<{ counts: IncomeCounts[]; note: string }> {
  const entry = evidence.evaluationOf(incomeBenchmark, model)
  const stored = entry?.shards[0]!.columns ?? []
  if (entry && stored.includes('income') && !stored.includes('income_group'))
    return quartileCounts(entry)
  const scheme = incomeScheme('dollarstreet-paper-1')
  const { groups } = groupBy(evidence.cellsOf(incomeBenchmark, model), ['income_group', 'region'])
  const counts = groups.map(({ groups: { income_group: income, region }, n, top1 }) => ({
    income: String(income),
    group: String(region),
    n,
    top1,
  }))
  const bounds = `bounds ${scheme.bounds.join(', ')} ${scheme.unit}`
  return {
    counts,
    note: `income groups as the paper's code has them: ${scheme.direction}; ${bounds}`,
  }
}

async function quartileCounts(
  entry: StoredEvaluation,
): Promise<{ counts: IncomeCounts[]; note: string }> {
  const rows = await query<{
    income: number
    region: string
    n: number
    top1: number
    images: number
  }>(
    `SELECT income::DOUBLE AS income, region, count(correct1)::DOUBLE AS n, count_if(correct1)::DOUBLE AS top1,
       count(*)::DOUBLE AS images
     FROM ${parquetRows()} WHERE income IS NOT NULL AND region IS NOT NULL GROUP BY ALL ORDER BY ALL`,
    [shardPaths(entry)],
  )
  const quartiles = incomeQuartiles(
    rows.flatMap(({ income, images }) => new Array<number>(images).fill(income)),
  )
  if (!quartiles) return { counts: [], note: 'fewer than four different incomes' }
  const sums = new Map<string, IncomeCounts>()
  let at = 0
  for (const { region, n, top1, images } of rows) {
    const income = quartiles.quartile[at]!
    at += images
    const key = JSON.stringify([income, region])
    const sum = sums.get(key) ?? { income, group: region, n: 0, top1: 0 }
    sums.set(key, { ...sum, n: sum.n + n, top1: sum.top1 + top1 })
  }
  const bounds = quartiles.bounds.map(bound => bound.toFixed(0)).join(', ')
  return {
    counts: [...sums.values()],
    note: `quartiles of these images' incomes (bounds ${bounds}); Q1 is the highest income, as in the paper's code`,
  }
}

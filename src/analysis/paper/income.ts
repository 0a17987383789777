/** Compares table 8 of the paper, Europe and Africa at equal income, with a run. */
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
import { comparisonRow, type MeasuredValue, type PaperComparison } from './comparison.ts'
import { noResultsText } from './disparities.ts'
import { type PaperView } from './paperView.ts'

const incomeBenchmark = 'dollarstreet'

export async function incomeRows(
  evidence: PaperView,
): Promise<{ rows: PaperComparison[]; notes: string[] }> {
  const model = testbedModel('clip-vit32-openai')
  const { counts, note } = await incomeCounts(evidence, model)
  const rowOf = comparisonRow('8')
  const found = incomeControlled(counts)
  const lacking = counts.length === 0 ? noResultsText(model, incomeBenchmark) : null
  const rows = ['Q1', 'Q2', 'Q3', 'Q4'].flatMap(income => {
    const level = found.rows.find(row => row.income === income)
    const reason = lacking ?? (level ? level.reason : `no images of ${income}`)
    const accuracyOf = (group: string): MeasuredValue => {
      const cell = counts.find(one => one.income === income && one.group === group)
      return cell && cell.n > 0
        ? { value: cell.top1 / cell.n, interval: wilson(cell.top1, cell.n), n: 1 }
        : { value: null, n: 1, note: reason }
    }
    const difference = {
      value: level?.difference ?? null,
      interval: level?.interval ?? null,
      n: level ? 1 : null,
      note: reason,
    }
    return [
      rowOf({ set: model, row: income, quantity: 'europe accuracy' }, accuracyOf('Europe')),
      rowOf({ set: model, row: income, quantity: 'africa accuracy' }, accuracyOf('Africa')),
      rowOf({ set: model, row: income, quantity: 'disparity' }, difference),
    ]
  })
  const overall = { ...found.controlled, n: 1, note: lacking ?? found.controlled.reason }
  const controlled = { set: model, row: 'all', quantity: 'disparity at equal income' }
  return { rows: [...rows, rowOf(controlled, overall)], notes: [note] }
}

/** Returns counts by the data set's own income groups (the paper's bounds), else by quartiles of its incomes. */
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

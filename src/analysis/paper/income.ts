/** Compares table 8 of the paper, Europe and Africa at equal income, with a run. */
import { incomeScheme } from '../../datasets/labels/incomes.ts'
import { groupBy } from '../../metrics/accuracy.ts'
import {
  type IncomeClusterCounts,
  incomeControlled,
  type IncomeCounts,
  maxIncomeLevels,
} from '../../metrics/incomeControlled.ts'
import { clusteredAccuracy, clusterMoments, groupClusterings } from '../../metrics/designEffect.ts'
import { testbedModel } from '../../models/testbed.ts'
import { countByHousehold } from '../../results/households.ts'
import { comparisonRow, type MeasuredValue, type PaperComparison } from './comparison.ts'
import { noResultsText } from './disparities.ts'
import { type PaperView } from './paperView.ts'

const incomeBenchmark = 'dollarstreet'

export async function incomeRows(
  evidence: PaperView,
): Promise<{ rows: PaperComparison[]; notes: string[] }> {
  const model = testbedModel('clip-vit32-openai')
  const { counts, clusters, note } = await incomeCounts(evidence, model)
  const rowOf = comparisonRow('8')
  const found = incomeControlled(counts, { clusters })
  const lacking = counts.length === 0 ? noResultsText(model, incomeBenchmark) : null
  const rows = ['Q1', 'Q2', 'Q3', 'Q4'].flatMap(income => {
    const level = found.rows.find(row => row.income === income)
    const reason = lacking ?? (level ? level.reason : `no images of ${income}`)
    const accuracyOf = (group: string): MeasuredValue => {
      const cell = counts.find(one => one.income === income && one.group === group)
      return cell && cell.n > 0
        ? clusteredValue(cell, clusters)
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

/** Returns the accuracy of a region at an income level with its interval over households, or the reason for none. */
function clusteredValue(cell: IncomeCounts, clusters: LevelCounts['clusters']): MeasuredValue {
  const own = clusters?.filter(({ income }) => income === cell.income)
  const clustering = own ? groupClusterings(clusterMoments(own)).get(cell.group)! : null
  const { top1, interval, reason } = clusteredAccuracy(cell, clustering)
  return { value: top1, interval, n: 1, note: reason }
}

/** Counts by income level and region. */
interface LevelCounts {
  counts: IncomeCounts[]
  /** Counts by household; null if the data set names none. */
  clusters: IncomeClusterCounts[] | null
  /** What the income levels are. */
  note: string
}

/** Returns counts by the data set's own income groups (the paper's bounds), else by the quarters of its images by income. */
async function incomeCounts(evidence: PaperView, model: string): Promise<LevelCounts> {
  const entry = evidence.evaluationOf(incomeBenchmark, model)
  const columns = ['income_group', 'region']
  const cells = evidence.cellsOf(incomeBenchmark, model)
  const groups = cells.some(cell => cell.groups['income_group'] != null)
    ? groupBy(cells, columns).groups
    : []
  const counts = groups.map(({ groups: { income_group, region }, n, top1 }) => ({
    income: levelOf(income_group!),
    group: String(region),
    n,
    top1,
  }))
  const households = entry && (await countByHousehold(entry, columns, evidence.run.entries))
  const clusters = households?.map(({ values: [income, region], cluster, n, top1 }) => ({
    income: levelOf(income!),
    group: region!,
    cluster,
    n,
    top1,
  }))
  const isOwn = !entry || entry.shards[0]!.columns.includes('income_group')
  const named = [...new Set(groups.map(group => String(group.groups['income_group'])))].sort()
  return { counts, clusters: clusters ?? null, note: isOwn ? ownLevelsNote() : quarterNote(named) }
}

/** Returns `Q1` for `Q1 (above 1,998)`, the name of a computed quarter. */
const levelOf = (incomeGroup: string | number): string => String(incomeGroup).replace(/ \(.*/, '')

function ownLevelsNote(): string {
  const { bounds, unit, direction } = incomeScheme('dollarstreet-paper-1')
  return `income groups as the paper's code has them: ${direction}; bounds ${bounds.join(', ')} ${unit}`
}

const quarterNote = (names: readonly string[]): string =>
  names.length === 0
    ? `no income groups: too few different incomes to cut them into quarters (at most ${maxIncomeLevels})`
    : `quarters of these images by income: ${names.join(', ')}; Q1 is the highest income, as in the paper's code`

/** Counts stored predictions for the dashboard, and adds the predictions that an evaluation stores meanwhile. */
import { type GroupValue } from '../datasets/dataset.ts'
import { groupByKey } from '../lib/tally.ts'
import { quoteIdentifier } from '../lib/sql.ts'
import { incomeColumns } from '../datasets/labels/incomes.ts'
import {
  type ColumnQuarter,
  columnQuarters,
  countNames,
  countTables,
  quarterSql,
  queryBatches,
} from '../results/counts.ts'
import { answerFromReadable } from '../results/currentResults.ts'
import {
  type EvaluationCellMoments,
  hasHouseholds,
  householdSums,
  readCellMoments,
} from '../results/households.ts'
import { type SumTable } from '../results/keptCounts.ts'
import { type StoredEvaluation } from '../results/storedEvaluations.ts'
import {
  byCountName,
  byDimension,
  byMomentName,
  type DatasetCounts,
  type Dimension,
  dimensions,
  type ModelCounts,
} from '../analysis/datasetCounts.ts'

/** Counts to which models and cells are added. */
export interface GrowingCounts extends DatasetCounts {
  values: Record<Dimension, string[]>
  codes: Record<Dimension, number[]>
  models: Map<string, ModelCounts & { state: string }>
  /** The stored column of the dimension `income`, and its quarters if it holds many different numbers. */
  income: { column: string; quarters: ColumnQuarter[] | null } | null
  positions: Map<string, number>
  /** The positions of the rows of a table, by its lists of values. */
  rowPositions: WeakMap<SumTable['keys'], readonly number[]>
}

export const emptyGrowingCounts = (): GrowingCounts => ({
  values: byDimension(() => []),
  codes: byDimension(() => []),
  models: new Map(),
  isClustered: false,
  income: null,
  positions: new Map(),
  rowPositions: new WeakMap(),
})

/** Returns the stored column of a dimension; '' if there is none. */
export const dimensionColumn = (
  { income }: Pick<GrowingCounts, 'income'>,
  dimension: Dimension,
): string => (dimension === 'income' ? (income?.column ?? '') : dimension)

/** Returns a text that changes when shards are added or written again. */
export const evaluationStateOf = ({ key, rows, created }: StoredEvaluation): string =>
  `${key} ${rows} ${created}`

/**
 * Counts the predictions of evaluations of one data set, except those that are counted already; `onCount` is told how many
 * evaluations were done.
 */
export async function countDataset(
  counts: GrowingCounts,
  entries: readonly StoredEvaluation[],
  onCount: (evaluations: number) => void,
): Promise<void> {
  const isCounted = (entry: StoredEvaluation): boolean =>
    counts.models.get(entry.identity.model)?.state === evaluationStateOf(entry)
  const open = entries.filter(entry => !isCounted(entry))
  onCount(entries.length - open.length)
  const alike = groupByKey(open, ({ shards }) => JSON.stringify(shards[0]!.columns))
  for (const members of alike.values())
    for (const some of queryBatches(members)) {
      await countAlike(counts, some)
      onCount(some.length)
    }
}

/** Counts evaluations that have equal columns. */
async function countAlike(counts: GrowingCounts, entries: StoredEvaluation[]): Promise<void> {
  const { columns } = entries[0]!.shards[0]!
  counts.isClustered ||= hasHouseholds(entries[0]!)
  const income = incomeColumns.find(column => columns.includes(column))
  const stored = ['region', 'country', ...(income === undefined ? [] : [income])].filter(column =>
    columns.includes(column),
  )
  const found = await answerFromReadable(
    { entries, failures: [] },
    async ({ entries: readable }) => {
      if (readable.length === 0) return new Map<string, EvaluationAnswers>()
      if (income !== undefined && !counts.income)
        counts.income = { column: income, quarters: await columnQuarters(readable[0]!, income) }
      const quarters = counts.income?.quarters
      const columns = stored.map(name => {
        const sql = quoteIdentifier(name)
        return { name, sql: quarters && name === income ? quarterSql(quarters, sql) : sql }
      })
      const tables = await countTables(readable, [{ name: 'label', sql: 'label' }, ...columns])
      const moments = await readCellMoments(readable, columns)
      return new Map(
        readable.map(({ key }, i) => [key, { table: tables[i]!, moments: moments[i]! }]),
      )
    },
  )
  for (const entry of entries) {
    const { table, moments } = found.get(entry.key) ?? { table: null, moments: null }
    counts.models.set(entry.identity.model, {
      ...countColumns(counts, table, stored),
      households: moments && householdColumns(counts, moments, stored),
      state: evaluationStateOf(entry),
    })
  }
}

interface EvaluationAnswers {
  table: SumTable
  moments: EvaluationCellMoments | null
}

/** Returns the counts of one evaluation by the position of the cell; `top5` is -1 where it is not known. */
function countColumns(
  counts: GrowingCounts,
  table: SumTable | null,
  stored: readonly string[],
): Omit<ModelCounts, 'households'> {
  const positions = table ? positionsOf(counts, table.keys, ['label', ...stored]) : []
  const sumsOf = (name: (typeof countNames)[number]): SumTable['sums'][number] =>
    table?.sums[countNames.indexOf(name)] ?? []
  const columns = byCountName(name => {
    const column = new Int32Array(counts.positions.size)
    for (const [row, value] of sumsOf(name).entries()) column[positions[row]!]! += value ?? 0
    return column
  })
  const n = sumsOf('n')
  for (const [row, top5] of sumsOf('top5').entries())
    if (n[row]! > 0 && top5 === null) columns.top5[positions[row]!] = -1
  return columns
}

/** Returns the positions of the cells of rows, of which `columns` names the lists of values. */
function positionsOf(
  counts: GrowingCounts,
  keys: SumTable['keys'],
  columns: readonly string[],
): readonly number[] {
  const known = counts.rowPositions.get(keys)
  if (known) return known
  const lists = byDimension(dimension => keys[columns.indexOf(dimensionColumn(counts, dimension))])
  const rows = keys[0]?.length ?? 0
  const positions = Array.from({ length: rows }, (_, row) =>
    cellOf(counts, dimension => lists[dimension]?.[row] ?? null),
  )
  counts.rowPositions.set(keys, positions)
  return positions
}

/** Returns the sums over households of each cell, and of the classes of a place together in cells without a class. */
function householdColumns(
  counts: GrowingCounts,
  { places, classes }: EvaluationCellMoments,
  stored: readonly string[],
): ModelCounts['households'] {
  const placed = [
    { table: places, positions: positionsOf(counts, places.keys, stored) },
    { table: classes, positions: positionsOf(counts, classes.keys, [...stored, 'label']) },
  ]
  return byMomentName(name => {
    const column = new Float64Array(counts.positions.size)
    for (const { table, positions } of placed)
      for (const [row, value] of householdSums(table, name).entries())
        column[positions[row]!]! += value
    return column.map(value => (Number.isInteger(value) ? value : Number(value.toFixed(6))))
  })
}

/** Returns the position of the cell of an image's values; a new cell is added. */
export function cellOf(
  counts: GrowingCounts,
  valueOf: (dimension: Dimension) => GroupValue,
): number {
  const texts = byDimension(dimension => {
    const value = valueOf(dimension)
    if (value === null) return null
    const quarters = dimension === 'income' ? counts.income?.quarters : null
    return quarters?.find(({ high }) => Number(value) <= high)?.name ?? String(value)
  })
  const key = JSON.stringify(Object.values(texts))
  const known = counts.positions.get(key)
  if (known !== undefined) return known
  const position = counts.positions.size
  counts.positions.set(key, position)
  for (const dimension of dimensions)
    counts.codes[dimension].push(codeOf(counts.values[dimension], texts[dimension]))
  return position
}

function codeOf(values: string[], text: string | null): number {
  if (text === null) return -1
  const code = values.indexOf(text)
  return code >= 0 ? code : values.push(text) - 1
}

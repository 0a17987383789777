/** Counts stored predictions for the dashboard, and adds the predictions that an evaluation stores meanwhile. */
import { type GroupValue } from '../datasets/dataset.ts'
import { ownValue } from '../lib/ownValue.ts'
import { incomeColumns } from '../datasets/labels/incomes.ts'
import { type ColumnQuarter, columnQuarters, countByColumns } from '../results/counts.ts'
import { answerFromReadable } from '../results/current.ts'
import { hasHouseholds, readCellMoments } from '../results/households.ts'
import { type StoredEvaluation } from '../results/store.ts'
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
}

export const emptyGrowingCounts = (): GrowingCounts => ({
  values: byDimension(() => []),
  codes: byDimension(() => []),
  models: new Map(),
  isClustered: false,
  income: null,
  positions: new Map(),
})

/** Returns the stored column of a dimension; '' if there is none. */
export const dimensionColumn = (
  { income }: Pick<GrowingCounts, 'income'>,
  dimension: Dimension,
): string => (dimension === 'income' ? (income?.column ?? '') : dimension)

/** Returns a text that changes when shards are added or written again. */
export const evaluationStateOf = ({ key, rows, created }: StoredEvaluation): string =>
  `${key} ${rows} ${created}`

/** Counts an evaluation's predictions unless they are counted already. */
export async function countEvaluation(
  counts: GrowingCounts,
  entry: StoredEvaluation,
): Promise<void> {
  const { model } = entry.identity
  const state = evaluationStateOf(entry)
  if (counts.models.get(model)?.state === state) return
  const { columns } = entry.shards[0]!
  counts.isClustered ||= hasHouseholds(entry)
  const income = incomeColumns.find(column => columns.includes(column))
  const split = ['region', 'country', ...(income === undefined ? [] : [income])]
  const cells = await answerFromReadable(
    { entries: [entry], failures: [] },
    async ({ entries: [readable] }) => {
      if (!readable) return []
      if (income !== undefined && !counts.income)
        counts.income = { column: income, quarters: await columnQuarters(readable, income) }
      return countByColumns(readable, split)
    },
  )
  const positions = cells.map(({ groups, label }) =>
    cellOf(counts, dimension =>
      dimension === 'label'
        ? label
        : (ownValue(groups, dimensionColumn(counts, dimension)) ?? null),
    ),
  )
  const columnsOfCounts = byCountName(name => {
    const sums = new Int32Array(counts.positions.size)
    for (const [i, cell] of cells.entries()) sums[positions[i]!]! += cell[name] ?? 0
    return sums
  })
  for (const [i, { n, top5 }] of cells.entries())
    if (n > 0 && top5 === undefined) columnsOfCounts.top5[positions[i]!] = -1
  const households = await householdColumns(counts, entry, income ?? null)
  counts.models.set(model, { ...columnsOfCounts, households, state })
}

/** Reads the sums over households of each cell, and of the classes of a place together in cells without a class. */
async function householdColumns(
  counts: GrowingCounts,
  entry: StoredEvaluation,
  income: string | null,
): Promise<ModelCounts['households']> {
  const stored = ['region', 'country', ...(income === null ? [] : [income])].filter(column =>
    entry.shards[0]!.columns.includes(column),
  )
  const moments = await answerFromReadable(
    { entries: [entry], failures: [] },
    async ({ entries: [readable] }) => (readable ? readCellMoments(readable, stored) : null),
  )
  if (!moments) return null
  const placed = [...moments.places, ...moments.classes].map(({ values, sums }) => ({
    sums,
    position: cellOf(counts, dimension => {
      const column = dimension === 'label' ? 'label' : dimensionColumn(counts, dimension)
      return values[[...stored, 'label'].indexOf(column)] ?? null
    }),
  }))
  return byMomentName(name => {
    const column = new Float64Array(counts.positions.size)
    for (const { sums, position } of placed) column[position]! += sums[name]
    return column.map(value => Number(value.toFixed(6)))
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

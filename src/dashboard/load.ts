/** Counts stored predictions for the dashboard, and adds the predictions that an evaluation stores meanwhile. */
import { type GroupValue } from '../datasets/dataset.ts'
import { incomeColumns } from '../datasets/labels/incomes.ts'
import { incomeQuarters, type IncomeQuarter } from '../analysis/imagePairs.ts'
import { countByColumns, type CountsCell } from '../results/counts.ts'
import { type StoredEvaluation } from '../results/store.ts'
import {
  type DatasetCounts,
  type Dimension,
  dimensions,
  type ModelCounts,
} from '../analysis/datasetCounts.ts'

/** Counts that grow: models come and go, cells are only added. */
export interface GrowingCounts extends DatasetCounts {
  values: Record<Dimension, string[]>
  codes: Record<Dimension, number[]>
  models: Map<string, ModelCounts & { state: string }>
  /** The stored column of the dimension `income`, and its quarters if it holds many different numbers. */
  income: { column: string; quarters: IncomeQuarter[] | null } | null
  positions: Map<string, number>
}

export const emptyGrowingCounts = (): GrowingCounts => ({
  values: { region: [], country: [], income: [], label: [] },
  codes: { region: [], country: [], income: [], label: [] },
  models: new Map(),
  income: null,
  positions: new Map(),
})

/** Returns a text that changes when shards are added or written again. */
export const evaluationStateOf = ({ key, rows, created }: StoredEvaluation): string =>
  `${key} ${rows} ${created}`

/** Counts an evaluation's predictions unless they are counted already. */
export async function countEvaluation(cube: GrowingCounts, entry: StoredEvaluation): Promise<void> {
  const { model } = entry.identity
  const state = evaluationStateOf(entry)
  if (cube.models.get(model)?.state === state) return
  const { columns } = entry.shards[0]!
  const income = incomeColumns.find(column => columns.includes(column))
  const cells = await countByColumns(entry, [
    'region',
    'country',
    ...(income === undefined ? [] : [income]),
  ])
  if (income !== undefined) cube.income ??= { column: income, quarters: quartersOf(cells, income) }
  const positions = cells.map(({ groups, label }) =>
    cellOf(cube, {
      region: groups['region'] ?? null,
      country: groups['country'] ?? null,
      income: (cube.income && groups[cube.income.column]) ?? null,
      label,
    }),
  )
  const column = (name: keyof ModelCounts): Int32Array => {
    const sums = new Int32Array(cube.positions.size)
    for (const [i, cell] of cells.entries()) sums[positions[i]!]! += cell[name]
    return sums
  }
  cube.models.set(model, {
    n: column('n'),
    top1: column('top1'),
    top5: column('top5'),
    errors: column('errors'),
    state,
  })
}

const quartersOf = (cells: readonly CountsCell[], column: string): IncomeQuarter[] | null =>
  incomeQuarters(
    cells.flatMap(({ groups, n, errors, unscored }) => {
      const value = groups[column]
      return typeof value === 'number' ? new Array<number>(n + errors + unscored).fill(value) : []
    }),
  )

/** Returns the name of an income or of its quarter. */
function incomeName({ income }: GrowingCounts, value: GroupValue): string | null {
  if (value === null) return null
  return income?.quarters?.find(({ high }) => Number(value) <= high)?.name ?? String(value)
}

/** Returns the position of the cell of these values, which is added if it is new. */
export function cellOf(
  cube: GrowingCounts,
  { region, country, income, label }: Record<Dimension, GroupValue>,
): number {
  const texts: Record<Dimension, string | null> = {
    region: textOf(region),
    country: textOf(country),
    income: incomeName(cube, income),
    label: textOf(label),
  }
  const key = JSON.stringify(Object.values(texts))
  const known = cube.positions.get(key)
  if (known !== undefined) return known
  const at = cube.positions.size
  cube.positions.set(key, at)
  for (const dimension of dimensions)
    cube.codes[dimension].push(codeOf(cube.values[dimension], texts[dimension]))
  return at
}

const textOf = (value: GroupValue): string | null => (value === null ? null : String(value))

function codeOf(values: string[], text: string | null): number {
  if (text === null) return -1
  const at = values.indexOf(text)
  return at >= 0 ? at : values.push(text) - 1
}

/** Makes the dashboard's cubes from stored predictions, and adds what an evaluation stores meanwhile. */
import { type GroupValue } from '../datasets/dataset.ts'
import { incomeColumns } from '../datasets/labels/incomes.ts'
import { incomeQuarters, type IncomeQuarter } from '../analysis/imagePairs.ts'
import { countByColumns } from '../results/counts.ts'
import { type CountsCell, type StoredEvaluation } from '../results/store.ts'
import {
  type DatasetCounts,
  type Dimension,
  dimensions,
  type ModelCounts,
} from '../analysis/datasetCounts.ts'

/** A cube that grows: models come and go, cells are only added. */
export interface GrowingCounts extends DatasetCounts {
  values: Record<Dimension, string[]>
  codes: Record<Dimension, number[]>
  models: Map<string, ModelCounts & { state: string }>
  /** The stored column of the dimension `income`, and its quarters where it is a column of many numbers. */
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

/** What of an entry a cube holds: changes when shards are added or made anew. */
const evaluationStateOf = ({ key, rows, created }: StoredEvaluation): string =>
  `${key} ${rows} ${created}`

/** Counts an entry's predictions unless the cube has them; true when it has changed. */
export async function countEvaluation(
  cube: GrowingCounts,
  entry: StoredEvaluation,
): Promise<boolean> {
  const { model } = entry.identity
  const state = evaluationStateOf(entry)
  if (cube.models.get(model)?.state === state) return false
  const { columns } = entry.shards[0]!
  const income = incomeColumns.find(column => columns.includes(column))
  const cells = await countByColumns(entry, [
    'region',
    'country',
    ...(income === undefined ? [] : [income]),
  ])
  if (income !== undefined) cube.income ??= { column: income, quarters: quartersOf(cells, income) }
  const positions = cells.map(cell => positionOf(cube, cell))
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
  return true
}

const quartersOf = (cells: readonly CountsCell[], column: string): IncomeQuarter[] | null =>
  incomeQuarters(
    cells.flatMap(({ groups, n, errors, unscored }) => {
      const value = groups[column]
      return typeof value === 'number' ? new Array<number>(n + errors + unscored).fill(value) : []
    }),
  )

/** The name of an income, or of the quarter that it is in; null where it is not known. */
export function incomeName({ income }: GrowingCounts, value: GroupValue): string | null {
  if (value === null) return null
  return income?.quarters?.find(({ high }) => Number(value) <= high)?.name ?? String(value)
}

function positionOf(cube: GrowingCounts, { groups, label }: CountsCell): number {
  const texts: Record<Dimension, string | null> = {
    region: textOf(groups['region']),
    country: textOf(groups['country']),
    income: cube.income ? incomeName(cube, groups[cube.income.column] ?? null) : null,
    label,
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

export const textOf = (value: GroupValue | undefined): string | null =>
  value == null ? null : String(value)

function codeOf(values: string[], text: string | null): number {
  if (text === null) return -1
  const at = values.indexOf(text)
  return at >= 0 ? at : values.push(text) - 1
}

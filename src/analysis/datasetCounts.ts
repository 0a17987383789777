/*
 * Computes the accuracies of the dashboard's views from counts by place, income and class, stored as columns. All models of a
 * data set share its cells, so a question about every model is one pass over short arrays. Runs on the server and in browsers.
 */
import { type Accuracy, accuracy } from '../metrics/accuracy.ts'

/** Columns by which images are grouped and filtered. */
export const dimensions = ['region', 'country', 'income', 'label'] as const
export type Dimension = (typeof dimensions)[number]
export type GroupFilter = Readonly<Partial<Record<Dimension, string>>>

/** Returns a record with a value for each dimension. */
export const byDimension = <T>(value: (dimension: Dimension) => T): Record<Dimension, T> => ({
  region: value('region'),
  country: value('country'),
  income: value('income'),
  label: value('label'),
})

/** Returns the dimensions for which a query has a value. */
export const groupFilter = (
  query: Readonly<Partial<Record<Dimension, string | undefined>>>,
): GroupFilter =>
  Object.fromEntries(dimensions.flatMap(name => (query[name] ? [[name, query[name]]] : [])))

type CountName = 'n' | 'top1' | 'top5' | 'errors'

/** The counts of one model in each cell; `top5` is -1 where only the first answer is known. */
export type ModelCounts = Readonly<Record<CountName, ArrayLike<number>>>

/** Returns a record with a value for each count. */
export const byCountName = <T>(value: (name: CountName) => T): Record<CountName, T> => ({
  n: value('n'),
  top1: value('top1'),
  top5: value('top5'),
  errors: value('errors'),
})

/** The cells of one data set. */
export interface DatasetCounts {
  /** The values of each dimension; `codes` are positions in this list. */
  values: Readonly<Record<Dimension, readonly string[]>>
  /** The position of each cell's value in `values`; -1 if the value is not known. */
  codes: Readonly<Record<Dimension, ArrayLike<number>>>
  models: ReadonlyMap<string, ModelCounts>
  /** Whether images come in households, by which these cells are not split: accuracies then have no interval. */
  isClustered: boolean
}

export interface AccuracyEstimate extends Pick<Accuracy, 'n' | 'errors' | 'top1' | 'top5'> {
  low: number | null
  high: number | null
}

export interface GroupAccuracyEstimate extends AccuracyEstimate {
  group: string
}

/** Returns the positions of the cells that match a filter. */
export function filterCells(dataset: DatasetCounts, filter: GroupFilter): number[] {
  const wanted = dimensions.flatMap(dimension => {
    const value = filter[dimension]
    return value === undefined
      ? []
      : [{ codes: dataset.codes[dimension], code: dataset.values[dimension].indexOf(value) }]
  })
  const cells: number[] = []
  for (let i = 0; i < dataset.codes.label.length; i++) {
    if (wanted.every(({ codes, code }) => code >= 0 && codes[i] === code)) cells.push(i)
  }
  return cells
}

interface CellSum {
  n: number
  top1: number
  top5: number | null
  errors: number
}

const emptySum = (): CellSum => ({ n: 0, top1: 0, top5: 0, errors: 0 })

function addCounts(sum: CellSum, counts: ModelCounts, cell: number): void {
  sum.n += counts.n[cell] ?? 0
  sum.top1 += counts.top1[cell] ?? 0
  const top5 = counts.top5[cell] ?? 0
  sum.top5 = top5 < 0 || sum.top5 === null ? null : sum.top5 + top5
  sum.errors += counts.errors[cell] ?? 0
}

export function totalAccuracy(
  dataset: DatasetCounts,
  { counts, cells }: { counts: ModelCounts; cells: readonly number[] },
): AccuracyEstimate {
  const sum = emptySum()
  for (const cell of cells) addCounts(sum, counts, cell)
  return accuracyEstimate(dataset, sum)
}

/** Returns the accuracies of one model by one or several dimensions; cells without a value in one of them are left out. */
export function groupedAccuracies(
  dataset: DatasetCounts,
  by: readonly Dimension[],
  { counts, cells }: { counts: ModelCounts; cells: readonly number[] },
): GroupedAccuracy[] {
  const sums = new Map<number, { cell: number; sum: CellSum }>()
  for (const cell of cells) {
    let key = 0
    for (const dimension of by) {
      const code = dataset.codes[dimension][cell]!
      key = key < 0 || code < 0 ? -1 : key * dataset.values[dimension].length + code
    }
    if (key < 0) continue
    const known = sums.get(key) ?? { cell, sum: emptySum() }
    sums.set(key, known)
    addCounts(known.sum, counts, cell)
  }
  return [...sums.values()].map(({ cell, sum }) => ({
    values: by.map(dimension => dataset.values[dimension][dataset.codes[dimension][cell]!]!),
    rate: accuracyEstimate(dataset, sum),
  }))
}

export interface GroupedAccuracy {
  /** The value in each of the dimensions. */
  values: string[]
  rate: AccuracyEstimate
}

function accuracyEstimate({ isClustered }: DatasetCounts, counts: CellSum): AccuracyEstimate {
  const { top5: within5, ...others } = counts
  const { n, errors, top1, top5, interval } = accuracy(
    within5 === null ? others : { ...others, top5: within5 },
  )
  const [low, high] = (isClustered ? null : interval) ?? [null, null]
  return { n, errors, top1, top5, low, high }
}

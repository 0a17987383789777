/*
 * Computes the accuracies of the dashboard's views from counts by place, income and class, stored as columns. All models of a
 * data set share its cells, so a question about every model is one pass over short arrays. Runs on the server and in browsers.
 */
import { type Accuracy, joinedName } from '../metrics/accuracy.ts'
import {
  clusteredAccuracy,
  type ClusterMoments,
  type GroupClustering,
  groupClusterings,
  independentImages,
} from '../metrics/designEffect.ts'

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

/** Sums over the households of each cell, as `ClusterMoments` has them; of several classes together in cells without a class. */
export type CellMomentColumns = Readonly<
  Record<Exclude<keyof ClusterMoments, 'group' | 'squares'>, ArrayLike<number>>
>

/** Returns a record with a value for each sum. */
export const byMomentName = <T>(
  value: (name: keyof CellMomentColumns) => T,
): Record<keyof CellMomentColumns, T> => ({
  n: value('n'),
  top1: value('top1'),
  clusters: value('clusters'),
  sizeSquares: value('sizeSquares'),
  hitSquares: value('hitSquares'),
  sizeHits: value('sizeHits'),
  hitShares: value('hitShares'),
})

/** The counts of one model in each cell; `top5` is -1 where only the first answer is known. */
export interface ModelCounts extends Readonly<Record<CountName, ArrayLike<number>>> {
  /** Null if images are independent, or if households lie in several cells, so that sums over cells would count them twice. */
  households: CellMomentColumns | null
}

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
  /** Whether images come in households: accuracies of models without sums over these have no interval. */
  isClustered: boolean
}

export interface AccuracyEstimate extends Pick<Accuracy, 'n' | 'errors' | 'top1' | 'top5'> {
  low: number | null
  high: number | null
  /** Why there is no accuracy or no interval. */
  reason: string | null
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

/** Cells of one model. */
interface ModelCells {
  counts: ModelCounts
  cells: readonly number[]
}

export function totalAccuracy(
  dataset: DatasetCounts,
  { counts, cells }: ModelCells,
): AccuracyEstimate {
  const sum = emptySum()
  for (const cell of cells) addCounts(sum, counts, cell)
  const clusterings = clusteringsOf(dataset, counts, [{ name: 'all', cells }])
  return accuracyEstimate(sum, clusterings('all'))
}

/** Returns the accuracies of one model by one or several dimensions; cells without a value in one of them are left out. */
export function groupedAccuracies(
  dataset: DatasetCounts,
  by: readonly Dimension[],
  { counts, cells }: ModelCells,
): GroupedAccuracy[] {
  const cellsByKey = new Map<number, number[]>()
  for (const cell of cells) {
    let key = 0
    for (const dimension of by) {
      const code = dataset.codes[dimension][cell]!
      key = key < 0 || code < 0 ? -1 : key * dataset.values[dimension].length + code
    }
    if (key < 0) continue
    const known = cellsByKey.get(key)
    if (known) known.push(cell)
    else cellsByKey.set(key, [cell])
  }
  const groups = [...cellsByKey.values()].map(own => {
    const values = by.map(
      dimension => dataset.values[dimension][dataset.codes[dimension][own[0]!]!]!,
    )
    return { values, name: joinedName(values), cells: own }
  })
  const clusterings = clusteringsOf(dataset, counts, groups)
  return groups.flatMap(({ values, name, cells: own }) => {
    const sum = emptySum()
    for (const cell of own) addCounts(sum, counts, cell)
    return { values, rate: accuracyEstimate(sum, clusterings(name)) }
  })
}

export interface GroupedAccuracy {
  /** The value in each of the dimensions. */
  values: string[]
  rate: AccuracyEstimate
}

/** Returns how households bear on each of the groups; null stands for independent images. */
function clusteringsOf(
  { isClustered, codes }: DatasetCounts,
  { households }: ModelCounts,
  groups: readonly { name: string; cells: readonly number[] }[],
): (name: string) => GroupClustering | null {
  if (!isClustered) return () => null
  if (!households) return () => ({ inflation: 1, reason: noHouseholdSums })
  const sums = groups.map(({ name, cells }) => sumMoments(name, households, { codes, cells }))
  const found = groupClusterings(sums.filter(({ n }) => n > 0))
  return name => found.get(name) ?? independentImages
}

const noHouseholdSums =
  'no interval: a household lies in several places or incomes, or its sums are not known'

/** Adds up the sums over households of a group: of cells without a class if there are any, as a household has several classes. */
function sumMoments(
  group: string,
  households: CellMomentColumns,
  { codes, cells }: Pick<DatasetCounts, 'codes'> & { cells: readonly number[] },
): ClusterMoments {
  const whole = cells.filter(cell => codes.label[cell] === -1)
  const used = whole.some(cell => households.n[cell]! > 0) ? whole : cells
  const total = byMomentName(name =>
    used.reduce((sum, cell) => sum + (households[name][cell] ?? 0), 0),
  )
  return { group, ...total }
}

function accuracyEstimate(
  { top5, ...counts }: CellSum,
  clustering: GroupClustering | null,
): AccuracyEstimate {
  const found = clusteredAccuracy(top5 === null ? counts : { ...counts, top5 }, clustering)
  const [low, high] = found.interval ?? [null, null]
  const { n, errors, top1, reason } = found
  return { n, errors, top1, top5: found.top5, low, high, reason }
}

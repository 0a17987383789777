/*
 * What the dashboard's views are made of: counts by place, income and class, as columns. All models of a data set share its
 * cells, so a question about every model is one pass over short arrays. This module runs on the server and in browsers.
 */
import { type Accuracy, accuracy } from '../metrics/accuracy.ts'

/** What images are grouped and filtered by. */
export const dimensions = ['region', 'country', 'income', 'label'] as const
export type Dimension = (typeof dimensions)[number]
export type GroupFilter = Readonly<Partial<Record<Dimension, string>>>

/** The dimensions that a query has values of. */
export const groupFilter = (
  query: Readonly<Partial<Record<Dimension, string | undefined>>>,
): GroupFilter =>
  Object.fromEntries(dimensions.flatMap(name => (query[name] ? [[name, query[name]]] : [])))

/** Counts of one model, cell by cell. */
export type ModelCounts = Readonly<Record<'n' | 'top1' | 'top5' | 'errors', ArrayLike<number>>>

/** One data set's cells. */
export interface DatasetCounts {
  /** The values of each dimension, in the order that `codes` count them in. */
  values: Readonly<Record<Dimension, readonly string[]>>
  /** For each cell the position of its value; -1 where the data set does not say. */
  codes: Readonly<Record<Dimension, ArrayLike<number>>>
  models: ReadonlyMap<string, ModelCounts>
}

export interface AccuracyEstimate extends Pick<Accuracy, 'n' | 'errors' | 'top1' | 'top5'> {
  low: number | null
  high: number | null
}

export interface GroupAccuracyEstimate extends AccuracyEstimate {
  group: string
}

/** Positions of the cells that a filter leaves. */
export function filterCells(cube: DatasetCounts, filter: GroupFilter): number[] {
  const wanted = dimensions.flatMap(dimension => {
    const value = filter[dimension]
    return value === undefined
      ? []
      : [{ codes: cube.codes[dimension], code: cube.values[dimension].indexOf(value) }]
  })
  const cells: number[] = []
  for (let i = 0; i < cube.codes.label.length; i++) {
    if (wanted.every(({ codes, code }) => code >= 0 && codes[i] === code)) cells.push(i)
  }
  return cells
}

const emptyCounts = () => ({ n: 0, top1: 0, top5: 0, errors: 0 })

function addCounts(sum: ReturnType<typeof emptyCounts>, counts: ModelCounts, cell: number): void {
  sum.n += counts.n[cell] ?? 0
  sum.top1 += counts.top1[cell] ?? 0
  sum.top5 += counts.top5[cell] ?? 0
  sum.errors += counts.errors[cell] ?? 0
}

export function totalAccuracy(counts: ModelCounts, cells: readonly number[]): AccuracyEstimate {
  const sum = emptyCounts()
  for (const cell of cells) addCounts(sum, counts, cell)
  return accuracyEstimate(sum)
}

/** Counts by the values of one or several dimensions; cells without one of them are left out. */
export function groupedAccuracies(
  cube: DatasetCounts,
  counts: ModelCounts,
  cells: readonly number[],
  by: readonly Dimension[],
): GroupedAccuracy[] {
  const sums = new Map<number, { cell: number; sum: ReturnType<typeof emptyCounts> }>()
  for (const cell of cells) {
    let key = 0
    for (const dimension of by) {
      const code = cube.codes[dimension][cell]!
      key = key < 0 || code < 0 ? -1 : key * cube.values[dimension].length + code
    }
    if (key < 0) continue
    const known = sums.get(key) ?? { cell, sum: emptyCounts() }
    sums.set(key, known)
    addCounts(known.sum, counts, cell)
  }
  return [...sums.values()].map(({ cell, sum }) => ({
    values: by.map(dimension => cube.values[dimension][cube.codes[dimension][cell]!]!),
    rate: accuracyEstimate(sum),
  }))
}

export interface GroupedAccuracy {
  /** One value for each dimension asked for. */
  values: string[]
  rate: AccuracyEstimate
}

/** Shares with Wilson's interval of top-1. */
function accuracyEstimate(counts: ReturnType<typeof emptyCounts>): AccuracyEstimate {
  const { n, errors, top1, top5, interval } = accuracy(counts)
  return { n, errors, top1, top5, low: interval?.[0] ?? null, high: interval?.[1] ?? null }
}

/** What each view of the dashboard shows, from counts alone. This module runs on the server and in browsers. */
import { minComparedImages, groupChanges, type GroupChange } from '../analysis/compare.ts'
import { type PairedCounts } from '../analysis/imagePairs.ts'
import { type PairCounts } from '../metrics/pairedTests.ts'
import { type Failure } from '../results/records.ts'
import {
  filterCells,
  type DatasetCounts,
  type Dimension,
  dimensions,
  type GroupFilter,
  groupedAccuracies,
  type GroupAccuracyEstimate,
  type AccuracyEstimate,
  totalAccuracy,
} from '../analysis/datasetCounts.ts'
import { type Finding } from './findings.ts'

export interface ModelFact {
  name: string
  family: string
  zeroShot: boolean
}

export interface DatasetFact {
  /** Its name, with the preprocessing where a run has more than one. */
  name: string
  title: string
  /** The data set's own name. */
  dataset: string
  /** Whether its images have regions or countries. */
  geographic: boolean
  /** The standard benchmark that others are compared with. */
  reference: boolean
  images: number
  models: readonly string[]
  values: Readonly<Record<Dimension, readonly string[]>>
  finding: Finding | null
}

/** What every view needs to know. */
export interface Overview {
  version: string
  madeUp: string | null
  /** There is a queue to look at. */
  cluster?: true
  models: readonly ModelFact[]
  datasets: readonly DatasetFact[]
  /** ISO 3166-1 numeric codes of countries. */
  countries: Readonly<Record<string, string>>
}

/** How far evaluations are. */
export interface DashboardProgress {
  /** Rows stored and rows asked for, over all evaluations that are not stale. */
  done: number
  asked: number
  evaluations: number
  complete: number
  /** Rows without a prediction. */
  errors: number
  /** Images a second over the last minutes and seconds left, while an evaluation runs. */
  running: { rate: number; left: number | null } | null
  /** Evaluations that are not complete, those at work first. */
  unfinished: readonly {
    model: string
    dataset: string
    state: string
    rows: number
    images: number | null
    message: string | null
  }[]
  failures: readonly Failure[]
}

export interface ScatterRow {
  model: string
  x: AccuracyEstimate
  y: AccuracyEstimate
}

/** Every model that both data sets have; the filter is of `y`. */
export function scatterRows(x: DatasetCounts, y: DatasetCounts, filter: GroupFilter): ScatterRow[] {
  const [allX, cells] = [filterCells(x, {}), filterCells(y, filter)]
  return [...y.models]
    .flatMap(([model, counts]) => {
      const other = x.models.get(model)
      return other
        ? [{ model, x: totalAccuracy(other, allX), y: totalAccuracy(counts, cells) }]
        : []
    })
    .sort((a, b) => (b.y.top1 ?? -1) - (a.y.top1 ?? -1))
}

export interface ModelView {
  overall: AccuracyEstimate
  /** By name, for the dimensions that the data set has. */
  groups: Partial<Record<Dimension, GroupAccuracyEstimate[]>>
  /** Class × region. */
  cells: { label: string; region: string; n: number; top1: number | null }[]
}

/** Numbers in names by their value. */
export const compareNames = new Intl.Collator('en', { numeric: true }).compare

export function modelView(cube: DatasetCounts, model: string, filter: GroupFilter): ModelView {
  const counts = cube.models.get(model)!
  const cells = filterCells(cube, filter)
  const groups = (...by: Dimension[]) => groupedAccuracies(cube, counts, cells, by)
  const present = dimensions.filter(dimension => cube.values[dimension].length > 0)
  return {
    overall: totalAccuracy(counts, cells),
    groups: Object.fromEntries(
      present.map(dimension => [
        dimension,
        groups(dimension)
          .map(({ values: [group = ''], rate }) => ({ group, ...rate }))
          .sort((a, b) => compareNames(a.group, b.group)),
      ]),
    ),
    cells: present.includes('region')
      ? groups('label', 'region').map(
          ({ values: [label = '', region = ''], rate: { n, top1 } }) => ({
            ...{ label, region, n, top1 },
          }),
        )
      : [],
  }
}

/** Outcomes of two models on the images of one cell, of one household where some are known. */
export type PairRow = PairCounts & Record<Dimension, string | null> & { cluster?: string | null }

export interface CompareView {
  rows: GroupChange[]
  tested: number
  leftOut: number
  minN: number
  households: number | null
}

export const matchesFilter = (
  row: Record<Dimension, string | null>,
  filter: GroupFilter,
): boolean =>
  dimensions.every(
    dimension => filter[dimension] === undefined || row[dimension] === filter[dimension],
  )

/** Images of a filter that only the second (`gained`) or only the first model has right. */
export const countFlips = (
  pairs: readonly PairRow[],
  change: Change,
  filter: GroupFilter,
): number =>
  pairs.reduce(
    (sum, row) =>
      matchesFilter(row, filter)
        ? sum + (change === 'gained' ? row.onlySecond : row.onlyFirst)
        : sum,
    0,
  )

/** Two models image by image, in the groups of one dimension. */
export function compareView(
  pairs: readonly PairRow[],
  by: Dimension,
  filter: GroupFilter,
): CompareView {
  const kept = pairs.filter(row => matchesFilter(row, filter))
  const cells = kept.flatMap((row): PairedCounts[] =>
    row[by] === null ? [] : [{ ...row, group: row[by], label: row.label ?? '' }],
  )
  const all = kept.map((row): PairedCounts => ({ ...row, group: 'all', label: row.label ?? '' }))
  const { leftOut, ...found } = groupChanges(new Map([[by, cells]]), minComparedImages, all)
  return { ...found, leftOut: leftOut.length }
}

/** What a model said about an image, most probable class first. */
export interface ModelAnswer {
  model: string
  /** Null where the image has no prediction or the model no class for it. */
  correct: boolean | null
  top: { label: string; p: number; accepted: boolean }[]
}

/** An image with what one or two models said about it. */
export interface GalleryItem extends Record<Exclude<Dimension, 'label'>, string | null> {
  id: string
  label: string
  /** Names of the classes that count as right. */
  accepted: string[]
  /** `ok`, or why there is no prediction. */
  status: string
  answers: ModelAnswer[]
  /** Address of a small picture. */
  image: string | null
}

export interface GalleryPage {
  total: number
  items: GalleryItem[]
}

export const pageSize = 24
export const outcomes = ['wrong', 'right', 'failed', 'all'] as const
export type Outcome = (typeof outcomes)[number]
/** `gained`: only the second model is right; `lost`: only the first. */
export const changes = ['gained', 'lost'] as const
export type Change = (typeof changes)[number]

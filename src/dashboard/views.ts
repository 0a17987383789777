/** Computes what the dashboard's views show from counts. This module runs on the server and in browsers. */
import { type ProgressPanel } from '../report/figures/progress.ts'
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
  /** Name of its data files, without an ending, in the folder of each data set. */
  file: string
  family: string
  /** The data set of its pretraining; null if not known. */
  pretraining: string | null
  /** Year of the latest paper on it; null if not known. */
  year: number | null
  zeroShot: boolean
}

export interface DatasetFact {
  /** Its name, followed by the preprocessing if the run has more than one. */
  name: string
  /** Folder of its data files. */
  folder: string
  title: string
  /** The data set's own name. */
  dataset: string
  preprocessing: string
  /** Whether its images have regions or countries. */
  geographic: boolean
  /** Whether it is the standard benchmark that others are compared with. */
  reference: boolean
  images: number
  models: readonly string[]
  /** Images with a prediction, and right ones, of each of `models`. */
  totals: Readonly<Record<'n' | 'top1', readonly number[]>>
  values: Readonly<Record<Dimension, readonly string[]>>
  finding: Finding | null
  /** Progress here beside that on standard benchmarks; null if no image has a place or too few models have both. */
  progress: ProgressFact | null
}

/** The progress of models on a geographic data set and on the standard benchmark that stands for the others. */
export interface ProgressFact {
  sentence: string
  /** The data set of the x axis. */
  reference: string
  /** The standard benchmark, or several whose mean counts. */
  standard: { title: string; datasets: readonly string[] }
  /** Lines over shares; null with too few models. */
  lines: ProgressPanel['lines']
  /** The models that the lines are fitted to. */
  models: readonly string[]
}

/** The models and data sets, which every view needs. */
export interface Overview {
  version: string
  madeUp: string | null
  /** Set if the server watches a queue. */
  cluster?: true
  models: readonly ModelFact[]
  datasets: readonly DatasetFact[]
  /** ISO 3166-1 numeric codes by the name of the country. */
  countries: Readonly<Record<string, string>>
  /** Names of countries and labels that the data sets write as codes. */
  names: Readonly<Record<string, string>>
}

/** The progress of the evaluations. */
export interface DashboardProgress {
  /** Rows stored and rows requested, over all evaluations that are not stale. */
  done: number
  asked: number
  evaluations: number
  complete: number
  /** Stored evaluations with another version or other settings than were asked for last, which are not counted. */
  stale: number
  /** Rows without a prediction. */
  errors: number
  /** Images per second over the last five minutes and seconds left; null if no evaluation runs. */
  running: { rate: number; left: number | null } | null
  /** Incomplete evaluations, running ones first. */
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

/** Returns the accuracies of every model that both data sets have. The filter applies to `y` only. */
export function scatterRows(x: DatasetCounts, y: DatasetCounts, filter: GroupFilter): ScatterRow[] {
  const allX = filterCells(x, {})
  const cells = filterCells(y, filter)
  return [...y.models]
    .flatMap(([model, counts]) => {
      const other = x.models.get(model)
      return other
        ? [
            {
              model,
              x: totalAccuracy(x, { counts: other, cells: allX }),
              y: totalAccuracy(y, { counts, cells }),
            },
          ]
        : []
    })
    .sort((a, b) => (b.y.top1 ?? -1) - (a.y.top1 ?? -1))
}

export interface ModelView {
  overall: AccuracyEstimate
  /** Groups in the order of their names, for each dimension that the data set has. */
  groups: Partial<Record<Dimension, GroupAccuracyEstimate[]>>
  /** Accuracy by class and region. */
  cells: { label: string; region: string; n: number; top1: number | null }[]
}

/** Compares names; digits in them count as numbers. */
export const compareNames = new Intl.Collator('en', { numeric: true }).compare

export function modelView(dataset: DatasetCounts, model: string, filter: GroupFilter): ModelView {
  const counts = dataset.models.get(model)
  if (!counts) throw new Error(`unknown model: ${model}`)
  const cells = filterCells(dataset, filter)
  const groups = (...by: Dimension[]) => groupedAccuracies(dataset, by, { counts, cells })
  const present = dimensions.filter(dimension => dataset.values[dimension].length > 0)
  return {
    overall: totalAccuracy(dataset, { counts, cells }),
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
            label,
            region,
            n,
            top1,
          }),
        )
      : [],
  }
}

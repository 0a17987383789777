/** Stored results as figures and reports ask for them: who is on which axis, which models in which order. */
import { cached } from '../lib/memoize.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { type AccuracyTable, accuracyTable } from '../metrics/progress.ts'
import { type Cell, distinct } from '../results/store.ts'
import { type AccuracyRow, type DisparityRow, cellsOf, type Run } from '../results/run.ts'
import { datasetTitle, placeColumn, type Roles, rolesOf } from './roles.ts'

export type Mode = AccuracyRow['preprocessing']

export interface ResultsOptions {
  /** Default: the mode that most results have, `native` when equal. */
  preprocessing?: string
  /** Groups with fewer images are left out of comparisons. Default 30. */
  minN?: number
}

/** One row × column of two grouping columns; accuracy in percent, null where no image has a prediction. */
export interface PairCell {
  row: string
  column: string
  n: number
  accuracy: number | null
}

/** One preprocessing's results of a run; every table is computed once. */
export interface Results {
  run: Run
  preprocessing: string
  minN: number
  roles: Roles
  /** Best first on the reference, then those without it. */
  models: readonly string[]
  /** The models that lines are fitted to: zero-shot models have a line of their own kind, so they stay out beside others. */
  fitted: readonly string[]
  /** Overall accuracies by data set and model. */
  table: AccuracyTable
  /** Rows by one column or several. */
  by: (...columns: readonly string[]) => readonly AccuracyRow[]
  /** One model's accuracies on a data set by two columns; `label` is the class. */
  pairs: (dataset: string, model: string, columns: readonly [row: string, column: string]) => PairCell[]
  /** By the place column of each geographic data set. */
  disparities: (dataset: string) => readonly DisparityRow[]
  /** How a data set is called in text. */
  title: (dataset: string) => string
  /** Images with a prediction, over one model's results. */
  images: (dataset: string) => number
  /** What says that a data set is made up; null when none is. */
  madeUp: string | null
}

export function resultsOf(run: Run, options: ResultsOptions = {}): Results {
  const preprocessing = options.preprocessing ?? commonMode(run)
  const minN = options.minN ?? defaultMinN
  const roles = rolesOf(run)
  const rows = cached((key: string) => run.accuracy({ by: JSON.parse(key) as string[], preprocessing }))
  const by = (...columns: readonly string[]): readonly AccuracyRow[] => rows(JSON.stringify(columns))
  const disparity = cached((column: string) => run.disparity({ by: column, minN, preprocessing }))
  const overall = by()
  const table = accuracyTable(
    overall.map(({ model, dataset, top1 }) => ({ model, benchmark: dataset, accuracy: top1 })),
  )
  const notes = [...run.datasets.values()].flatMap(({ madeUp }) => madeUp ?? [])
  const models = ordered(overall, roles.reference ?? overall[0]?.dataset ?? '')
  return {
    ...{ run, preprocessing, minN, roles, table, by, models },
    fitted: oneKind(run, models),
    pairs: (dataset, model, columns) => pairCells(cellsOf(run, { model, dataset, preprocessing }), columns),
    disparities: dataset => disparity(placeColumn(run, dataset)!).filter(row => row.dataset === dataset),
    title: titles(run),
    images: dataset => Math.max(0, ...overall.filter(row => row.dataset === dataset).map(({ n }) => n)),
    madeUp: notes[0] ?? null,
  }
}

function pairCells(cells: readonly Cell[], columns: readonly [string, string]): PairCell[] {
  const sums = new Map<string, { row: string; column: string; n: number; hits: number }>()
  for (const cell of cells) {
    const [row, column] = columns.map(name => (name === 'label' ? cell.label : (cell.groups[name] ?? null)))
    if (row == null || column == null) continue
    const key = JSON.stringify([row, column])
    const sum = sums.get(key) ?? { row: String(row), column: String(column), n: 0, hits: 0 }
    sums.set(key, { ...sum, n: sum.n + cell.n, hits: sum.hits + cell.top1 })
  }
  return [...sums.values()].map(({ row, column, n, hits }) => ({
    ...{ row, column, n },
    accuracy: n === 0 ? null : (100 * hits) / n,
  }))
}

/** All models, or without the zero-shot ones where at least two others are left. */
function oneKind(run: Run, models: readonly string[]): readonly string[] {
  const zeroShot = new Set(
    run.entries.filter(({ identity }) => identity.prompts !== '').map(({ identity }) => identity.model),
  )
  const others = models.filter(model => !zeroShot.has(model))
  return others.length < 2 ? models : others
}

/** The commonest, native before paper. */
function commonMode(run: Run): string {
  const modes = run.entries.map(({ identity }) => identity.preprocessing)
  const count = (mode: string): number => modes.filter(one => one === mode).length
  return [...new Set(modes)].sort().sort((a, b) => count(b) - count(a))[0] ?? 'native'
}

function ordered(overall: readonly AccuracyRow[], reference: string): string[] {
  const accuracy = new Map(overall.filter(row => row.dataset === reference).map(row => [row.model, row.top1 ?? -1]))
  const models = [...new Set(overall.map(({ model }) => model))]
  return models.sort((a, b) => (accuracy.get(b) ?? -2) - (accuracy.get(a) ?? -2) || (a < b ? -1 : 1))
}

/** Short titles where no two data sets share one. */
function titles(run: Run): (dataset: string) => string {
  const names = distinct(run.entries, 'dataset')
  const short = new Map(names.map(name => [name, datasetTitle(name)]))
  const shared = (title: string): boolean => [...short.values()].filter(other => other === title).length > 1
  return dataset => {
    const title = short.get(dataset) ?? datasetTitle(dataset)
    return shared(title) ? dataset : title
  }
}

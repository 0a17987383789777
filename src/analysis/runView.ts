/** Stored results as figures and reports ask for them: who is on which axis, which models in which order. */
import { memoize } from '../lib/memoize.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { type AccuracyTable, accuracyTable } from '../metrics/progress.ts'
import { sumByGroup } from '../metrics/accuracy.ts'
import { type CountsCell, distinctFieldValues } from '../results/store.ts'
import { type GroupAccuracyRow, type DisparityRow, countsOf, type Run } from '../results/run.ts'
import { datasetTitle, placeColumn, type DatasetRoles, datasetRoles } from './datasetRoles.ts'

export type ResultMode = GroupAccuracyRow['preprocessing']

export interface RunViewOptions {
  /** Default: the mode that most results have, `native` when equal. */
  preprocessing?: string
  /** Groups with fewer images are left out of comparisons. Default 30. */
  minN?: number
}

/** One row × column of two grouping columns; accuracy in percent, null where no image has a prediction. */
export interface GroupPairAccuracy {
  row: string
  column: string
  n: number
  accuracy: number | null
}

/** One preprocessing's results of a run; every table is computed once. */
export interface RunView {
  run: Run
  preprocessing: string
  minN: number
  roles: DatasetRoles
  /** Best first on the reference, then those without it. */
  models: readonly string[]
  /** The models that lines are fitted to: zero-shot models have a line of their own kind, so they stay out beside others. */
  fittedModels: readonly string[]
  /** Overall accuracies by data set and model. */
  accuracies: AccuracyTable
  /** Rows by one column or several. */
  accuracyBy: (...columns: readonly string[]) => readonly GroupAccuracyRow[]
  /** One model's accuracies on a data set by two columns; `label` is the class. */
  pairAccuracies: (
    dataset: string,
    model: string,
    columns: readonly [row: string, column: string],
  ) => GroupPairAccuracy[]
  /** By the place column of each geographic data set. */
  disparitiesOn: (dataset: string) => readonly DisparityRow[]
  /** How a data set is called in text. */
  titleOf: (dataset: string) => string
  /** Images with a prediction, over one model's results. */
  imageCount: (dataset: string) => number
  /** What says that a data set is made up; null when none is. */
  syntheticNote: string | null
}

export function runView(run: Run, options: RunViewOptions = {}): RunView {
  const preprocessing = options.preprocessing ?? commonestMode(run)
  const minN = options.minN ?? defaultMinN
  const roles = datasetRoles(run)
  const rows = memoize((key: string) =>
    run.accuracy({ by: JSON.parse(key) as string[], preprocessing }),
  )
  const by = (...columns: readonly string[]): readonly GroupAccuracyRow[] =>
    rows(JSON.stringify(columns))
  const disparity = memoize((column: string) => run.disparity({ by: column, minN, preprocessing }))
  const overall = by()
  const table = accuracyTable(
    overall.map(({ model, dataset, top1 }) => ({ model, benchmark: dataset, accuracy: top1 })),
  )
  const notes = [...run.datasets.values()].flatMap(({ madeUp }) => madeUp ?? [])
  const models = modelsByAccuracy(overall, roles.reference ?? overall[0]?.dataset ?? '')
  return {
    ...{ run, preprocessing, minN, roles, accuracies: table, accuracyBy: by, models },
    fittedModels: modelsForFit(run, models),
    pairAccuracies: (dataset, model, columns) =>
      groupPairAccuracies(countsOf(run, { model, dataset, preprocessing }), columns),
    disparitiesOn: dataset =>
      disparity(placeColumn(run, dataset)!).filter(row => row.dataset === dataset),
    titleOf: datasetTitles(run),
    imageCount: dataset =>
      Math.max(0, ...overall.filter(row => row.dataset === dataset).map(({ n }) => n)),
    syntheticNote: notes[0] ?? null,
  }
}

function groupPairAccuracies(
  cells: readonly CountsCell[],
  [row, column]: readonly [string, string],
): GroupPairAccuracy[] {
  return sumByGroup(cells, [row, column]).groups.map(({ groups, n, top1 }) => ({
    row: String(groups[row]),
    column: String(groups[column]),
    n,
    accuracy: n === 0 ? null : (100 * top1) / n,
  }))
}

/** All models, or without the zero-shot ones where at least two others are left. */
function modelsForFit(run: Run, models: readonly string[]): readonly string[] {
  const zeroShot = new Set(
    run.entries
      .filter(({ identity }) => identity.prompts !== '')
      .map(({ identity }) => identity.model),
  )
  const others = models.filter(model => !zeroShot.has(model))
  return others.length < 2 ? models : others
}

/** The commonest, native before paper. */
function commonestMode(run: Run): string {
  const modes = run.entries.map(({ identity }) => identity.preprocessing)
  const count = (mode: string): number => modes.filter(one => one === mode).length
  return [...new Set(modes)].sort().sort((a, b) => count(b) - count(a))[0] ?? 'native'
}

function modelsByAccuracy(overall: readonly GroupAccuracyRow[], reference: string): string[] {
  const accuracy = new Map(
    overall.filter(row => row.dataset === reference).map(row => [row.model, row.top1 ?? -1]),
  )
  const models = [...new Set(overall.map(({ model }) => model))]
  return models.sort(
    (a, b) => (accuracy.get(b) ?? -2) - (accuracy.get(a) ?? -2) || (a < b ? -1 : 1),
  )
}

/** Short titles where no two data sets share one. */
function datasetTitles(run: Run): (dataset: string) => string {
  const names = distinctFieldValues(run.entries, 'dataset')
  const short = new Map(names.map(name => [name, datasetTitle(name)]))
  const shared = (title: string): boolean =>
    [...short.values()].filter(other => other === title).length > 1
  return dataset => {
    const title = short.get(dataset) ?? datasetTitle(dataset)
    return shared(title) ? dataset : title
  }
}

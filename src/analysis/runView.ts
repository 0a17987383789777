/** Views the results of one preprocessing for figures, paper tables and reports. */
import { memoize } from '../lib/memoize.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { type AccuracyTable, accuracyTable, type RateOptions } from '../metrics/progress.ts'
import { sumByGroup } from '../metrics/accuracy.ts'
import { distinctFieldValues } from '../results/storedEvaluations.ts'
import { type CountsCell } from '../results/counts.ts'
import { type GroupAccuracyRow, type DisparityRow, type Run } from '../results/run.ts'
import { countsOf } from '../results/evaluationIndex.ts'
import {
  datasetRoles,
  type DatasetRoles,
  datasetTitle,
  placeColumn,
  syntheticNotes,
} from './datasetRoles.ts'
import {
  type LineModels,
  lineModelSets,
  modelFamilies,
  shownPreprocessing,
  zeroShotModels,
} from './modelRoles.ts'

/** What a view of a run shows. */
export interface RunViewOptions {
  /** Default: the mode of most evaluations, `native` if both have equally many. */
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

/** The results of one preprocessing of a run; every table is computed once. */
export interface RunView {
  run: Run
  preprocessing: string
  minN: number
  roles: DatasetRoles
  /** All models: those with results on the reference, best first, then the others. */
  models: readonly string[]
  zeroShot: ReadonlySet<string>
  /** The lines of models, as zero-shot models follow another line. */
  lines: readonly LineModels[]
  /** Models used for line fits: those of the first of `lines`. */
  fittedModels: readonly string[]
  /** Options of lines on the reference: the fitted models, their families and the images of the reference. */
  lineOptions: RateOptions
  /** Overall accuracies by data set and model. */
  accuracies: AccuracyTable
  /** Returns the accuracies by the given columns, or overall. */
  accuracyBy: (...columns: readonly string[]) => readonly GroupAccuracyRow[]
  /** Returns the accuracies of one model on one data set by two columns, one of which may be `label`. */
  pairAccuracies: (
    dataset: string,
    model: string,
    columns: readonly [row: string, column: string],
  ) => GroupPairAccuracy[]
  /** Returns the disparities between the regions or countries of a geographic data set. */
  disparitiesOn: (dataset: string) => readonly DisparityRow[]
  /** Returns the title of a data set in text. */
  titleOf: (dataset: string) => string
  /** Returns the number of images with a prediction, of the model that has most. */
  imageCount: (dataset: string) => number
  /** States that a data set is synthetic; null if none is. */
  syntheticNote: string | null
}

/** Creates a view of a run. */
export function runView(run: Run, options: RunViewOptions = {}): RunView {
  const preprocessing = options.preprocessing ?? shownPreprocessing(run)
  const minN = options.minN ?? defaultMinN
  const roles = datasetRoles(run, preprocessing)
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
  const models = modelsByAccuracy(overall, roles.reference ?? overall[0]?.dataset ?? '')
  const zeroShot = zeroShotModels(run)
  const lines = lineModelSets(models, zeroShot)
  const fittedModels = lines[0]!.models
  const reference = roles.reference ?? undefined
  return {
    run,
    preprocessing,
    minN,
    roles,
    lineOptions: {
      reference,
      models: fittedModels,
      families: modelFamilies(models),
      images: imagesByModel(overall.filter(({ dataset }) => dataset === reference)),
    },
    accuracies: table,
    accuracyBy: by,
    models,
    zeroShot,
    lines,
    fittedModels,
    pairAccuracies: (dataset, model, columns) =>
      groupPairAccuracies(countsOf(run, { model, dataset, preprocessing }), columns),
    disparitiesOn: dataset =>
      disparity(placeColumn(run, dataset)!).filter(row => row.dataset === dataset),
    titleOf: datasetTitles(run),
    imageCount: dataset =>
      Math.max(0, ...overall.filter(row => row.dataset === dataset).map(({ n }) => n)),
    syntheticNote: syntheticNotes(run)[0] ?? null,
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

/** Returns the model asked for, else the best, of those with an accuracy on the data set. */
export const modelToShow = (
  { accuracies: table }: Pick<RunView, 'accuracies'>,
  dataset: string,
  { model }: { model?: string | undefined } = {},
): string | undefined =>
  [...(table.get(dataset) ?? [])]
    .sort((a, b) => b[1] - a[1])
    .find(([name]) => name === (model ?? name))?.[0]

/** Returns the number of images behind each model's accuracy. */
export const imagesByModel = (
  rows: readonly { model: string; n: number }[],
): ReadonlyMap<string, number> => new Map(rows.map(({ model, n }) => [model, n]))

function modelsByAccuracy(overall: readonly GroupAccuracyRow[], reference: string): string[] {
  const accuracy = new Map(
    overall.filter(row => row.dataset === reference).map(row => [row.model, row.top1 ?? -1]),
  )
  const models = [...new Set(overall.map(({ model }) => model))]
  return models.sort(
    (a, b) => (accuracy.get(b) ?? -2) - (accuracy.get(a) ?? -2) || (a < b ? -1 : 1),
  )
}

/** Returns what names a data set: by its short title, or by its whole name if two data sets share the title. */
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

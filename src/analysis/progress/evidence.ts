/** Brings measured, imported and published accuracies into one form, from which progress is computed. */
import { benchmarkNames, findBenchmark } from '../../datasets/benchmarks/index.ts'
import { tally } from '../../lib/tally.ts'
import { findPretraining } from '../../models/pretraining.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { type ImportedAccuracy, readImportedAccuracies } from '../../results/importedAccuracies.ts'
import { openRun } from '../../results/run.ts'
import { inputError } from '../../lib/errors.ts'
import {
  type AccuracyTable,
  accuracyTable,
  type BenchmarkAccuracy,
} from '../../metrics/progress.ts'
import {
  benchmarkNameOf,
  copyNotes,
  datacompEnding,
  datasetTitle,
  orderRoles,
  type DatasetRoles,
} from '../datasetRoles.ts'
import { catalogueKind, lineModelSets, modelFamilies, type LineModels } from '../modelRoles.ts'
import {
  publishedAccuracies,
  publishedImages,
  publishedSources,
} from '../paper/publishedAccuracies.ts'
import { imagesByModel, runView, type RunView } from '../runView.ts'

/** What counts as one cluster of models whose deviations from a line may be alike. */
export type ModelClustering = 'family' | 'pretraining' | 'none'

/** Accuracies of models on benchmarks, with all that lines over them need. */
export interface ProgressEvidence {
  accuracies: AccuracyTable
  roles: DatasetRoles
  /** The models of each line: those with a head, the zero-shot ones. */
  sets: readonly LineModels[]
  /** Images of the reference behind each model's accuracy. */
  images: ReadonlyMap<string, number>
  titleOf: (dataset: string) => string
  /** Images of a data set that was evaluated here; null for accuracies from elsewhere. */
  imageCount: (dataset: string) => number | null
  /** States that a data set is synthetic; null if none is. */
  syntheticNote: string | null
  /** What a reader has to know of the accuracies. */
  notes: readonly string[]
}

/** Returns the accuracies of a view of a run; imported ones fill gaps. */
export function progressEvidence(
  view: RunView,
  imported: readonly ImportedAccuracy[] = [],
): ProgressEvidence {
  const measured = view
    .accuracyBy()
    .map(({ model, dataset, top1, n }) => ({ model, benchmark: dataset, accuracy: top1, n }))
  const has = (model: string, dataset: string): boolean =>
    view.accuracies.get(dataset)?.has(model) ?? false
  const added = imported
    .map(row => ({ ...row, benchmark: view.roles.byBenchmark.get(row.benchmark) ?? row.benchmark }))
    .filter(({ model, benchmark }) => !has(model, benchmark))
  const known = [view.roles.reference, ...view.roles.standard].filter(name => name !== null)
  const { standard, geographic } = addedRoles(added)
  const zeroShot = new Set([
    ...view.zeroShot,
    ...added.flatMap(({ model, kind }) =>
      (kind ?? catalogueKind(model)) === 'zero-shot' ? model : [],
    ),
  ])
  const models = [...new Set([...view.models, ...added.map(({ model }) => model)])]
  const roles = orderRoles(
    [...new Set([...known, ...standard])],
    [...new Set([...view.roles.geographic, ...geographic])],
    new Map([...orderRoles(standard, geographic).byBenchmark, ...view.roles.byBenchmark]),
  )
  return {
    accuracies: accuracyTable([...measured, ...added]),
    roles,
    sets: lineModelSets(models, zeroShot),
    images: imagesByModel(
      [...measured, ...added]
        .filter(({ benchmark }) => benchmark === roles.reference)
        .map(({ model, n }) => ({ model, n: n ?? publishedImages })),
    ),
    titleOf: view.titleOf,
    imageCount: dataset => view.imageCount(dataset) || null,
    syntheticNote: view.syntheticNote,
    notes: [...copyNotes(view.run, roles), ...importedNotes(added, measured.length)],
  }
}

/**
 * Reads the measured and the imported accuracies of a folder of results. Errors: no-results, and those of `openRun`.
 *
 * @example
 * const comparison = compareProgress(await readProgressEvidence('results'))
 */
export async function readProgressEvidence(
  dir: string,
  { preprocessing, exclude }: { preprocessing?: PreprocessingMode; exclude?: string } = {},
): Promise<ProgressEvidence> {
  const run = await openRun(dir, exclude)
  const imported = await readImportedAccuracies(run.dir)
  if (run.entries.length === 0 && imported.length === 0)
    throw inputError('no-results', `no results and no imported accuracies in ${dir}`)
  const view = runView(run, preprocessing === undefined ? {} : { preprocessing })
  return progressEvidence(view, imported)
}

function importedNotes(added: readonly ImportedAccuracy[], measured: number): string[] {
  if (added.length === 0) return []
  const sources = [...tally(added.map(({ source }) => source))]
  const from = sources.map(([source, count]) => `${count} from ${source}`).join(', ')
  return [`${measured} accuracies measured here, ${added.length} imported: ${from}`]
}

/** Returns the published accuracies of the testbed's models; nothing measured here is among them. */
export function publishedEvidence(): ProgressEvidence {
  const rows = publishedAccuracies()
  const models = [...new Set(rows.map(({ model }) => model))]
  const { standard, geographic } = addedRoles(rows)
  const zeroShot = new Set(rows.flatMap(({ model, kind }) => (kind === 'zero-shot' ? model : [])))
  return {
    accuracies: accuracyTable(rows),
    roles: orderRoles(standard, geographic),
    sets: lineModelSets(models, zeroShot),
    images: new Map(models.map(model => [model, publishedImages])),
    titleOf: datasetTitle,
    imageCount: () => null,
    syntheticNote: null,
    notes: [
      'accuracies published by others; none is measured here',
      ...Object.values(publishedSources).map(
        ({ publisher, date, page, license, note }) =>
          `${publisher}, ${date} (${page}, ${license}): ${note}`,
      ),
    ],
  }
}

/** Returns the benchmarks of accuracies from elsewhere by their kinds, known ones first; DataComp's subsets are geographic. */
function addedRoles(
  rows: readonly BenchmarkAccuracy[],
): Pick<DatasetRoles, 'standard' | 'geographic'> {
  const rank = (name: string): number => {
    const place = benchmarkNames.indexOf(benchmarkNameOf(name))
    return place < 0 ? benchmarkNames.length : place
  }
  const names = [...new Set(rows.map(({ benchmark }) => benchmark))].sort(
    (one, other) => rank(one) - rank(other),
  )
  const geographic = names.filter(isGeographic)
  return { standard: names.filter(name => !geographic.includes(name)), geographic }
}

/** Whether a benchmark shows places, by its name alone. */
function isGeographic(name: string): boolean {
  const parent = name.replace(datacompEnding, '')
  try {
    return findBenchmark(parent)?.benchmark.kind === 'geographic'
  } catch {
    return false
  }
}

/** Returns the cluster of each model; a name of its own for each with `none`. */
export function modelClusters(
  models: readonly string[],
  clustering: ModelClustering,
): ReadonlyMap<string, string> {
  if (clustering === 'family') return modelFamilies(models)
  return new Map(
    models.map(model => [
      model,
      clustering === 'none' ? model : (findPretraining(model)?.data ?? unknownPretraining),
    ]),
  )
}

export const unknownPretraining = 'not known'

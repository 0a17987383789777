import { type GroupCounts, groupBy } from '../../metrics/accuracy.ts'
import {
  type AccuracyTable,
  accuracyTable,
  type BenchmarkAccuracy as Point,
  type ModelLineOptions,
  referenceBenchmark,
} from '../../metrics/progress.ts'
import { syntheticNotes } from '../datasetRoles.ts'
import {
  catalogueKind,
  modelFamilies,
  type ModelKind,
  shownPreprocessing,
  zeroShotModels,
} from '../modelRoles.ts'
import { imagesByModel, type RunView, runView } from '../runView.ts'
import { testbed } from '../../models/testbed.ts'
import { publishedImages } from './publishedAccuracies.ts'
import { type ImportedAccuracy } from '../../results/importedAccuracies.ts'
import {
  distinctFieldValues,
  type StoredEvaluation,
  type EvaluationId,
} from '../../results/storedEvaluations.ts'
import { type CountsCell } from '../../results/counts.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { type Run } from '../../results/run.ts'
import { countsOf, evaluationsOf } from '../../results/evaluationIndex.ts'

export interface PaperViewOptions {
  /** Default: `paper` if the run has it, as in the paper, else `native`. */
  preprocessing?: PreprocessingMode
  /** Default 1. */
  seed?: number
  /** Default 1,000. */
  draws?: number
  minN?: number
}

/** A view of a run for the paper's tables: by benchmark, with imported accuracies, and settings of what is random. */
export interface PaperView extends Omit<RunView, 'accuracies' | 'lineOptions'> {
  /** Options of lines on ImageNet: the models' families and the images of ImageNet. */
  lineOptions: ModelLineOptions
  seed: number
  draws: number
  /** Accuracies by benchmark (`dollarstreet` for any variant) and model; imported ones fill gaps. */
  accuracies: AccuracyTable
  /** Returns the models of one kind, or all. */
  modelsOfKind: (kind?: ModelKind) => string[]
  cellsOf: (benchmark: string, model: string) => readonly CountsCell[]
  groupsOf: (benchmark: string, model: string, by: string) => readonly GroupCounts[]
  evaluationOf: (benchmark: string, model: string) => StoredEvaluation | undefined
  /** Says how many of the models' accuracies on these benchmarks were imported: `measured`, `imported`, `3 of 80 imported`. */
  sourcesText: (benchmarks: readonly string[], models: readonly string[]) => string
  notes: string[]
}

export function paperView(
  run: Run,
  imported: readonly ImportedAccuracy[],
  options: PaperViewOptions = {},
): PaperView {
  const preprocessing = options.preprocessing ?? shownPreprocessing(run, ['paper', 'native'])
  const view = runView(run, { ...options, preprocessing })
  const { byBenchmark } = view.roles
  const kinds = modelKinds(run)
  const slot = (benchmark: string, model: string): EvaluationId => ({
    model,
    dataset: byBenchmark.get(benchmark) ?? '',
    preprocessing,
  })
  const cells = (benchmark: string, model: string) => countsOf(run, slot(benchmark, model))
  const measured: (Point & { n: number })[] = [...byBenchmark].flatMap(([benchmark, dataset]) =>
    view
      .accuracyBy()
      .filter(row => row.dataset === dataset)
      .map(({ model, top1, n }) => ({ model, benchmark, accuracy: top1, n })),
  )
  const key = (model: string, benchmark: string): string => JSON.stringify([model, benchmark])
  const known = new Set(measured.map(row => key(row.model, row.benchmark)))
  const added = imported.filter(row => !known.has(key(row.model, row.benchmark)))
  const foreign = new Set(added.map(row => key(row.model, row.benchmark)))
  for (const { model, kind } of added)
    if (!kinds.has(model)) kinds.set(model, kind ?? catalogueKind(model))
  return {
    ...view,
    seed: options.seed ?? 1,
    draws: options.draws ?? 1000,
    lineOptions: {
      families: modelFamilies([...kinds.keys()]),
      images: imagesByModel(
        [...measured, ...added]
          .filter(({ benchmark }) => benchmark === referenceBenchmark)
          .map(({ model, n }) => ({ model, n: n ?? publishedImages })),
      ),
    },
    accuracies: accuracyTable([
      ...measured,
      ...added.map(({ model, benchmark, accuracy }) => ({ model, benchmark, accuracy })),
    ]),
    modelsOfKind: kind =>
      [...kinds].filter(([, own]) => kind === undefined || own === kind).map(([model]) => model),
    cellsOf: cells,
    groupsOf: (benchmark, model, by) => groupBy(cells(benchmark, model), [by]).groups,
    evaluationOf: (benchmark, model) => evaluationsOf(run, slot(benchmark, model))[0],
    sourcesText: (benchmarks, models) => {
      const all = models.flatMap(model => benchmarks.map(benchmark => key(model, benchmark)))
      const count = all.filter(one => foreign.has(one)).length
      return count === 0
        ? 'measured'
        : count === all.length
          ? 'imported'
          : `${count} of ${all.length} imported`
    },
    notes: paperNotes(view, added.length),
  }
}

function modelKinds(run: Run): Map<string, ModelKind> {
  const kinds = new Map<string, ModelKind>()
  const zeroShot = zeroShotModels(run)
  for (const { identity } of run.entries) {
    const classes = run.datasets.get(identity.content)?.classes.length
    const byName = catalogueKind(identity.model)
    const own = byName === 'other' && classes === 1000 ? '1K' : byName
    kinds.set(identity.model, zeroShot.has(identity.model) ? 'zero-shot' : own)
  }
  return kinds
}

function paperNotes({ run, preprocessing, roles }: RunView, added: number): string[] {
  const models = distinctFieldValues(run.entries, 'model')
  const ofPaper = testbed().filter(({ model }) => models.includes(model)).length
  const variants = [...roles.byBenchmark]
    .filter(([name, dataset]) => name !== dataset)
    .map(([, dataset]) => dataset)
  return [
    `${models.length} models measured with ${preprocessing} preprocessing, ${ofPaper} of them among the paper's 98`,
    ...(variants.length > 0 ? [`data sets: ${variants.join(', ')}`] : []),
    ...(added > 0
      ? [`${added} imported accuracies, published elsewhere; rows that use some say so`]
      : []),
    ...syntheticNotes(run),
  ]
}

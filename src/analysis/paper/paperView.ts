import { findBenchmark } from '../../datasets/benchmarks/benchmarks.ts'
import { type GroupCounts, groupBy } from '../../metrics/accuracy.ts'
import { defaultMinN } from '../../metrics/disparity.ts'
import {
  type AccuracyTable,
  accuracyTable,
  type BenchmarkAccuracy as Point,
} from '../../metrics/progress.ts'
import { resolveModel } from '../../models/catalog.ts'
import { testbed } from '../../models/testbed.ts'
import { type ImportedAccuracy } from '../../results/importedAccuracies.ts'
import {
  type CountsCell,
  distinctFieldValues,
  type StoredEvaluation,
  type EvaluationId,
} from '../../results/store.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { countsOf, evaluationsOf, type Run } from '../../results/run.ts'

export type PaperModelKind = '1K' | 'zero-shot' | 'other'

export interface PaperViewOptions {
  /** Default: `paper` where the run has it, as the paper evaluates all models alike, else `native`. */
  preprocessing?: PreprocessingMode
  /** Default 1. */
  seed?: number
  /** Default 1,000. */
  draws?: number
  minN?: number
}

/** What a run offers the paper's tables: one data set for each of its benchmarks, one preprocessing. */
export interface PaperView {
  run: Run
  preprocessing: PreprocessingMode
  seed: number
  draws: number
  minN: number
  /** Accuracies by benchmark (`dollarstreet`, whichever variant) and model; imported ones fill what was not measured. */
  accuracies: AccuracyTable
  /** Models of one kind, or all. */
  modelsOfKind: (kind?: PaperModelKind) => string[]
  /** The data set that stands for a benchmark. */
  datasetOf: (benchmark: string) => string | undefined
  cellsOf: (benchmark: string, model: string) => readonly CountsCell[]
  groupsOf: (benchmark: string, model: string, by: string) => readonly GroupCounts[]
  evaluationOf: (benchmark: string, model: string) => StoredEvaluation | undefined
  /** Which of the models' accuracies on these benchmarks were imported, in words: `measured`, `imported`, `3 of 80 imported`. */
  sourcesText: (benchmarks: readonly string[], models: readonly string[]) => string
  notes: string[]
}

export function paperView(
  run: Run,
  imported: readonly ImportedAccuracy[],
  options: PaperViewOptions = {},
): PaperView {
  const preprocessing = options.preprocessing ?? defaultPaperMode(run)
  const datasets = datasetByBenchmark(run, preprocessing)
  const kinds = modelKinds(run)
  const slot = (benchmark: string, model: string): EvaluationId => ({
    ...{ model, dataset: datasets.get(benchmark) ?? '', preprocessing },
  })
  const cells = (benchmark: string, model: string) => countsOf(run, slot(benchmark, model))
  const measured: Point[] = [...datasets].flatMap(([benchmark, dataset]) =>
    run
      .accuracy({ dataset, preprocessing })
      .map(({ model, top1 }) => ({ model, benchmark, accuracy: top1 })),
  )
  const key = (model: string, benchmark: string): string => JSON.stringify([model, benchmark])
  const known = new Set(measured.map(row => key(row.model, row.benchmark)))
  const added = imported.filter(row => !known.has(key(row.model, row.benchmark)))
  const foreign = new Set(added.map(row => key(row.model, row.benchmark)))
  for (const { model, kind } of added)
    if (!kinds.has(model)) kinds.set(model, kind ?? catalogueKind(model))
  return {
    ...{ run, preprocessing },
    ...{ seed: options.seed ?? 1, draws: options.draws ?? 1000, minN: options.minN ?? defaultMinN },
    accuracies: accuracyTable([
      ...measured,
      ...added.map(({ model, benchmark, accuracy }) => ({ model, benchmark, accuracy })),
    ]),
    modelsOfKind: kind =>
      [...kinds].filter(([, own]) => kind === undefined || own === kind).map(([model]) => model),
    datasetOf: benchmark => datasets.get(benchmark),
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
    notes: paperNotes(run, preprocessing, datasets, added),
  }
}

function defaultPaperMode(run: Run): PreprocessingMode {
  const there = distinctFieldValues(run.entries, 'preprocessing')
  return (
    (['paper', 'native', 'paper-draft'] as const).find(mode => there.includes(mode)) ??
    'native-draft'
  )
}

/** Readings and parts of a benchmark that no table of the paper is about. */
const partsOutsidePaper = /\/(train$|overlap$)/

/** For each benchmark the data set of the run with its first variant, else the next one. */
function datasetByBenchmark(run: Run, preprocessing: string): Map<string, string> {
  const names = run.entries.filter(({ identity }) => identity.preprocessing === preprocessing)
  const found = new Map<string, { dataset: string; rank: number }>()
  for (const dataset of new Set(names.map(({ identity }) => identity.dataset))) {
    const named = rankedBenchmark(dataset)
    if (!named) continue
    const before = found.get(named.name)
    if (!before || named.rank < before.rank) found.set(named.name, { dataset, rank: named.rank })
  }
  return new Map([...found].map(([name, { dataset }]) => [name, dataset]))
}

function rankedBenchmark(dataset: string): { name: string; rank: number } | undefined {
  if (partsOutsidePaper.test(dataset)) return undefined
  try {
    const found = findBenchmark(dataset)
    return (
      found && { name: found.benchmark.name, rank: found.benchmark.variants.indexOf(found.variant) }
    )
  } catch {
    return undefined
  }
}

function modelKinds(run: Run): Map<string, PaperModelKind> {
  const kinds = new Map<string, PaperModelKind>()
  for (const { identity } of run.entries) {
    const classes = run.datasets.get(identity.content)?.classes.length
    const byName = catalogueKind(identity.model)
    const own = byName === 'other' && classes === 1000 ? '1K' : byName
    kinds.set(identity.model, identity.prompts === '' ? own : 'zero-shot')
  }
  return kinds
}

/** By the catalogue; `other` for a model that it does not know. */
function catalogueKind(model: string): PaperModelKind {
  try {
    const { classes } = resolveModel(model)
    return classes === 'zero-shot' ? 'zero-shot' : classes === 'imagenet-1k' ? '1K' : 'other'
  } catch {
    return 'other'
  }
}

function paperNotes(
  run: Run,
  preprocessing: string,
  datasets: ReadonlyMap<string, string>,
  added: readonly ImportedAccuracy[],
) {
  const models = distinctFieldValues(run.entries, 'model')
  const ofPaper = testbed().filter(({ model }) => models.includes(model)).length
  const variants = [...datasets]
    .filter(([name, dataset]) => name !== dataset)
    .map(([, dataset]) => dataset)
  return [
    `${models.length} models measured with ${preprocessing} preprocessing, ${ofPaper} of them among the paper's 98`,
    ...(variants.length > 0 ? [`data sets: ${variants.join(', ')}`] : []),
    ...(added.length > 0
      ? [`${added.length} imported accuracies, published elsewhere; rows that use some say so`]
      : []),
    ...new Set([...run.datasets.values()].flatMap(({ madeUp }) => madeUp ?? [])),
  ]
}

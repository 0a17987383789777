import { findBenchmark } from '../../datasets/benchmarks/benchmarks.ts'
import { type GroupCounts, groupBy } from '../../metrics/accuracy.ts'
import { defaultMinN } from '../../metrics/disparity.ts'
import { type AccuracyTable, accuracyTable, type AccuracyRow as Point } from '../../metrics/progress.ts'
import { resolveModel } from '../../models/catalog.ts'
import { testbed } from '../../models/testbed.ts'
import { type Imported } from '../../results/imported.ts'
import { type Cell, distinct, type Entry, type Slot } from '../../results/store.ts'
import { type Mode } from '../../lib/pixels/steps.ts'
import { cellsOf, entriesOf, type Run } from '../../results/run.ts'

export type Kind = '1K' | 'zero-shot' | 'other'

export interface PaperOptions {
  /** Default: `paper` where the run has it, as the paper evaluates all models alike, else `native`. */
  preprocessing?: Mode
  /** Default 1. */
  seed?: number
  /** Default 1,000. */
  draws?: number
  minN?: number
}

/** What a run offers the paper's tables: one data set for each of its benchmarks, one preprocessing. */
export interface Evidence {
  run: Run
  preprocessing: Mode
  seed: number
  draws: number
  minN: number
  /** Accuracies by benchmark (`dollarstreet`, whichever variant) and model; imported ones fill what was not measured. */
  table: AccuracyTable
  /** Models of one kind, or all. */
  models: (kind?: Kind) => string[]
  /** The data set that stands for a benchmark. */
  dataset: (benchmark: string) => string | undefined
  cells: (benchmark: string, model: string) => readonly Cell[]
  groups: (benchmark: string, model: string, by: string) => readonly GroupCounts[]
  entry: (benchmark: string, model: string) => Entry | undefined
  /** Which of the models' accuracies on these benchmarks were imported, in words: `measured`, `imported`, `3 of 80 imported`. */
  from: (benchmarks: readonly string[], models: readonly string[]) => string
  notes: string[]
}

export function evidenceOf(run: Run, imported: readonly Imported[], options: PaperOptions = {}): Evidence {
  const preprocessing = options.preprocessing ?? usualMode(run)
  const datasets = standIns(run, preprocessing)
  const kinds = kindsOf(run)
  const slot = (benchmark: string, model: string): Slot => ({
    ...{ model, dataset: datasets.get(benchmark) ?? '', preprocessing },
  })
  const cells = (benchmark: string, model: string) => cellsOf(run, slot(benchmark, model))
  const measured: Point[] = [...datasets].flatMap(([benchmark, dataset]) =>
    run.accuracy({ dataset, preprocessing }).map(({ model, top1 }) => ({ model, benchmark, accuracy: top1 })),
  )
  const key = (model: string, benchmark: string): string => JSON.stringify([model, benchmark])
  const known = new Set(measured.map(row => key(row.model, row.benchmark)))
  const added = imported.filter(row => !known.has(key(row.model, row.benchmark)))
  const foreign = new Set(added.map(row => key(row.model, row.benchmark)))
  for (const { model, kind } of added) if (!kinds.has(model)) kinds.set(model, kind ?? kindByName(model))
  return {
    ...{ run, preprocessing },
    ...{ seed: options.seed ?? 1, draws: options.draws ?? 1000, minN: options.minN ?? defaultMinN },
    table: accuracyTable([
      ...measured,
      ...added.map(({ model, benchmark, accuracy }) => ({ model, benchmark, accuracy })),
    ]),
    models: kind => [...kinds].filter(([, own]) => kind === undefined || own === kind).map(([model]) => model),
    dataset: benchmark => datasets.get(benchmark),
    cells,
    groups: (benchmark, model, by) => groupBy(cells(benchmark, model), [by]).groups,
    entry: (benchmark, model) => entriesOf(run, slot(benchmark, model))[0],
    from: (benchmarks, models) => {
      const all = models.flatMap(model => benchmarks.map(benchmark => key(model, benchmark)))
      const count = all.filter(one => foreign.has(one)).length
      return count === 0 ? 'measured' : count === all.length ? 'imported' : `${count} of ${all.length} imported`
    },
    notes: notesOf(run, preprocessing, datasets, added),
  }
}

function usualMode(run: Run): Mode {
  const there = distinct(run.entries, 'preprocessing')
  return (['paper', 'native', 'paper-draft'] as const).find(mode => there.includes(mode)) ?? 'native-draft'
}

/** Readings and parts of a benchmark that no table of the paper is about. */
const otherParts = /\/(train$|overlap$)/

/** For each benchmark the data set of the run with its first variant, else the next one. */
function standIns(run: Run, preprocessing: string): Map<string, string> {
  const names = run.entries.filter(({ identity }) => identity.preprocessing === preprocessing)
  const found = new Map<string, { dataset: string; rank: number }>()
  for (const dataset of new Set(names.map(({ identity }) => identity.dataset))) {
    const named = benchmarkOf(dataset)
    if (!named) continue
    const before = found.get(named.name)
    if (!before || named.rank < before.rank) found.set(named.name, { dataset, rank: named.rank })
  }
  return new Map([...found].map(([name, { dataset }]) => [name, dataset]))
}

function benchmarkOf(dataset: string): { name: string; rank: number } | undefined {
  if (otherParts.test(dataset)) return undefined
  try {
    const found = findBenchmark(dataset)
    return found && { name: found.benchmark.name, rank: found.benchmark.variants.indexOf(found.variant) }
  } catch {
    return undefined
  }
}

function kindsOf(run: Run): Map<string, Kind> {
  const kinds = new Map<string, Kind>()
  for (const { identity } of run.entries) {
    const classes = run.datasets.get(identity.content)?.classes.length
    const byName = kindByName(identity.model)
    const own = byName === 'other' && classes === 1000 ? '1K' : byName
    kinds.set(identity.model, identity.prompts === '' ? own : 'zero-shot')
  }
  return kinds
}

/** By the catalogue; `other` for a model that it does not know. */
function kindByName(model: string): Kind {
  try {
    const { classes } = resolveModel(model)
    return classes === 'zero-shot' ? 'zero-shot' : classes === 'imagenet-1k' ? '1K' : 'other'
  } catch {
    return 'other'
  }
}

function notesOf(run: Run, preprocessing: string, datasets: ReadonlyMap<string, string>, added: readonly Imported[]) {
  const models = distinct(run.entries, 'model')
  const ofPaper = testbed().filter(({ model }) => models.includes(model)).length
  const variants = [...datasets].filter(([name, dataset]) => name !== dataset).map(([, dataset]) => dataset)
  return [
    `${models.length} models measured with ${preprocessing} preprocessing, ${ofPaper} of them among the paper's 98`,
    ...(variants.length > 0 ? [`data sets: ${variants.join(', ')}`] : []),
    ...(added.length > 0
      ? [`${added.length} imported accuracies, published elsewhere; rows that use some say so`]
      : []),
    ...new Set([...run.datasets.values()].flatMap(({ madeUp }) => madeUp ?? [])),
  ]
}

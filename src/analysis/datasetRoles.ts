import { ownValue } from '../lib/ownValue.ts'
import { benchmarks, findBenchmark } from '../datasets/benchmarks/benchmarks.ts'
import { oodBenchmarks } from '../metrics/progress.ts'
import { distinctFieldValues } from '../results/store.ts'
import { type Run, countsByEvaluation } from '../results/run.ts'

/** The use of each data set of a run. */
export interface DatasetRoles {
  /** The standard benchmark on the x axis. */
  reference: string | null
  /** The other standard benchmarks. */
  standard: string[]
  /** Data sets whose images have a region or a country. */
  geographic: string[]
}

/** Returns the roles of the data sets of a run: one with a region or country column is geographic, any other standard. */
export function datasetRoles(run: Run): DatasetRoles {
  const names = distinctFieldValues(run.entries, 'dataset')
  const geographic = names.filter(name => placeColumn(run, name) !== null)
  return orderRoles(
    names.filter(name => !geographic.includes(name)),
    geographic,
  )
}

/**
 * Returns the roles of standard and geographic data sets. The reference is ImageNet's validation set under any of its names, else
 * the first standard data set named imagenet…, else the first standard one.
 */
export function orderRoles(
  standard: readonly string[],
  geographic: readonly string[],
): DatasetRoles {
  const reference =
    standard.find(isImageNet) ??
    standard.find(name => /^imagenet/i.test(datasetTitle(name))) ??
    standard[0] ??
    null
  return {
    reference,
    standard: standard.filter(name => name !== reference),
    geographic: [...geographic],
  }
}

/** Returns the data sets of the paper's OOD average, or null if the run lacks one of them. */
export function oodDatasets({ standard }: DatasetRoles): string[] | null {
  const sets = standard.filter(name => oodBenchmarks.includes(benchmarkNameOf(name)))
  return sets.length === oodBenchmarks.length ? sets : null
}

/** Returns `imagenet-c` for `imagenet-c/fog/3`. */
export const benchmarkNameOf = (dataset: string): string => dataset.split('/')[0]!

/** Returns the name under which others publish a data set: the benchmark's for its first variant, else the data set's own. */
export function publishedName(dataset: string): string {
  const ranked = rankedBenchmark(dataset)
  return ranked?.rank === 0 ? ranked.name : dataset
}

/** Variants and parts of a benchmark that never stand for it. */
const partsOnly = /\/(train$|overlap$)/

/** Returns for each benchmark the data set that stands for it: that with its first variant, else with the next one. */
export function datasetByBenchmark(
  run: Pick<Run, 'entries'>,
  preprocessing: string,
): Map<string, string> {
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
  if (partsOnly.test(dataset)) return undefined
  try {
    const found = findBenchmark(dataset)
    return (
      found && { name: found.benchmark.name, rank: found.benchmark.variants.indexOf(found.variant) }
    )
  } catch {
    return undefined
  }
}

const isImageNet = (name: string): boolean => /^imagenet(-1k)?(\/|$)/i.test(name)

/** Returns the coarsest place column in which images of a data set have values. */
export function placeColumn(run: Run, dataset: string): 'region' | 'country' | null {
  const columns = run.entries
    .filter(({ identity }) => identity.dataset === dataset)
    .flatMap(({ shards }) => shards[0]!.columns)
  const held = countsByEvaluation(run).filter(one => one.dataset === dataset)
  const known = (column: string): boolean =>
    held.length === 0 ||
    held.some(({ cells }) => cells.some(({ groups }) => ownValue(groups, column) != null))
  return (
    (['region', 'country'] as const).find(column => columns.includes(column) && known(column)) ??
    null
  )
}

/** Returns the notes that say which data sets are synthetic, each once. */
export const syntheticNotes = ({ datasets }: Pick<Run, 'datasets'>): string[] => [
  ...new Set([...datasets.values()].flatMap(({ madeUp }) => madeUp ?? [])),
]

export const pluralOfPlace = (column: string): string =>
  column === 'region' ? 'regions' : 'countries'

/** Returns a title such as `ImageNet-C fog/3`; for a path its last part without the file ending. */
export function datasetTitle(name: string): string {
  const [first, ...rest] = name.split('/')
  const parent = name.replace(datacompEnding, '')
  if (parent !== name) return `${datasetTitle(parent)} (DataComp)`
  const benchmark = benchmarks.find(known => known.name === first)
  if (!benchmark)
    return (
      name
        .split(/[\\/]/)
        .findLast(part => part !== '')
        ?.replace(dataFileEnding, '') ?? name
    )
  const variant = rest.join('/')
  const title = shortTitles[benchmark.name] ?? benchmark.title
  return variant === '' || variant === benchmark.variants[0] ? title : `${title} ${variant}`
}

/** The ending of the names of DataComp's subsets of Dollar Street and GeoDE. */
export const datacompEnding = /-datacomp$/
const dataFileEnding = /\.(csv|tsv|jsonl|json|parquet|zip|tar)$/i
const shortTitles: Readonly<Record<string, string>> = { 'imagenet-1k': 'ImageNet' }

import { ownValue } from '../lib/ownValue.ts'
import { benchmarks, findBenchmark } from '../datasets/benchmarks/index.ts'
import { hubCopyOf, keepsProtocol } from '../datasets/benchmarks/hubCopies.ts'
import { isHubDatasetName } from '../datasets/hub/splits.ts'
import { groupByKey } from '../lib/tally.ts'
import { oodBenchmarks, referenceBenchmark } from '../metrics/progress.ts'
import { distinctFieldValues } from '../results/storedEvaluations.ts'
import { type Run } from '../results/run.ts'
import { countsByEvaluation } from '../results/evaluationIndex.ts'

/** The use of each data set of a run. */
export interface DatasetRoles {
  /** The standard benchmark on the x axis. */
  reference: string | null
  /** The other standard benchmarks. */
  standard: string[]
  /** Data sets whose images have a region or a country. */
  geographic: string[]
  /** The data set that stands for each benchmark: that with its first variant, a copy of it, else that with the next variant. */
  byBenchmark: ReadonlyMap<string, string>
}

/**
 * Returns the roles of the data sets of a run: one with a region or country column is geographic, any other standard. With
 * `preprocessing`, only data sets with results of it stand for benchmarks.
 */
export function datasetRoles(run: Run, preprocessing?: string): DatasetRoles {
  const names = distinctFieldValues(run.entries, 'dataset')
  const geographic = names.filter(name => placeColumn(run, name) !== null)
  const standard = names.filter(name => !geographic.includes(name))
  return orderRoles(
    standard,
    geographic,
    standingDatasets(standingNames(run, preprocessing).flatMap(rankedBenchmark)),
  )
}

/**
 * Returns the roles of standard and geographic data sets. The reference is the data set that stands for ImageNet's validation
 * set, else one under any of its names, else the first standard data set named imagenet…, else the first standard one.
 */
export function orderRoles(
  standard: readonly string[],
  geographic: readonly string[],
  byBenchmark: DatasetRoles['byBenchmark'] = standingDatasets(
    [...standard, ...geographic].flatMap(rankedBenchmark),
  ),
): DatasetRoles {
  const imageNet = byBenchmark.get(referenceBenchmark)
  const reference =
    standard.find(name => name === imageNet) ??
    standard.find(isImageNet) ??
    standard.find(name => /^imagenet/i.test(datasetTitle(name))) ??
    standard[0] ??
    null
  return {
    reference,
    standard: standard.filter(name => name !== reference),
    geographic: [...geographic],
    byBenchmark,
  }
}

/** Returns the data sets of the paper's OOD average, or null if the run lacks one of them. */
export function oodDatasets({ standard, byBenchmark }: DatasetRoles): string[] | null {
  const sets = oodBenchmarks.flatMap(name => byBenchmark.get(name) ?? [])
  return sets.length === oodBenchmarks.length && sets.every(name => standard.includes(name))
    ? sets
    : null
}

/** Returns `imagenet-c` for `imagenet-c/fog/3`, and `imagenet-1k` for a copy of it on the hub. */
export const benchmarkNameOf = (dataset: string): string =>
  (hubCopyOf(dataset)?.benchmark ?? dataset).split('/')[0]!

/** Returns the name under which others publish a data set: the benchmark's if it stands for its first variant, else its own. */
export const publishedName = (dataset: string, { byBenchmark }: DatasetRoles): string =>
  rankedBenchmark(dataset).find(({ name, rank }) => rank < 1 && byBenchmark.get(name) === dataset)
    ?.name ?? dataset

/**
 * Returns notes on the copies of benchmarks in a run: which copy stands for a benchmark, and which data sets are shown under
 * their own names because another stands for it.
 */
export function copyNotes(run: Pick<Run, 'entries'>, { byBenchmark }: DatasetRoles): string[] {
  const ranked = standingNames(run).flatMap(rankedBenchmark)
  return [...groupByKey(ranked, ({ name }) => name)].flatMap(([name, members]) => {
    const copies = members.filter(({ dataset }) => hubCopyOf(dataset))
    const standing = byBenchmark.get(name)
    if (copies.length === 0 || standing === undefined) return []
    const others = members.map(({ dataset }) => dataset).filter(dataset => dataset !== standing)
    return [
      ...(hubCopyOf(standing) ? [`${standing} is a copy of ${name} and stands for it`] : []),
      ...(others.length > 0
        ? [
            `${others.join(' and ')} ${others.length === 1 ? 'has' : 'have'} images of ${name} too, for which ${standing} stands; their accuracies are not mixed`,
          ]
        : []),
    ]
  })
}

/** Variants and parts of a benchmark that never stand for it. */
const partsOnly = /\/(train$|overlap$)/

/** Returns the names of data sets that may stand for a benchmark: of copies those whose results all keep its protocol. */
function standingNames({ entries }: Pick<Run, 'entries'>, preprocessing?: string): string[] {
  const identities = entries.map(({ identity }) => identity)
  const others = identities.flatMap(identity => {
    const copy = hubCopyOf(identity.dataset)
    return copy && !keepsProtocol(copy, identity) ? identity.dataset : []
  })
  const shown = identities.filter(one => one.preprocessing === (preprocessing ?? one.preprocessing))
  return [...new Set(shown.map(({ dataset }) => dataset))].filter(name => !others.includes(name))
}

/** A data set with the benchmark that it may stand for; the one of the lowest rank does. */
interface RankedDataset {
  dataset: string
  name: string
  rank: number
}

function standingDatasets(ranked: readonly RankedDataset[]): Map<string, string> {
  const ordered = ranked.toSorted((a, b) => b.rank - a.rank || (a.dataset < b.dataset ? 1 : -1))
  return new Map(ordered.map(({ name, dataset }) => [name, dataset]))
}

/** Returns the benchmark of a data set with the place of its variant, copies of the variant after it; none for other data sets. */
function rankedBenchmark(dataset: string): RankedDataset[] {
  if (partsOnly.test(dataset)) return []
  const copy = hubCopyOf(dataset)
  try {
    const found = findBenchmark(copy?.benchmark ?? dataset)
    if (!found) return []
    const { name, variants } = found.benchmark
    return [{ dataset, name, rank: variants.indexOf(found.variant) + (copy ? 0.5 : 0) }]
  } catch {
    return []
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
  ...new Set(
    [...datasets.values()].flatMap(({ madeUp }) =>
      madeUp === undefined ? [] : `Made-up data: ${madeUp}`,
    ),
  ),
]

export const pluralOfPlace = (column: string): string =>
  column === 'region' ? 'regions' : 'countries'

/** Returns a title such as `ImageNet-C fog/3`; for a path its last part without the file ending. */
export function datasetTitle(name: string): string {
  const [first, ...rest] = name.split('/')
  const parent = name.replace(datacompEnding, '')
  if (parent !== name) return `${datasetTitle(parent)} (DataComp)`
  const copy = hubCopyOf(name)
  if (copy) return copyTitle(name, copy.benchmark)
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

/** Returns a title such as `ImageNet (clip-benchmark)`, which names the copy by its owner or its folder. */
function copyTitle(name: string, benchmark: string): string {
  const title = datasetTitle(benchmark)
  const owner = isHubDatasetName(name) ? name.slice('hf:'.length).split('/')[0]! : name
  return title.endsWith(')') ? title : `${title} (${owner})`
}

/** The ending of the names of DataComp's subsets of Dollar Street and GeoDE. */
export const datacompEnding = /-datacomp$/
const dataFileEnding = /\.(csv|tsv|jsonl|json|parquet|zip|tar)$/i
const shortTitles: Readonly<Record<string, string>> = { 'imagenet-1k': 'ImageNet' }

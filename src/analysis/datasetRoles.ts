import { benchmarks } from '../datasets/benchmarks/benchmarks.ts'
import { oodBenchmarks } from '../metrics/progress.ts'
import { distinctFieldValues } from '../results/store.ts'
import { type Run, countsByEvaluation } from '../results/run.ts'

/** What each data set of a run is used for. */
export interface DatasetRoles {
  /** Standard benchmark of the x axis. */
  reference: string | null
  /** The other standard benchmarks. */
  standard: string[]
  /** Data sets with a region or a country for their images. */
  geographic: string[]
}

/**
 * A data set with a region or country column is geographic, any other standard. The reference is ImageNet's validation
 * set under any of its names, else the first standard data set named imagenet…, else the first standard one.
 */
export function datasetRoles(run: Run): DatasetRoles {
  const names = distinctFieldValues(run.entries, 'dataset')
  const geographic = names.filter(name => placeColumn(run, name) !== null)
  const others = names.filter(name => !geographic.includes(name))
  const reference =
    others.find(isImageNet) ??
    others.find(name => /^imagenet/i.test(datasetTitle(name))) ??
    others[0] ??
    null
  return { reference, standard: others.filter(name => name !== reference), geographic }
}

/** The data sets of the paper's OOD average, where all of them are there. */
export function oodDatasets({ standard }: DatasetRoles): string[] | null {
  const sets = standard.filter(name => oodBenchmarks.includes(benchmarkNameOf(name)))
  return sets.length === oodBenchmarks.length ? sets : null
}

/** `imagenet-c` of `imagenet-c/fog/3`. */
export const benchmarkNameOf = (dataset: string): string => dataset.split('/')[0]!

const isImageNet = (name: string): boolean => /^imagenet(-1k)?(\/|$)/i.test(name)

/** The coarsest place that images of a data set carry; a column of nothing is none. */
export function placeColumn(run: Run, dataset: string): 'region' | 'country' | null {
  const columns = run.entries
    .filter(({ identity }) => identity.dataset === dataset)
    .flatMap(({ shards }) => shards[0]!.columns)
  const held = countsByEvaluation(run).filter(one => one.dataset === dataset)
  const known = (column: string): boolean =>
    held.length === 0 ||
    held.some(({ cells }) => cells.some(({ groups }) => groups[column] != null))
  return (
    (['region', 'country'] as const).find(column => columns.includes(column) && known(column)) ??
    null
  )
}

export const pluralOfPlace = (column: string): string =>
  column === 'region' ? 'regions' : 'countries'

/** `Dollar Street`, `ImageNet-C fog/3`; of a path its last part without the ending. */
export function datasetTitle(name: string): string {
  const [first, ...rest] = name.split('/')
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

const dataFileEnding = /\.(csv|tsv|jsonl|json|parquet|zip|tar)$/i
const shortTitles: Readonly<Record<string, string>> = { 'imagenet-1k': 'ImageNet' }

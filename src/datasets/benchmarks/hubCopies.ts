// Data sets of the hub that are copies of a benchmark.
import { readJson } from '../../lib/archive/json.ts'
import { basename } from 'node:path'
import type { Choices } from '../dataset.ts'
import type { RawDataset } from '../build.ts'
import { isHubDatasetName, standardSplit } from '../hub/splits.ts'
import { imagenetSpace } from '../labels/labelSpace.ts'
import { findBenchmark } from './index.ts'
import { readWnidClasses } from './wnidFolders.ts'

/** A benchmark with its variant, of which a split of some repositories is a copy. */
interface HubCopy {
  benchmark: string
  split: string
  /** The repositories, and where it is stated what they hold. */
  repositories: readonly string[]
  source: string
}

/**
 * The copies. ObjectNet's are none: the names of its 113 classes compete there in place of ImageNet's, and whether the red
 * border was cut is not stated. DataComp's subsets of GeoDE and Dollar Street are data sets of their own.
 */
const hubCopies = readJson(new URL('./hubCopies.json', import.meta.url)) as readonly HubCopy[]

/**
 * Returns the copy that a data set's name means: a repository of the hub with the copied split or without one, which then is
 * the only one with labels, or a folder of shards that is called as their repository is.
 */
export function hubCopyOf(dataset: string): HubCopy | undefined {
  const find = (fits: (repository: string) => boolean, split?: string): HubCopy | undefined =>
    hubCopies.find(
      copy => copy.repositories.some(fits) && (split === undefined || split === copy.split),
    )
  if (!isHubDatasetName(dataset))
    return find(repository => repository.includes('/wds_') && basename(repository) === dataset)
  const [, repo, split = 'default'] =
    /^hf:([^@:]+)(?:@[^:]+)?(?::(?:default\/)?([^:/]+))?$/.exec(dataset) ?? []
  return find(name => name === repo, split === 'default' ? undefined : standardSplit(split))
}

/** The classes that compete on a benchmark: its own where its authors mask the others. */
const classesOf = (benchmark: string): Choices =>
  benchmark === 'imagenet-a' || benchmark === 'imagenet-r' ? readWnidClasses(benchmark) : 'all'

/** What of a stored result tells whether it keeps a benchmark's protocol. */
export interface CopyProtocol {
  images: number
  labelMap: string
  choices: string
  /** Images that an analysis left out. */
  excluded?: string | undefined
}

/**
 * Returns whether results on a copy are those that the benchmark's own files would give: on all its images, with ImageNet's
 * classes, and with the choices of its authors.
 */
export function keepsProtocol(
  { benchmark }: HubCopy,
  { images, labelMap, choices, excluded }: CopyProtocol,
): boolean {
  const found = findBenchmark(benchmark)
  const classes = classesOf(benchmark)
  return (
    found !== undefined &&
    (excluded !== undefined || images === found.benchmark.expectedCounts(found.variant).images) &&
    /^(imagenet-1k|by-name) /.test(labelMap) &&
    choices === (classes === 'all' ? classes : classes.join(' '))
  )
}

/** Gives a copy that is scored by ImageNet's classes the choices of its benchmark, and notes which copy it is. */
export function asCopy(read: RawDataset): RawDataset {
  const copy = hubCopyOf(read.name)
  const found = copy && findBenchmark(copy.benchmark)
  if (!found || read.space !== imagenetSpace) return read
  const choices = classesOf(copy.benchmark)
  const { images } = found.benchmark.expectedCounts(found.variant)
  const own = read.samples.length
  const lacking =
    own === images ? '' : `; it has ${own} images, not ${images}, and does not stand for it`
  const notes = [
    ...(read.notes ?? []),
    `it is a copy of ${copy.benchmark}, as ${copy.source} states${lacking}`,
  ]
  if (choices === 'all') return { ...read, notes }
  const competing = new Set(choices)
  const samples = read.samples.map(sample => ({
    ...sample,
    labels: sample.labels.filter(index => competing.has(index)),
  }))
  return { ...read, samples, notes, choices }
}

/** Returns whether a data set is a copy whose class names are ImageNet's, also where they are not all 1,000. */
export const hasImagenetNames = (dataset: string): boolean => {
  const copy = hubCopyOf(dataset)
  return copy !== undefined && findBenchmark(copy.benchmark) !== undefined
}

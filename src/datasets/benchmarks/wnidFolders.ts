import { inputError } from '../../lib/errors.ts'
import type { ReadBenchmarkOptions } from './benchmark.ts'
import type { RawDataset } from '../build.ts'
import { classFolderSamples } from './classFolders.ts'
import { imagenetWnids, indexOfWnid } from '../labels/imagenet.ts'
import { imagenetSpace } from '../labels/labels.ts'
import type { FileTree } from '../tree.ts'
import { readTsv } from '../../lib/archive/tsv.ts'

export const isWnid = (name: string): boolean => /^n\d{8}$/.test(name)

/** Class indices of a shipped list of wnids, in its order. */
export const readWnidClasses = (file: 'imagenet-a' | 'imagenet-r'): number[] =>
  readTsv<'wnid'>(new URL(`../labels/${file}.tsv`, import.meta.url)).map(({ wnid }) =>
    indexOfWnid(wnid)!,
  )

/** What a folder of each of these classes, or of all, accepts. */
export const labelsByWnid = (
  classes: Iterable<number> = imagenetWnids.keys(),
): ReadonlyMap<string, number[]> =>
  new Map([...classes].map(index => [imagenetWnids[index]!, [index]]))

/**
 * Reads `<wnid>/<file>`. With `classes`, a wnid outside them is unknown and only these classes compete: the logits of the
 * others are masked out before ranking.
 */
export async function readWnidFolders(
  name: string,
  tree: FileTree,
  options: ReadBenchmarkOptions,
  classes?: readonly number[],
): Promise<RawDataset> {
  refuseLabelMap(name, options)
  const known = labelsByWnid(classes)
  const { samples: items, problems } = classFolderSamples(await tree.list(''), folder =>
    known.get(folder),
  )
  return {
    name,
    samples: items,
    problems,
    space: imagenetSpace,
    columns: [],
    ...(classes && { choices: classes }),
  }
}

/** ImageNet's own benchmarks need no map, so one that is asked for would silently do nothing. */
export function refuseLabelMap(name: string, { labels }: ReadBenchmarkOptions): void {
  if (labels !== undefined && labels !== 'imagenet' && labels !== 'original') {
    throw inputError(
      'no-label-map',
      `${name} is labelled with ImageNet's classes and takes no label map: ${labels}`,
    )
  }
}

import { inputError } from '../../lib/errors.ts'
import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import { classFolderSamples } from './classFolders.ts'
import { imagenetWnids, indexOfWnid } from '../labels/imagenet.ts'
import { imagenetSpace } from '../labels/labels.ts'
import { readTsv } from '../../lib/archive/tsv.ts'

export const isWnid = (name: string): boolean => /^n\d{8}$/.test(name)

/** Reads the class indices of a shipped list of wnids. */
export const readWnidClasses = (file: 'imagenet-a' | 'imagenet-r'): number[] =>
  readTsv<'wnid'>(new URL(`../labels/${file}.tsv`, import.meta.url)).map(({ wnid }) =>
    indexOfWnid(wnid)!,
  )

/** Returns the accepted class index of each wnid of `classes`, all 1,000 by default. */
export const labelsByWnid = (
  classes: Iterable<number> = imagenetWnids.keys(),
): ReadonlyMap<string, number[]> =>
  new Map([...classes].map(index => [imagenetWnids[index]!, [index]]))

/**
 * Returns a reader of `<wnid>/<file>`. With `classes`, a wnid outside them is unknown, and only these classes compete: the
 * logits of the others are masked out before ranking.
 */
export const wnidFolderReader =
  (name: string, classes?: readonly number[]): Benchmark['read'] =>
  async (tree, options) => {
    refuseLabelMap(name, options)
    const known = labelsByWnid(classes)
    return {
      name,
      ...classFolderSamples(await tree.list(''), folder => known.get(folder)),
      space: imagenetSpace,
      columns: [],
      choices: classes,
    }
  }

/** Refuses a label map for benchmarks that are labelled with ImageNet's classes. Errors: no-label-map. */
export function refuseLabelMap(name: string, { labels }: ReadBenchmarkOptions): void {
  if (labels !== undefined && labels !== 'imagenet' && labels !== 'original') {
    throw inputError(
      'no-label-map',
      `${name} is labelled with ImageNet's classes and takes no label map: ${labels}`,
    )
  }
}

import { inputError } from '../../lib/errors.ts'
import { decodeImage } from '../../lib/pixels/decode.ts'
import { readTsv } from '../../lib/archive/tsv.ts'
import { imagenetWnids, indexOfWnid } from '../labels/imagenet.ts'
import { imagenetSpace } from '../labels/labelSpace.ts'
import { readEntry, type FileTree } from '../tree.ts'
import type { Benchmark, ExpectedCounts, FileEvidence, ReadBenchmarkOptions } from './benchmark.ts'
import { classFolderSamples, isImageName } from './classFolderSamples.ts'

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

/** The file names that the authors of benchmarks gave their images. ImageNet-C keeps those of the validation images. */
const imageNamePatterns: readonly (readonly [string, RegExp])[] = [
  ['imagenet-1k', /^ILSVRC2012_val_\d{8}(_n\d{8})?\.jpe?g$/i],
  ['imagenet-1k, training', /^n\d{8}_\d+\.jpe?g$/i],
  ['imagenet-v2', /^[0-9a-f]{40}\.jpe?g$/],
  ['imagenet-sketch', /^sketch_\d+\.JPEG$/],
  [
    'imagenet-r',
    /^(art|cartoon|deviantart|embroidery|graffiti|graphic|misc|origami|painting|sculpture|sketch|sticker|tattoo|toy|videogame)_\d+\.jpg$/,
  ],
  ['imagenet-a', /^\d+\.\d+_.*_\d+\.\d+\.jpg$/],
  ['tiny-imagenet-c', /^(test|val)_\d+\.jpe?g$/i],
]

/** Returns evidence from file names alone: all are of one pattern, which is the benchmark's (`fits`) or another's. */
export function imageNameEvidence(name: string, files: readonly string[]): FileEvidence {
  const owners = files.map(file => imageNamePatterns.find(([, p]) => p.test(file))?.[0])
  const named = new Set(owners.filter(owner => owner !== undefined))
  const [other] = named
  if (named.size === 1 && other !== name && other !== undefined)
    return {
      fits: false,
      contradiction: `its images are named as those of ${other} (${files[0]!})`,
    }
  return { fits: files.length > 0 && owners.every(owner => owner === name) }
}

const sampledFolders = 24
const sampledImages = 4

/** Returns image names of some class folders, evenly spaced. */
export async function sampleImageNames(tree: FileTree, folders: readonly string[]) {
  const count = Math.min(sampledFolders, folders.length)
  const chosen = Array.from(
    { length: count },
    (_, i) => folders[Math.floor((i * folders.length) / count)]!,
  )
  const names: { folder: string; name: string }[] = []
  for (const folder of chosen) {
    const images = (await tree.subtree(folder).topEntries()).filter(({ name }) => isImageName(name))
    for (const { name } of images.slice(0, sampledImages)) names.push({ folder, name })
  }
  return names
}

/**
 * Returns the marks of `<wnid>/<file>`: the authors' file names, or the exact list of classes with the authors' number of
 * images.
 */
export async function wnidFolderMarks(
  tree: FileTree,
  {
    name,
    expected,
    classes,
  }: { name: string; expected: ExpectedCounts; classes?: readonly number[] },
): Promise<FileEvidence> {
  const folders = (await tree.topEntries())
    .filter(entry => entry.isFolder && isWnid(entry.name))
    .map(entry => entry.name)
  const known = labelsByWnid(classes)
  const sampled = await sampleImageNames(tree, folders)
  const byName = imageNameEvidence(
    name,
    sampled.map(image => image.name),
  )
  if (byName.contradiction !== undefined) return byName
  const isMarked =
    folders.every(folder => known.has(folder)) &&
    (byName.fits ||
      (folders.length === known.size && (await countImages(tree, folders)) === expected.images))
  return { fits: isMarked && !(name === 'imagenet-1k' && (await haveNetworkSize(tree, sampled))) }
}

async function countImages(tree: FileTree, folders: readonly string[]): Promise<number> {
  let images = 0
  for (const folder of folders)
    images += (await tree.subtree(folder).topEntries()).filter(({ name }) =>
      isImageName(name),
    ).length
  return images
}

/** Tells whether images are 224 × 224 pixels, as ImageNet-C's are, whose names and folders are those of the validation images. */
async function haveNetworkSize(
  tree: FileTree,
  sampled: readonly { folder: string; name: string }[],
): Promise<boolean> {
  for (const { folder, name } of sampled.slice(0, 3)) {
    const entry = await tree.find(`${folder}/${name}`)
    const size = entry && (await decodeImage(await readEntry(entry)).catch(() => undefined))
    if (size && (size.width !== 224 || size.height !== 224)) return false
  }
  return true
}

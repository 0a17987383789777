import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { inputError } from '../../lib/errors.ts'
import { readTarMembers } from '../../lib/archive/tar.ts'
import type { Benchmark, FileEvidence, ReadBenchmarkOptions } from './benchmark.ts'
import type { RawDataset } from '../build.ts'
import { isImageName, unknownClassProblem } from './classFolderSamples.ts'
import type { Sample, Problem } from '../dataset.ts'
import { imagenetClasses, indexOfWnid } from '../labels/imagenet.ts'
import { imagenetSpace } from '../labels/labelSpace.ts'
import { nonEmptyLines } from '../manifest.ts'
import { imageOf, openTree, readEntry, readTreeText, type FileTree } from '../tree.ts'
import { type ArchiveMember } from '../../lib/archive/member.ts'
import { isWnid, wnidFolderMarks, wnidFolderReader, refuseLabelMap } from './wnidFolders.ts'

const valFolders = [
  'val',
  'validation',
  'ILSVRC2012_img_val',
  'ILSVRC/Data/CLS-LOC/val',
  'Data/CLS-LOC/val',
]
const valTar = 'ILSVRC2012_img_val.tar'
const isValName = (name: string): boolean => /^ILSVRC2012_val_\d{8}.*\.JPEG$/i.test(name)

const expected = { images: 50_000, classes: 1000, perClass: 50 }

/**
 * The validation images of ILSVRC 2012: a folder a wnid, or the flat folder (or `ILSVRC2012_img_val.tar`) with a ground
 * truth beside it: `LOC_val_solution.csv`, a list of wnids, or the development kit's list of ids, which are not in wnid
 * order.
 */
export const imagenet1k: Benchmark = {
  name: 'imagenet-1k',
  title: 'ImageNet-1K (ILSVRC 2012), validation',
  kind: 'standard',
  terms: 'research and education only; terms are accepted on the source page',
  source: 'https://image-net.org/challenges/LSVRC/2012/',
  expectedCounts: () => expected,
  variants: ['val'],
  howToGet:
    'accept the terms on the source page, then put the validation images into imagenet/val/<wnid>/, or ILSVRC2012_img_val.tar ' +
    'into imagenet/ beside LOC_val_solution.csv or ILSVRC2012_devkit_t12.tar.gz',
  downloads: [],
  hub: {
    name: 'hf:ILSVRC/imagenet-1k:validation',
    difference:
      'the 50,000 validation images as Parquet; its terms are accepted on the hub, and a token is needed',
  },
  candidatePaths: () => ['imagenet-1k', 'imagenet', 'ILSVRC2012'],
  isRootEntry: name =>
    isWnid(name) ||
    isValName(name) ||
    name === valTar ||
    ['ILSVRC', 'Data'].includes(name) ||
    valFolders.includes(name),
  marks: imagenetMarks,
  read: readImageNet,
}

async function readImageNet(tree: FileTree, options: ReadBenchmarkOptions): Promise<RawDataset> {
  refuseLabelMap('imagenet-1k', options)
  const images = await validationTree(tree)
  const top = await images.topEntries()
  if (top.some(({ name, isFolder }) => isFolder && isWnid(name)))
    return wnidFolderReader('imagenet-1k')(images, options)
  const folder = top.find(({ isFolder }) => isFolder)
  if (folder && !top.some(({ name }) => isValName(name)))
    throw inputError(
      'unknown-layout',
      `${images.location} has the class folder ${folder.name}, which is no wnid (n01440764); give ${images.location} as the data set to have its folders read by name`,
    )
  const truth = await readGroundTruth(tree)
  return {
    name: 'imagenet-1k',
    ...flatFolderSamples(images, await images.list(''), truth),
    space: imagenetSpace,
    columns: [],
  }
}

async function validationTree(tree: FileTree): Promise<FileTree> {
  for (const folder of valFolders) {
    const below = tree.subtree(folder)
    const found = await below.topEntries().catch(() => [])
    if (found.length > 0) return below
  }
  const archive = await tree.find(valTar)
  return archive?.source.kind === 'file' ? openTree(archive.source.file) : tree
}

/** Wnids by image number, from 1. */
type GroundTruth = ReadonlyMap<number, string>

/** Returns the number of `ILSVRC2012_val_00000001.JPEG`, which copies of the hub name `ILSVRC2012_val_00000001_n01751748.JPEG`. */
const imageNumber = (path: string): number => Number(/_(\d{8})(_n\d{8})?(\.\w+)?$/.exec(path)?.[1])

/** Makes a sample of every image that the ground truth names, also if its file is missing. */
function flatFolderSamples(
  { location: where }: FileTree,
  entries: readonly ArchiveMember[],
  truth: GroundTruth,
): { samples: Sample[]; problems: Problem[] } {
  const items: Sample[] = []
  const problems: Problem[] = []
  const files = entries.filter(({ path }) => isImageName(path))
  const byNumber = new Map(files.map(entry => [imageNumber(entry.path), entry]))
  for (const entry of files.filter(({ path }) => !truth.has(imageNumber(path)))) {
    problems.push({
      id: entry.path,
      code: 'no-label',
      message: `no ground truth for ${entry.path}`,
    })
  }
  for (const [number, wnid] of truth) {
    const name = `ILSVRC2012_val_${String(number).padStart(8, '0')}.JPEG`
    const entry = byNumber.get(number)
    const index = indexOfWnid(wnid)
    if (index === undefined) problems.push(unknownClassProblem(entry?.path ?? name, wnid))
    else
      items.push({
        id: entry?.path ?? name,
        ...imageOf(entry, join(where, name)),
        labels: [index],
        label: wnid,
        groups: {},
      })
  }
  return { samples: items, problems }
}

const truthFolders = [
  '',
  'devkit/data/',
  'ILSVRC2012_devkit_t12/data/',
  'ILSVRC/devkit/data/',
  'ILSVRC/',
  'val/',
]

async function readGroundTruth(tree: FileTree): Promise<GroundTruth> {
  const solution = await readLines(tree, 'LOC_val_solution.csv')
  if (solution)
    return new Map(
      solution
        .slice(1)
        .map(line => [imageNumber(line.split(',')[0]!), line.split(',')[1]!.split(' ')[0]!]),
    )
  const wnids = await readLines(tree, 'imagenet_2012_validation_synset_labels.txt')
  if (wnids) return numberWnids(wnids)
  const ids = await readLines(tree, 'ILSVRC2012_validation_ground_truth.txt')
  if (!ids)
    throw inputError(
      'missing-file',
      `no ground truth for flat validation images in ${tree.location}: put one of these beside them: ${groundTruthNames}`,
    )
  const wnidById = new Map(imagenetClasses.map(({ ilsvrcId, wnid }) => [ilsvrcId, wnid]))
  return numberWnids(ids.map(id => wnidById.get(Number(id)) ?? `id ${id.trim()}`))
}

const groundTruthNames =
  "LOC_val_solution.csv (Kaggle's), imagenet_2012_validation_synset_labels.txt, ILSVRC2012_validation_ground_truth.txt or ILSVRC2012_devkit_t12.tar.gz"

const numberWnids = (wnids: readonly string[]): GroundTruth =>
  new Map(wnids.map((wnid, i) => [i + 1, wnid.trim()]))

const devkitNames = ['ILSVRC2012_devkit_t12.tar.gz', 'ILSVRC2012_devkit_t12.tar']

/** Returns the lines of a ground truth file beside the images, or in the development kit's archive there. */
async function readLines(tree: FileTree, name: string): Promise<string[] | undefined> {
  for (const folder of truthFolders) {
    const content = await readTreeText(tree, folder + name)
    if (content !== undefined) return nonEmptyLines(content)
  }
  for (const devkit of devkitNames) {
    const entry = await tree.find(devkit)
    const content = entry && (await readDevkitFile(entry, name))
    if (content !== undefined) return nonEmptyLines(content)
  }
  return undefined
}

/** Reads a file of the development kit's archive, which is small enough to be unpacked in memory. */
async function readDevkitFile(entry: ArchiveMember, name: string): Promise<string | undefined> {
  const stored = await readEntry(entry)
  const tar = stored.readUInt16BE(0) === 0x1f8b ? gunzipSync(stored) : stored
  const members = await readTarMembers(entry.path, tar.length, (offset, length) =>
    Promise.resolve(tar.subarray(offset, offset + length)),
  )
  const found = members.find(({ path }) => path.endsWith(`/${name}`) || path === name)
  if (found?.source.kind !== 'range') return undefined
  const { offset, length } = found.source
  return tar.toString('utf8', offset, offset + length)
}

/** Flat validation images and their archive are marks of their own; class folders have those of their file names. */
async function imagenetMarks(root: FileTree): Promise<FileEvidence> {
  const images = await validationTree(root)
  const top = await images.topEntries()
  if (top.some(({ name, isFolder }) => isFolder && isWnid(name)))
    return wnidFolderMarks(images, { name: 'imagenet-1k', expected })
  return { fits: top.some(({ name }) => isValName(name)) }
}

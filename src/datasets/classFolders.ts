import { inputError } from '../lib/errors.ts'
import type { RawDataset } from './build.ts'
import type { Problem } from './dataset.ts'
import {
  classFolderSamples,
  isImageName,
  parentName,
  unknownFileProblem,
} from './benchmarks/classFolderSamples.ts'
import { labelRules, type ReadManifestOptions } from './manifest.ts'
import { isLitterName } from './files.ts'
import { type FileTree } from './tree.ts'
import type { ArchiveMember } from '../lib/archive/member.ts'

/**
 * `<class>/<file>` in a folder, zip or tar: a folder a class, named by wnid or by ImageNet name, or by the names of a
 * classes file; single folders around all of them are looked through. Ids are `<class>/<file>`. A class folder that no label
 * set knows is an error that names it; images above or below class folders are problems.
 */
export async function readFolder(
  tree: FileTree,
  options: Pick<ReadManifestOptions, 'classes' | 'labels'> = {},
): Promise<RawDataset> {
  const root = await unwrapSingleFolder(tree)
  const all = await root.list('')
  const isInClass = ({ path }: ArchiveMember): boolean => path.split('/').length === 2
  const entries = all.filter(isInClass)
  const images = entries.filter(({ path }) => isImageName(path))
  if (images.length === 0) throw noClassFoldersError(tree, all)
  const folders = [...new Set(images.map(({ path }) => parentName(path)))]
  const rules = await labelRules(options, () => folders)
  const accepted = new Map(folders.map(folder => [folder, rules.space.resolve(folder)]))
  const { samples, problems } = classFolderSamples(entries, folder => accepted.get(folder) ?? [])
  const outside = all.filter(entry => !isInClass(entry)).flatMap(outsideProblem)
  return { name: tree.location, samples, problems: [...problems, ...outside], ...rules }
}

/** Returns the problem of an image above or below class folders, or of an entry there that cannot be read. */
function outsideProblem(entry: ArchiveMember): Problem[] {
  const { path, bytes } = entry
  if (isImageName(path))
    return [{ id: path, code: 'no-class', message: `not in a class folder: ${path}` }]
  if (bytes === null)
    return [
      { id: path, code: 'missing-file', message: `a link to nothing, or not readable: ${path}` },
    ]
  const unknown = path.includes('/') ? unknownFileProblem(entry) : undefined
  return unknown ? [unknown] : []
}

function noClassFoldersError(tree: FileTree, entries: readonly ArchiveMember[]): Error {
  const expected = 'expected <class>/<file>, or a table (CSV, JSONL, Parquet) with a row an image'
  const image = entries.find(({ path }) => isImageName(path))?.path
  if (image === undefined) {
    const isOfResults = entries.some(({ path }) => path.startsWith('predictions/'))
    const found = isOfResults
      ? '; it holds results, and a data set is needed'
      : entries[0] === undefined
        ? ', which has no files'
        : `, which has ${entries[0].path} and no picture`
    return inputError('no-class-folders', `no images in ${tree.location}${found}; ${expected}`)
  }
  const found = image.includes('/')
    ? `; images lie deeper, as ${image} does: name the folder that holds the class folders`
    : `; images such as ${image} are in no folder`
  return inputError('no-class-folders', `no class folders in ${tree.location}${found}; ${expected}`)
}

/** Looks through a single folder without images beside it that holds folders and no images, as archives often have them. */
async function unwrapSingleFolder(tree: FileTree): Promise<FileTree> {
  const shown = async (one: FileTree) =>
    (await one.topEntries()).filter(
      ({ name, isFolder }) => !isLitterName(name, isFolder) && (isFolder || isImageName(name)),
    )
  const [only, ...others] = await shown(tree)
  if (!only?.isFolder || others.length > 0) return tree
  const inner = tree.subtree(only.name)
  const entries = await shown(inner)
  return entries.length > 0 && entries.every(({ isFolder }) => isFolder)
    ? unwrapSingleFolder(inner)
    : tree
}

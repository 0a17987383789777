import { inputError } from '../lib/errors.ts'
import type { Draft } from './build.ts'
import { classFolderItems, isImageName, parentName } from './benchmarks/classFolders.ts'
import { labelRules, type ManifestOptions } from './manifest.ts'
import type { Tree } from './tree.ts'
import type { Entry } from '../lib/archive/member.ts'

/**
 * `<class>/<file>` in a folder, zip or tar: a folder a class, named by wnid or by ImageNet name, or by the names of a
 * classes file; one folder around all of them is looked through. Ids are `<class>/<file>`. A class folder that no label
 * set knows is an error that names it; images above or below class folders are problems.
 */
export async function readFolder(
  tree: Tree,
  options: Pick<ManifestOptions, 'classes' | 'labels'> = {},
): Promise<Draft> {
  const root = await unwrap(tree)
  const all = (await root.list('')).filter(({ path }) => isImageName(path))
  const [images, others] = [true, false].map(inClass =>
    all.filter(({ path }) => inClass === (path.split('/').length === 2)),
  ) as [Entry[], Entry[]]
  if (images.length === 0)
    throw inputError(
      'no-class-folders',
      `no class folders in ${tree.where}; expected <class>/<file>, or a table (CSV, JSONL, Parquet) with a row an image`,
    )
  const folders = [...new Set(images.map(({ path }) => parentName(path)))]
  const rules = await labelRules(options, () => folders)
  const accepted = new Map(folders.map(folder => [folder, rules.space.resolve(folder)]))
  const { items } = classFolderItems(images, folder => accepted.get(folder))
  const problems = others.map(({ path }) => ({ id: path, code: 'no-class', message: `not in a class folder: ${path}` }))
  return { name: tree.where, items, problems, ...rules }
}

/** Looks through a single folder that holds only folders. */
async function unwrap(tree: Tree): Promise<Tree> {
  const [only, ...others] = await tree.top()
  if (!only?.isFolder || others.length > 0) return tree
  const inner = tree.at(only.name)
  return (await inner.top()).every(({ isFolder }) => isFolder) ? unwrap(inner) : tree
}

import { extname, join } from 'node:path'
import { inputError } from '../errors.ts'
import type { Draft } from './build.ts'
import type { Item } from './dataset.ts'
import { fileSizes, folderEntries } from './files.ts'
import { imagenetSpace, ownSpace } from './labels.ts'
import { readClasses } from './manifest.ts'

const imageEndings = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff', '.avif', '.ppm']

/** Whether a file name ends as an image does, in any case. */
export const isImageName = (name: string): boolean => imageEndings.includes(extname(name).toLowerCase())

/**
 * `<class>/<file>`: a folder a class, named by wnid or by ImageNet name, or by the names of a classes file. Ids are
 * `<class>/<file>`; other files are left alone. A class folder that no label set knows is an error that names it.
 */
export async function readFolder(folder: string, options: { classes?: string } = {}): Promise<Draft> {
  const space = options.classes === undefined ? imagenetSpace : ownSpace(await readClasses(options.classes))
  const classFolders = (await folderEntries(folder)).filter(entry => entry.isFolder)
  if (classFolders.length === 0)
    throw inputError('no-class-folders', `no class folders in ${folder}; expected <wnid>/<file>`)
  const found: { id: string; name: string; labels: readonly number[] }[] = []
  for (const { name } of classFolders) {
    const labels = space.resolve(name)
    const files = (await folderEntries(join(folder, name))).filter(entry => !entry.isFolder && isImageName(entry.name))
    found.push(...files.map(file => ({ id: `${name}/${file.name}`, name, labels })))
  }
  const files = found.map(({ id }) => join(folder, id))
  const bytes = await fileSizes(files)
  const items = found.map(({ id, name, labels }, i): Item => ({
    id,
    image: { kind: 'file', file: files[i]! },
    labels,
    label: name,
    groups: {},
    bytes: bytes[i]!,
  }))
  return { name: folder, items, space }
}

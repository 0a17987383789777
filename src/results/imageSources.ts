/** Where the images of an evaluated data set lie, kept beside the predictions so that they can be looked at later. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { z } from 'zod'
import { type Dataset, type Sample } from '../datasets/dataset.ts'
import { type ImageSource } from '../lib/archive/member.ts'
import { writeAtomically, writeDurably, writeError } from '../lib/files.ts'
import { sha256 } from '../lib/hash.ts'
import { geogapCache } from '../lib/hub/hubCache.ts'
import { absolutePath } from '../lib/storage/storage.ts'
import {
  literalPath,
  numberColumn,
  parquetRows,
  query,
  queryColumns,
  textColumn,
  writeParquet,
} from '../lib/sql.ts'

const imagesFile = (dir: string, hash: string): string =>
  join(dir, 'datasets', `${hash.slice(0, 16)}.images.parquet`)

export async function writeImageSources(
  dir: string,
  { hash, samples: items }: Dataset,
): Promise<void> {
  const file = imagesFile(dir, hash)
  const range = ({ image }: Sample) => (image.kind === 'range' ? image : undefined)
  const cell = ({ image }: Sample) => (image.kind === 'parquet' ? image : undefined)
  const columns = [
    textColumn('id', items, ({ id }) => id),
    textColumn('file', items, ({ image }) => absolutePath(image.file)),
    numberColumn('offset', items, item => range(item)?.offset ?? null),
    numberColumn('length', items, item => range(item)?.length ?? null),
    numberColumn('unpacked', items, item => range(item)?.deflated?.size ?? null),
    textColumn('column', items, item => cell(item)?.column ?? null),
    numberColumn('row', items, item => cell(item)?.row ?? null),
  ]
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeDurably(file, temporary => writeParquet(temporary, columns))
  } catch (error) {
    throw writeError(file, error)
  }
}

/** Returns the ids of the images of an evaluated data set; none if they are not stored or cannot be read. */
export const readImageIds = async (dir: string, hash: string): Promise<unknown[]> =>
  (
    await queryColumns(`SELECT id FROM ${parquetRows()}`, [
      literalPath(imagesFile(dir, hash)),
    ]).catch(() => [])
  )[0] ?? []

interface ImageSourceRow {
  file: string
  offset: number | null
  length: number | null
  unpacked: number | null
  column: string | null
  row: number | null
}

/** Where an image lies; undefined where the data set has no image of that id, or no places are stored. */
export async function findImageSource(
  dir: string,
  hash: string,
  id: string,
): Promise<ImageSource | undefined> {
  const [found] = await query<ImageSourceRow>(
    `SELECT file, "offset", length, unpacked, "column", row FROM ${parquetRows()} WHERE id = $2 LIMIT 1`,
    [literalPath(imagesFile(dir, hash)), id],
  ).catch(() => [])
  if (!found) return undefined
  const { file, offset, length, unpacked, column, row } = found
  if (column !== null) return { kind: 'parquet', file, column, row: row ?? 0 }
  if (offset === null || length === null) return { kind: 'file', file }
  const stored = { kind: 'range' as const, file, offset, length }
  return unpacked === null ? stored : { ...stored, deflated: { size: unpacked } }
}

const maxFolders = 50

/** Returns the folders of a data set's files; if there are many, the folders above them. */
export function imageFolders({ samples: items }: Pick<Dataset, 'samples'>): string[] {
  let folders = outermostFolders(items.map(({ image }) => dirname(absolutePath(image.file))))
  while (folders.length > maxFolders) folders = outermostFolders(folders.map(dirname))
  return folders
}

const outermostFolders = (folders: readonly string[]): string[] => {
  const kept: string[] = []
  for (const folder of [...new Set(folders)].sort((a, b) => a.length - b.length)) {
    if (!kept.some(above => folder.startsWith(above.endsWith(sep) ? above : above + sep)))
      kept.push(folder)
  }
  return kept
}

const ownFoldersFile = (hash: string): string =>
  join(geogapCache(), 'images', `${sha256(hash, 16)}.json`)

/**
 * Records in this machine's own cache where the images lie that it evaluates. Results name files too, but they may come from
 * somebody else, so their word does not allow anybody to look at files.
 */
export async function recordOwnImageFolders(
  dataset: Pick<Dataset, 'hash' | 'samples'>,
): Promise<void> {
  const folders = [...(await ownImageFolders(dataset.hash)), ...imageFolders(dataset)]
  const file = ownFoldersFile(dataset.hash)
  try {
    await mkdir(dirname(file), { recursive: true })
    const text = JSON.stringify(outermostFolders(folders))
    await writeAtomically(file, handle => handle.writeFile(text))
  } catch {
    // The cache may lie where nothing can be written.
  }
}

/** Returns the folders in which the images of a data set lay when this machine evaluated it; none if it never did. */
export async function ownImageFolders(hash: string): Promise<string[]> {
  try {
    return z.array(z.string()).parse(JSON.parse(await readFile(ownFoldersFile(hash), 'utf8')))
  } catch {
    return []
  }
}

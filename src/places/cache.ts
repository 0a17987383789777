/** Copies of objects on this machine, for everything that reads files. */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { mapLimited } from '../datasets/files.ts'
import { inputError } from '../errors.ts'
import { storageError, writeDurably } from '../files.ts'
import { geogapCache } from '../models/hubCache.ts'
import { isStore } from './place.ts'

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** The path itself, or a copy of the object that it names; a changed object is copied anew. Errors: `missing-file`. */
export async function localFile(path: string): Promise<string> {
  if (!isStore(path)) return path
  const { headObject } = await import('./s3.ts')
  const found = await headObject(path)
  if (!found) throw inputError('missing-file', `missing file: ${path}`)
  const file = join(geogapCache(), 'objects', digest(path + found.tag), basename(path))
  if ((await sizeOf(file)) !== found.bytes) await copyObject(path, file)
  return file
}

const sizeOf = async (file: string): Promise<number | undefined> => (await stat(file).catch(() => undefined))?.size

async function copyObject(url: string, file: string): Promise<void> {
  const { readObject } = await import('./s3.ts')
  const bytes = await readObject(url)
  if (!bytes) throw inputError('missing-file', `missing file: ${url}`)
  await mkdir(dirname(file), { recursive: true })
  await writeDurably(file, temporary => writeFile(temporary, bytes))
}

/** The folder of results itself, or this machine's copy of a store's. */
const resultsFolder = (out: string): string => (isStore(out) ? join(geogapCache(), 'results', digest(out)) : out)

/** Where class embeddings are kept: beside results in a folder, in the cache for a store's. */
export const headsFolder = (out: string): string => join(isStore(out) ? geogapCache() : out, 'heads')

interface Stored {
  url: string
  bytes: number
  name: string
}

const isShard = ({ name }: Stored): boolean => name.startsWith('predictions/')
const isManifest = ({ name }: Stored): boolean => name.endsWith('.json')

/**
 * Brings the copy of a store's results up to date and gives its folder: shards before the manifests that name them, records as they are
 * now. A folder is given as it is.
 */
export async function pullResults(out: string): Promise<string> {
  const folder = resultsFolder(out)
  if (!isStore(out)) return folder
  const { listObjects } = await import('./s3.ts')
  const root = `${out.replace(/\/+$/, '')}/`
  const objects = (await listObjects(root)).map(({ url, bytes }) => ({ url, bytes, name: url.slice(root.length) }))
  const copy = async (object: Stored): Promise<void> => {
    const file = join(folder, object.name)
    if (!isShard(object) || (await sizeOf(file)) !== object.bytes) await copyObject(object.url, file)
  }
  await mapLimited(
    objects.filter(object => !isManifest(object)),
    16,
    copy,
  )
  await mapLimited(objects.filter(isManifest), 16, copy)
  await removeOthers(join(folder, 'predictions'), new Set(objects.map(({ name }) => join(folder, name))))
  return folder
}

/** Makes a folder for results, or this machine's copy of a store's. */
export async function beginResults(out: string): Promise<string> {
  const folder = await pullResults(out)
  await mkdir(join(folder, 'predictions'), { recursive: true }).catch((error: unknown) => {
    throw storageError(out, error)
  })
  return folder
}

/** Puts the records beside the predictions into the store that the folder is a copy of. */
export async function pushRecords(out: string, folder: string): Promise<void> {
  if (!isStore(out)) return
  const { s3Place } = await import('./s3.ts')
  const place = s3Place(out)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    const name = relative(folder, file).split(sep).join('/')
    if (entry.isFile() && !name.startsWith('predictions/'))
      await place.put(name, temporary => copyFile(file, temporary))
  }
}

async function removeOthers(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !kept.has(file)) await rm(file, { force: true })
  }
}

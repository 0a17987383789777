/** Copies of objects on this machine, for everything that reads files. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { mapLimited } from '../datasets/files.ts'
import { inputError } from '../errors.ts'
import { writeDurably } from '../files.ts'
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
export const resultsFolder = (out: string): string => (isStore(out) ? join(geogapCache(), 'results', digest(out)) : out)

/**
 * Brings the copy of a store's results up to date: shards before the manifests that name them, which never change; records as they are now.
 * A folder is returned as it is.
 */
export async function pullResults(out: string): Promise<string> {
  const folder = resultsFolder(out)
  if (!isStore(out)) return folder
  const { listObjects } = await import('./s3.ts')
  const root = `${out.replace(/\/+$/, '')}/`
  const objects = (await listObjects(out)).filter(({ url }) => url.startsWith(root))
  const files = objects.map(({ url, bytes }) => ({ url, bytes, file: join(folder, url.slice(root.length)) }))
  const isManifest = ({ file }: { file: string }): boolean => file.endsWith('.json')
  const copy = async ({ url, bytes, file }: (typeof files)[number]): Promise<void> => {
    const isShard = relative(folder, file).startsWith('predictions')
    if (!isShard || (await sizeOf(file)) !== bytes) await copyObject(url, file)
  }
  await mapLimited(
    files.filter(file => !isManifest(file)),
    16,
    copy,
  )
  await mapLimited(files.filter(isManifest), 16, copy)
  await removeOthers(folder, new Set(files.map(({ file }) => file)))
  return folder
}

async function removeOthers(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !kept.has(file)) await rm(file, { force: true })
  }
}

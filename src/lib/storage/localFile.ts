import { join, basename, dirname } from 'node:path'
import { geogapCache } from '../hub/hubCache.ts'
import { sha256 } from '../hash.ts'
import { isObjectStoreUrl } from './storage.ts'
import { type GeogapError, inputError } from '../errors.ts'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { writeDurably } from '../files.ts'

/** Returns the path itself, or that of a local copy of the object it names; a changed object is copied anew. Errors: missing-file. */
export async function localFile(path: string): Promise<string> {
  if (!isObjectStoreUrl(path)) return path
  const { headObject } = await import('./s3.ts')
  const found = await headObject(path)
  if (!found) throw missingFileError(path)
  const file = join(geogapCache(), 'objects', sha256(path + found.tag, 16), basename(path))
  if ((await fileSize(file)) !== found.bytes && !(await copyObject(path, file)))
    throw missingFileError(path)
  return file
}

const missingFileError = (path: string): GeogapError =>
  inputError('missing-file', `missing file: ${path}`)
export const fileSize = async (file: string): Promise<number | undefined> =>
  (await stat(file).catch(() => undefined))?.size

/** Copies an object to a file; returns false for a missing object, which another machine may have removed. */
export async function copyObject(url: string, file: string): Promise<boolean> {
  const { readObject } = await import('./s3.ts')
  const bytes = await readObject(url)
  if (!bytes) return false
  await mkdir(dirname(file), { recursive: true })
  await writeDurably(file, temporary => writeFile(temporary, bytes))
  return true
}

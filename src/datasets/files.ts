import { isUtf8 } from 'node:buffer'
import { existsSync, readdirSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { isHiddenImageName } from './benchmarks/classFolderSamples.ts'
import { closeNames, type GeogapError, inputError } from '../lib/errors.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { orIfMissing } from '../lib/files.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { tally } from '../lib/tally.ts'

/** Reads a text file that the user names. Errors: missing-file, unreadable-file. */
export const readText = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: unknown) => {
    throw fileReadError(file, error)
  })

/** Returns the error for a file that is not there, with files beside it whose names are close. */
export function missingFileError(file: string): GeogapError {
  const folder = dirname(file)
  const beside = existsSync(folder) ? readdirSync(folder) : []
  const close = closeNames(basename(file), beside).map(name => join(folder, name))
  const hint = close.length > 0 ? `; nearest: ${close.join(', ')}` : ''
  return inputError('missing-file', `missing file: ${file}${hint}`)
}

/** Returns the error for a file that the user names and that could not be read. */
export function fileReadError(file: string, error: unknown): GeogapError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  return code === 'ENOENT' || code === 'ENOTDIR'
    ? missingFileError(file)
    : inputError('unreadable-file', `unreadable file: ${file} (${code})`)
}

/** Returns the size in bytes of a regular file, null for anything else. */
export async function fileBytes(file: string): Promise<number | null> {
  const found = await orIfMissing(stat(file), undefined)
  return found?.isFile() ? found.size : null
}

/** Returns the names of files; files of one name have theirs after the folders below the one that all files share. */
export function distinctNames(files: readonly string[]): string[] {
  const counts = tally(files.map(file => basename(file)))
  const paths = files.map(file => file.split(sep))
  const [first = []] = paths
  const depth = first.findIndex((part, i) =>
    paths.some(path => path[i] !== part || i === path.length - 1),
  )
  return files.map((file, i) =>
    counts.get(basename(file)) === 1 ? basename(file) : paths[i]!.slice(depth).join('/'),
  )
}

/** Returns the sizes in bytes of files and of objects of stores, null for those that are missing. */
export async function fileSizes(files: readonly string[]): Promise<(number | null)[]> {
  const urls = files.filter(isObjectStoreUrl)
  const sizes =
    urls.length > 0
      ? await (await import('../lib/storage/s3.ts')).objectSizes(urls)
      : new Map<string, number>()
  return mapLimited(files, 32, async file =>
    isObjectStoreUrl(file) ? (sizes.get(file) ?? null) : fileBytes(file),
  )
}

/** An entry of a folder. */
export interface FolderEntry {
  /** The name; bytes of a name that is not UTF-8 are written as `\\xE9`. */
  name: string
  isFolder: boolean
  /** The entry's path, as bytes if it is not UTF-8. */
  path: string | Buffer
}

/** Lists the entries of a folder without litter, sorted by name. Errors: missing-file, unreadable-folder. */
export async function folderEntries(folder: string | Buffer): Promise<FolderEntry[]> {
  const shown = typeof folder === 'string' ? folder : printableName(folder)
  const entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' }).catch(
    (error: unknown) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      if (code === 'ENOENT') throw inputError('missing-file', `no such folder: ${shown}`)
      throw inputError('unreadable-folder', `unreadable folder: ${shown} (${code})`)
    },
  )
  const visible = entries.filter(entry => !isLitterName(String(entry.name), entry.isDirectory()))
  const listed = await mapLimited(visible, 32, async entry => {
    const name = printableName(entry.name)
    const path =
      typeof folder === 'string' && isUtf8(entry.name)
        ? join(folder, name)
        : Buffer.concat([Buffer.from(folder), Buffer.from(sep), entry.name])
    const isLinked = entry.isSymbolicLink() && (await isFolder(path))
    return { name, path, isFolder: entry.isDirectory() || isLinked }
  })
  return listed.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * Returns whether file managers and version control leave folders and files of this name beside others: those with a leading dot,
 * but for images (`.photo.jpg`; `._photo.jpg` is what macOS adds to one).
 */
export const isLitterName = (name: string, isFolder: boolean): boolean =>
  name === '__MACOSX' || (name.startsWith('.') && (isFolder || !isHiddenImageName(name)))

const printableName = (name: Buffer): string =>
  isUtf8(name)
    ? name.toString('utf8')
    : name
        .toString('latin1')
        .replace(/[\x80-\xff]/g, byte => `\\x${byte.charCodeAt(0).toString(16).toUpperCase()}`)

export const isFolder = async (path: string | Buffer): Promise<boolean> =>
  (await orIfMissing(stat(path), undefined))?.isDirectory() ?? false

import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { existsSync, readlinkSync, realpathSync, statfsSync } from 'node:fs'
import {
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
  type FileHandle,
} from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { promisify } from 'node:util'
import { firstLine, GeogapError, messageOf, storageError } from './errors.ts'

const chunkBytes = 1 << 28

/**
 * Writes `file` whole or not at all: `write` fills a temporary file, which is synced and renamed, and its folder is synced.
 * When `write` fails the temporary file is removed and the error passes on.
 */
export async function writeDurably(
  file: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(file)
  try {
    await write(temporary)
    await sync(temporary, 'r+')
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(file))
}

/** Writes `file` as `writeDurably` does, through an open file. */
export const writeAtomically = (
  file: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> =>
  writeDurably(file, async temporary => {
    const handle = await open(temporary, 'wx')
    try {
      await write(handle)
    } finally {
      await handle.close()
    }
  })

/**
 * Writes a file that the user asked for: whole or not at all. A device or pipe (`/dev/null`) is written to, never replaced.
 * Errors: disk-full, write-failed.
 */
export async function writeOutput(file: string, content: string | Uint8Array): Promise<void> {
  try {
    const existing = await orIfMissing(stat(file), undefined)
    if (existing && !existing.isFile() && !existing.isDirectory()) await writeFile(file, content)
    else await writeAtomically(file, handle => handle.writeFile(content))
  } catch (error) {
    throw writeError(file, error)
  }
}

/** Returns a path beside `file` that no other process or call uses. */
export const temporaryName = (file: string): string =>
  `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`

const reasonByErrorCode: Partial<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'its path is longer than the file system allows',
  EDQUOT: 'the quota of the user is used up',
  ESTALE: 'the file server no longer knows it (ESTALE); is the folder still mounted?',
  EIO: 'the disk or file server fails (EIO)',
}

/** Returns an error such as `cannot write FILE: no space left on the device`. */
export function writeError(file: string, error: unknown): GeogapError {
  if (error instanceof GeogapError && error.kind === 'storage') return error
  const { code = '', syscall } = error as NodeJS.ErrnoException
  // Node says ENOENT of a folder that cannot be made, whatever the reason.
  const isUnmakable = syscall === 'mkdir' && code === 'ENOENT'
  const isDiskFull = code === 'ENOSPC' || /no space left/i.test(messageOf(error))
  if ((isDiskFull || isUnmakable) && hasNoInodes(dirname(file)))
    return storageError(
      'disk-full',
      `cannot write ${file}: no inode left on the device, which holds as many files as it can`,
      error,
    )
  if (isDiskFull)
    return storageError('disk-full', `cannot write ${file}: no space left on the device`, error)
  const reason = isUnmakable
    ? 'the folder cannot be made here (a read-only place?)'
    : (reasonByErrorCode[code] ?? firstLine(error))
  return storageError('write-failed', `cannot write ${file}: ${reason}`, error)
}

/** Whether the device of a folder, or of the nearest that exists, has space but no inodes: both fail with ENOSPC. */
function hasNoInodes(folder: string): boolean {
  const parent = dirname(folder)
  if (!existsSync(folder) && parent !== folder) return hasNoInodes(parent)
  try {
    const { files, ffree, bavail } = statfsSync(folder)
    return files > 0 && ffree === 0 && bavail > 0
  } catch {
    return false
  }
}

const missingFileCodes = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'])

/** Returns what `read` gives, or `otherwise` for a missing file or folder. Any other error passes on. */
export const orIfMissing = <T, U>(read: Promise<T>, otherwise: U): Promise<T | U> =>
  read.catch((error: unknown) => {
    if (missingFileCodes.has((error as NodeJS.ErrnoException).code ?? '')) return otherwise
    throw error
  })

/** Reads a whole file. `node:fs/promises` takes three times the CPU for a small one. */
export const readWholeFile = promisify(fs.readFile)

/** Returns the size and times of a file at half the CPU of `node:fs/promises`. */
export const fileStats = promisify(fs.stat)

/** Reads a file that programs write; undefined if it is missing, and no bytes if a folder has its name: no writer's whole content. */
export const readStoredFile = (file: string): Promise<Buffer | undefined> =>
  orIfMissing(readWholeFile(file), undefined).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return Buffer.alloc(0)
    throw error
  })

/** Lists the JSON files in `folder`, sorted by name; none if there is no such folder. */
export const jsonFileNames = async (folder: string): Promise<string[]> =>
  (await orIfMissing(readdir(folder), [])).filter(name => name.endsWith('.json')).sort()

/** Makes renames in `folder` durable; a no-op where folders cannot be opened (Windows). */
export const syncFolder = async (folder: string): Promise<void> =>
  process.platform === 'win32' ? undefined : sync(folder, 'r')

async function sync(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Fills `bytes` from `position` on; returns the number of bytes read. */
export async function readFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<number> {
  let done = 0
  while (done < bytes.length) {
    const length = Math.min(chunkBytes, bytes.length - done)
    const { bytesRead } = await handle.read(bytes, done, length, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** Writes all of `bytes` at `position`, or at the handle's own position. */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const at = position === undefined ? null : position + done
    const { bytesWritten } = await handle.write(
      bytes,
      done,
      Math.min(chunkBytes, bytes.length - done),
      at,
    )
    done += bytesWritten
  }
}

/**
 * Returns whether `path`, relative to `folder`, is the folder or lies below it. Links are followed, also those to files that
 * do not exist yet. An address of an object store is never inside.
 */
export function isInside(path: string, folder: string): boolean {
  if (/^\w+:\/\//.test(path)) return false
  const inner = relative(followLinks(resolve(folder)), followLinks(resolve(folder, path)))
  return inner !== '..' && !inner.startsWith(`..${sep}`) && !isAbsolute(inner)
}

/** Returns a path without links; its last parts need not exist. */
function followLinks(path: string, depth = 0): string {
  if (existsSync(path)) return realpathSync(path)
  if (path === dirname(path) || depth > 100) return path
  const target = linkTarget(path)
  return target === undefined
    ? join(followLinks(dirname(path), depth + 1), basename(path))
    : followLinks(resolve(dirname(path), target), depth + 1)
}

/** Returns what a link points to; undefined if the path is no link or cannot be read. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** Returns the free bytes of the disk that holds a folder, which need not exist yet; null where the system does not tell. */
export async function freeDiskBytes(folder: string): Promise<number | null> {
  const path = resolve(folder)
  const found = await statfs(path).catch(() => undefined)
  if (found) return found.bavail * found.bsize
  return dirname(path) === path ? null : freeDiskBytes(dirname(path))
}

import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GeogapError, messageOf } from './errors.ts'

const chunkBytes = 1 << 28

/**
 * Has `write` fill a temporary file, so that readers see nothing or all of `file`: fsync, rename, fsync of the folder.
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

/** As `writeDurably`, for a writer that takes an open file. */
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
 * Writes what a person asked for: a file whole or not at all; a device or pipe (`/dev/null`) as it is, never replaced by a
 * file. Errors: disk-full, write-failed.
 */
export async function writeOutput(file: string, content: string | Uint8Array): Promise<void> {
  try {
    const existing = await orIfMissing(stat(file), undefined)
    if (existing && !existing.isFile() && !existing.isDirectory()) await writeFile(file, content)
    else await writeAtomically(file, handle => handle.writeFile(content))
  } catch (error) {
    throw storageError(file, error)
  }
}

/** A name beside `file` that no other process or call uses. */
export const temporaryName = (file: string): string =>
  `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`

const reasonByErrorCode: Partial<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
}

/** What could not be written, in one line: `cannot write FILE: no space left on the device`. */
export function storageError(file: string, error: unknown): GeogapError {
  if (error instanceof GeogapError && error.kind === 'storage') return error
  const text = messageOf(error)
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const isDiskFull = code === 'ENOSPC' || /no space left/i.test(text)
  const isFolderUnmakable =
    (error as NodeJS.ErrnoException).syscall === 'mkdir' && code === 'ENOENT'
  const knownReason = isFolderUnmakable
    ? 'the folder cannot be made here (a read-only place?)'
    : reasonByErrorCode[code]
  const reason = isDiskFull ? 'no space left on the device' : (knownReason ?? text.split('\n')[0]!)
  return new GeogapError(
    'storage',
    isDiskFull ? 'disk-full' : 'write-failed',
    `cannot write ${file}: ${reason}`,
    {
      cause: error,
    },
  )
}

const missingFileCodes = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'])

/** What `read` gives, or `otherwise` where there is no such file or folder. Any other failure passes on: it is no answer. */
export const orIfMissing = <T, U>(read: Promise<T>, otherwise: U): Promise<T | U> =>
  read.catch((error: unknown) => {
    if (missingFileCodes.has((error as NodeJS.ErrnoException).code ?? '')) return otherwise
    throw error
  })

/** Names of the JSON files in `folder`, sorted; none where there is no such folder. */
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

/** Fills `bytes` from `position` on; returns how many bytes there were. */
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

/** Writes all of `bytes`, from `position` on or at the handle's own. */
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

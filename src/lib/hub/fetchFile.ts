import { randomBytes } from 'node:crypto'
import { constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { GeogapError } from '../errors.ts'
import { storageError, syncFolder, orIfMissing } from '../files.ts'
import { type NetworkSettings } from './http.ts'
import { isProcessRunning } from '../machine.ts'
import { ContentFault, type DownloadProgress, transfer, type DownloadRequest } from './transfer.ts'

/** Says what is wrong with the content of a file, or nothing. */
export type ContentCheck = (file: string) => Promise<string | undefined>

/**
 * Downloads to `target`: into a file of this process's own beside it, checked, synced, then renamed. What a process
 * that is gone left unfinished is continued where the hash is known. Content that fails the check is fetched once
 * more from the start. Call it with the lock of `target` held.
 * @throws GeogapError `bad-download` when the content is wrong twice; then nothing is kept
 */
export async function fetchFile(
  target: string,
  download: DownloadRequest,
  check: ContentCheck,
  network: NetworkSettings,
  progress?: DownloadProgress,
): Promise<void> {
  try {
    await mkdir(dirname(target), { recursive: true })
    const leftover = download.hashKnown ? await adoptLeftover(target) : undefined
    const wrong = await fetchOnce(target, leftover, download, check, network, progress)
    if (wrong === undefined) return
    const again = await fetchOnce(target, undefined, download, check, network, progress)
    if (again !== undefined) throw badDownload(download.url, again)
  } catch (error) {
    throw asStorageError(target, error)
  }
}

const badDownload = (url: URL, what: string): GeogapError =>
  new GeogapError(
    'network',
    'bad-download',
    `wrong content from ${url.origin}${url.pathname}: ${what}; twice, so nothing is kept`,
  )

/** Errors of the file system in one line; others say enough already. */
export const asStorageError = (target: string, error: unknown): unknown =>
  (error as NodeJS.ErrnoException).syscall === undefined ? error : storageError(target, error)

/** @returns what is wrong with the content, or undefined when the file is in its place */
async function fetchOnce(
  target: string,
  leftover: string | undefined,
  download: DownloadRequest,
  check: ContentCheck,
  network: NetworkSettings,
  progress?: DownloadProgress,
): Promise<string | undefined> {
  const temporary = leftover ?? temporaryOf(target)
  try {
    await receiveInto(temporary, download, network, progress)
    const wrong = await check(temporary)
    if (wrong === undefined) {
      await rename(temporary, target)
      await syncFolder(dirname(target))
      return undefined
    }
    await rm(temporary, { force: true })
    return wrong
  } catch (error) {
    if (!isUnfinished(error) || !download.hashKnown) await rm(temporary, { force: true })
    if (error instanceof ContentFault) return error.message
    throw error
  }
}

/** Only a broken connection leaves bytes that are worth continuing. */
const isUnfinished = (error: unknown): boolean =>
  error instanceof GeogapError && error.code === 'download-failed'

async function receiveInto(
  temporary: string,
  download: DownloadRequest,
  network: NetworkSettings,
  progress?: DownloadProgress,
): Promise<void> {
  const handle = await open(temporary, constants.O_RDWR | constants.O_CREAT)
  try {
    const { size } = await handle.stat()
    const from = size <= (download.size ?? Infinity) ? size : 0
    await handle.truncate(from)
    await transfer(handle, from, download, network, progress)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const incompleteSuffix = '.incomplete'
const ownerPattern = /\.([^.]*)-(\d+)-[0-9a-f]{8}\.incomplete$/
const safeHostname = hostname().replace(/[^\w-]/g, '_')

const temporaryOf = (target: string): string =>
  `${target}.${safeHostname}-${process.pid}-${randomBytes(4).toString('hex')}${incompleteSuffix}`

const abandonedAfterMs = 3_600_000

/** Makes the longest unfinished file of a process that is gone this process's own, and removes the others. */
async function adoptLeftover(target: string): Promise<string | undefined> {
  const folder = dirname(target)
  const names = (await readdir(folder)).filter(
    name => name.startsWith(`${basename(target)}.`) && name.endsWith(incompleteSuffix),
  )
  const sizes = await Promise.all(names.map(name => abandonedSize(join(folder, name))))
  const left = names
    .map((name, i) => ({ file: join(folder, name), size: sizes[i]! }))
    .filter(({ size }) => size >= 0)
  const [longest, ...others] = left.sort((a, b) => b.size - a.size)
  for (const { file } of others) await rm(file, { force: true })
  if (!longest) return undefined
  const mine = temporaryOf(target)
  return rename(longest.file, mine).then(
    () => mine,
    () => undefined,
  )
}

/** Bytes of a file that nobody writes any more, else -1. */
async function abandonedSize(file: string): Promise<number> {
  const [, itsHost, pid] = ownerPattern.exec(file) ?? []
  const found = await orIfMissing(stat(file), undefined)
  if (!found || pid === undefined) return -1
  const isHere = itsHost === safeHostname
  const isMine = isHere && Number(pid) === process.pid
  const isOver =
    isMine ||
    (isHere && !isProcessRunning(Number(pid))) ||
    Date.now() - found.mtimeMs > abandonedAfterMs
  return isOver ? found.size : -1
}

/* Downloads that continue after cuts and stalls, and that are in their place whole or not at all. */
import { randomBytes } from 'node:crypto'
import {
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  type FileHandle,
  writeFile,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type GeogapError, networkError } from '../errors.ts'
import { writeError, syncFolder, orIfMissing, writeFully } from '../files.ts'
import { isProcessRunning } from '../machine.ts'
import {
  busyFault,
  type HttpAnswer,
  type NetworkSettings,
  NetworkFault,
  request,
  retryTransient,
} from './http.ts'

/** Receives the bytes on disk and, if known, the total. */
export type DownloadProgress = (done: number, total: number | undefined) => void

export interface Download {
  url: URL
  token?: string | undefined
  /** Length in bytes, where it is known beforehand. */
  size?: number | undefined
  /** Whether a hash is known: if not, parts are joined only when the server vouches that they are of one file. */
  hashKnown: boolean
  /** Returns the error for an answer that no repetition mends (404, 401 …). */
  refusal: (answer: HttpAnswer) => GeogapError
  /** Says what is wrong with the content of a file, or nothing. */
  check: (file: string) => Promise<string | undefined>
  network: NetworkSettings
  progress?: DownloadProgress | undefined
}

/** The server's content is not what was asked for. */
class ContentFault extends Error {}

/**
 * Downloads to `target`: into a file of this process's own beside it, checked, synced, then renamed. What a process
 * that is gone left unfinished is continued where the hash is known, or the server vouches for the validator beside it (`.etag`). Content that fails the check is fetched once
 * more from the start. Call it with the lock of `target` held.
 * @throws GeogapError `download-failed` when attempts in a row bring nothing; `bad-download` when the content is wrong twice,
 * and then nothing is kept
 */
export async function downloadTo(target: string, download: Download): Promise<void> {
  try {
    await mkdir(dirname(target), { recursive: true })
    const leftover = await adoptLeftover(target)
    const first = await fetchOnce(leftover ?? temporaryOf(target), target, download)
    if (first === undefined) return
    const second = await fetchOnce(temporaryOf(target), target, download)
    if (second === undefined) return
    throw networkError(
      'bad-download',
      `wrong content from ${download.url.origin}${download.url.pathname}: ${second}; twice, so nothing is kept`,
    )
  } catch (error) {
    throw asStorageError(target, error)
  }
}

/** Returns errors of the file system as storage errors; others say enough already. */
export const asStorageError = (target: string, error: unknown): unknown =>
  (error as NodeJS.ErrnoException).syscall === undefined ? error : writeError(target, error)

/** Returns what is wrong with the content, or undefined when the file is in its place. */
async function fetchOnce(
  temporary: string,
  target: string,
  download: Download,
): Promise<string | undefined> {
  try {
    await receiveInto(temporary, download)
    const wrong = await download.check(temporary)
    if (wrong === undefined) {
      await rename(temporary, target)
      await syncFolder(dirname(target))
    }
    await discard(temporary)
    return wrong
  } catch (error) {
    // Only a broken connection leaves bytes that are worth continuing.
    const isUnfinished = error instanceof NetworkFault
    if (!isUnfinished || (await stat(temporary)).size === 0) await discard(temporary)
    if (error instanceof ContentFault) return error.message
    throw isUnfinished ? downloadFailedError(download.url, error) : error
  }
}

export const downloadFailedError = ({ origin, pathname }: URL, fault: NetworkFault): GeogapError =>
  networkError('download-failed', `cannot download ${origin}${pathname}: ${fault.message}`, fault)

/** The file beside an unfinished one that has the server's validator, if no hash is known. */
const validatorOf = (temporary: string): string => `${temporary}.etag`

async function discard(temporary: string): Promise<void> {
  await rm(temporary, { force: true })
  await rm(validatorOf(temporary), { force: true })
}

async function receiveInto(temporary: string, download: Download): Promise<void> {
  const handle = await open(temporary, constants.O_RDWR | constants.O_CREAT)
  try {
    const { size } = await handle.stat()
    const from = size <= (download.size ?? Infinity) ? size : 0
    await handle.truncate(from)
    const transfer: Transfer = {
      download,
      file: handle,
      doneBytes: from,
      totalBytes: download.size,
      validator: await orIfMissing(readFile(validatorOf(temporary), 'utf8'), undefined),
      temporary,
    }
    const attempt = (): Promise<void> => attemptTransfer(transfer)
    await retryTransient(attempt, download.network, () => transfer.doneBytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

interface Transfer {
  readonly download: Download
  readonly file: FileHandle
  readonly temporary: string
  doneBytes: number
  totalBytes: number | undefined
  validator: string | undefined
}

/** Brings the bytes from `doneBytes` on into the file. */
async function attemptTransfer(transfer: Transfer): Promise<void> {
  const { download, file } = transfer
  const { url, token, network, progress = () => undefined } = download
  if (transfer.doneBytes === transfer.totalBytes) return
  if (!download.hashKnown && !transfer.validator) transfer.doneBytes = 0
  const headers = rangeHeaders(transfer)
  const answer = await request(
    url,
    { method: 'GET', followsOtherOrigins: true, headers, token },
    network,
  )
  try {
    await checkAnswer(transfer, answer)
  } catch (error) {
    await answer.discard()
    throw error
  }
  progress(transfer.doneBytes, transfer.totalBytes)
  for await (const chunk of answer.chunks()) {
    if (transfer.doneBytes + chunk.length > (transfer.totalBytes ?? Infinity))
      throw new ContentFault(`more than ${transfer.totalBytes} bytes`)
    await writeFully(file, chunk, transfer.doneBytes)
    transfer.doneBytes += chunk.length
    progress(transfer.doneBytes, transfer.totalBytes)
  }
  if (transfer.totalBytes !== undefined && transfer.doneBytes < transfer.totalBytes)
    throw new NetworkFault(
      `the connection ended after ${transfer.doneBytes} of ${transfer.totalBytes} bytes`,
    )
}

/** With a hash at hand no validator is needed, and servers behind one name may disagree about theirs. */
function rangeHeaders({ doneBytes, validator, download }: Transfer): Record<string, string> {
  if (doneBytes === 0) return {}
  const range = `bytes=${doneBytes}-`
  return validator && !download.hashKnown ? { range, 'if-range': validator } : { range }
}

/** Adjusts `transfer` to what the server is about to send. */
async function checkAnswer(transfer: Transfer, answer: HttpAnswer): Promise<void> {
  const { status, headers } = answer
  const { download, file } = transfer
  checkBusy(answer)
  // The address that the hub redirects to holds for a time; the next attempt gets a new one.
  if (status === 403 && answer.firstHeader('location') !== undefined)
    throw new NetworkFault('the address that it redirects to answered 403')
  if (status === 416) throw new ContentFault(`the server has no byte ${transfer.doneBytes}`)
  if (status !== 200 && status !== 206) throw download.refusal(answer)
  const sent = status === 206 ? totalOfRange(headers, transfer.doneBytes) : totalOfBody(headers)
  if (status === 200) {
    transfer.doneBytes = 0
    await file.truncate(0)
  }
  const { totalBytes } = transfer
  if (sent !== undefined && totalBytes !== undefined && sent !== totalBytes && download.hashKnown)
    throw new ContentFault(`${sent} bytes instead of ${totalBytes}`)
  if (sent !== undefined) transfer.totalBytes = sent
  const etag = headers.get('etag')
  transfer.validator = etag?.startsWith('W/') ? undefined : (etag ?? undefined)
  if (!download.hashKnown && transfer.validator)
    await writeFile(validatorOf(transfer.temporary), transfer.validator)
}

/** @throws NetworkFault for an answer that may be another one later */
export function checkBusy({ status, headers }: HttpAnswer): void {
  const fault = busyFault(status, headers.get('retry-after'))
  if (fault) throw fault
}

/**
 * Reads the body of an answer into memory.
 * @throws what `tooLarge` returns for more than `maxBytes`; NetworkFault where the connection ends early
 */
export async function readBody(
  answer: HttpAnswer,
  maxBytes: number,
  tooLarge: () => GeogapError,
): Promise<Buffer> {
  const total = totalOfBody(answer.headers)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.chunks()) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  if (size < (total ?? 0))
    throw new NetworkFault(`the connection ended after ${size} of ${total} bytes`)
  return Buffer.concat(chunks)
}

function totalOfBody(headers: Headers): number | undefined {
  const length = headers.get('content-length')
  return length === null || headers.has('content-encoding') ? undefined : Number(length)
}

/** Returns 200 for `bytes 100-199/200`. */
function totalOfRange(headers: Headers, done: number): number | undefined {
  const [, from, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
  if (from === undefined || Number(from) !== done)
    throw new ContentFault('a part that was not asked for')
  return total === '*' ? undefined : Number(total)
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
  const found = await Promise.all(
    names.map(async name => {
      const file = join(folder, name)
      return { file, size: await abandonedSize(file) }
    }),
  )
  const [longest, ...others] = found.filter(({ size }) => size >= 0).sort((a, b) => b.size - a.size)
  for (const { file } of others) await discard(file)
  if (!longest) return undefined
  const mine = temporaryOf(target)
  const rest = validatorOf(longest.file)
  await rename(rest, validatorOf(mine)).catch(() => undefined)
  return rename(longest.file, mine).then(
    () => mine,
    () => undefined,
  )
}

/** Returns the bytes of a file that nobody writes any more, else -1. */
async function abandonedSize(file: string): Promise<number> {
  const [, host, owner] = ownerPattern.exec(file) ?? []
  const found = await orIfMissing(stat(file), undefined)
  if (!found || owner === undefined) return -1
  const pid = Number(owner)
  const isOver =
    (host === safeHostname && (pid === process.pid || !isProcessRunning(pid))) ||
    Date.now() - found.mtimeMs > abandonedAfterMs
  return isOver ? found.size : -1
}

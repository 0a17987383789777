import type { FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { GeogapError } from '../errors.ts'
import { writeFully } from '../files.ts'
import { type HttpAnswer, type NetworkSettings, NetworkFault, request } from './http.ts'

/** Bytes that are there, and bytes in all where that is known. */
export type DownloadProgress = (done: number, total: number | undefined) => void

export interface DownloadRequest {
  url: URL
  token?: string | undefined
  /** Length in bytes, where it is known beforehand. */
  size?: number | undefined
  /** Whether a hash is known: if not, parts are joined only when the server vouches that they are of one file. */
  hashKnown: boolean
  /** The error for an answer that no repetition mends (404, 401 …). */
  refusal: (answer: HttpAnswer) => GeogapError
}

/** The server's content is not what was asked for. */
export class ContentFault extends Error {}

interface TransferState {
  doneBytes: number
  totalBytes: number | undefined
  validator: string | undefined
}

const maxPauseMs = 30_000

/**
 * Brings the bytes of `wanted` into `file`, from byte `from` on, connecting anew after each cut or stall for as long as
 * there is progress.
 * @throws GeogapError `download-failed` when attempts in a row bring nothing; ContentFault for a wrong length
 */
export async function transfer(
  file: FileHandle,
  from: number,
  download: DownloadRequest,
  network: NetworkSettings,
  progress: DownloadProgress = () => undefined,
): Promise<void> {
  const state: TransferState = { doneBytes: from, totalBytes: download.size, validator: undefined }
  const once = (): Promise<void> => attemptTransfer(file, state, download, network, progress)
  await retryTransient(download.url, network, once, () => state.doneBytes)
}

/**
 * `work` again after each fault that may pass, sooner or later as the server asks; attempts after which `done` has grown do
 * not count.
 * @throws GeogapError `download-failed` when attempts in a row bring nothing
 */
export async function retryTransient<T>(
  url: URL,
  network: NetworkSettings,
  work: () => Promise<T>,
  done = () => 0,
): Promise<T> {
  let best = done()
  for (let failures = 0; ;) {
    const result = await work().then(value => ({ value }), transientFault)
    if ('value' in result) return result.value
    failures = done() > best ? 0 : failures + 1
    best = Math.max(best, done())
    if (failures >= network.attempts) throw downloadFailedError(url, result, failures)
    const pause = network.backoffMs * 2 ** Math.max(0, failures - 1) * (0.75 + Math.random() / 2)
    await sleep(Math.min(maxPauseMs, Math.max(pause, result.waitMs)))
  }
}

function transientFault(error: unknown): NetworkFault {
  if (error instanceof NetworkFault) return error
  throw error
}

const downloadFailedError = (url: URL, fault: NetworkFault, attempts: number): GeogapError =>
  new GeogapError(
    'network',
    'download-failed',
    `cannot download ${url.origin}${url.pathname}: ${fault.message}, after ${attempts} attempts`,
    { cause: fault },
  )

async function attemptTransfer(
  file: FileHandle,
  state: TransferState,
  download: DownloadRequest,
  network: NetworkSettings,
  progress: DownloadProgress,
): Promise<void> {
  if (state.doneBytes === state.totalBytes) return
  if (!download.hashKnown && !state.validator) state.doneBytes = 0
  const headers = rangeHeaders(state, download)
  const answer = await request(
    download.url,
    { method: 'GET', followsOtherOrigins: true, headers, token: download.token },
    network,
  )
  try {
    await checkAnswer(file, state, download, answer)
  } catch (error) {
    await answer.discard()
    throw error
  }
  progress(state.doneBytes, state.totalBytes)
  for await (const chunk of answer.chunks()) {
    if (state.doneBytes + chunk.length > (state.totalBytes ?? Infinity))
      throw new ContentFault(`more than ${state.totalBytes} bytes`)
    await writeFully(file, chunk, state.doneBytes)
    state.doneBytes += chunk.length
    progress(state.doneBytes, state.totalBytes)
  }
  if (state.totalBytes !== undefined && state.doneBytes < state.totalBytes)
    throw new NetworkFault(
      `the connection ended after ${state.doneBytes} of ${state.totalBytes} bytes`,
    )
}

/** With a hash at hand no validator is needed, and servers behind one name may disagree about theirs. */
function rangeHeaders(
  { doneBytes, validator }: TransferState,
  { hashKnown }: DownloadRequest,
): Record<string, string> {
  if (doneBytes === 0) return {}
  return {
    range: `bytes=${doneBytes}-`,
    ...(validator && !hashKnown ? { 'if-range': validator } : {}),
  }
}

/** Adjusts `state` to what the server is about to send. */
async function checkAnswer(
  file: FileHandle,
  state: TransferState,
  download: DownloadRequest,
  answer: HttpAnswer,
): Promise<void> {
  const { status, headers } = answer
  checkBusy(answer)
  if (status === 416) throw new ContentFault(`the server has no byte ${state.doneBytes}`)
  if (status !== 200 && status !== 206) throw download.refusal(answer)
  const sent = status === 206 ? totalOfRange(headers, state.doneBytes) : totalOfBody(headers)
  if (status === 200) {
    state.doneBytes = 0
    await file.truncate(0)
  }
  if (
    sent !== undefined &&
    state.totalBytes !== undefined &&
    sent !== state.totalBytes &&
    download.hashKnown
  )
    throw new ContentFault(`${sent} bytes instead of ${state.totalBytes}`)
  if (sent !== undefined) state.totalBytes = sent
  const etag = headers.get('etag')
  state.validator = etag?.startsWith('W/') ? undefined : (etag ?? undefined)
}

/** @throws NetworkFault for an answer that may be another one later */
export function checkBusy({ status, headers }: HttpAnswer): void {
  if (status !== 408 && status !== 429 && status < 500) return
  const seconds = Number(headers.get('retry-after'))
  throw new NetworkFault(
    `the server answered ${status}`,
    Number.isFinite(seconds) ? seconds * 1000 : 0,
  )
}

function totalOfBody(headers: Headers): number | undefined {
  const length = headers.get('content-length')
  return length === null || headers.has('content-encoding') ? undefined : Number(length)
}

/** `bytes 100-199/200` -> 200 */
function totalOfRange(headers: Headers, done: number): number | undefined {
  const [, from, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
  if (from === undefined || Number(from) !== done)
    throw new ContentFault('a part that was not asked for')
  return total === '*' ? undefined : Number(total)
}

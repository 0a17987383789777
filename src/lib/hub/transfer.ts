import type { FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { GeogapError } from '../errors.ts'
import { writeFully } from '../files.ts'
import { type Answer, type Network, NetworkFault, request } from './http.ts'

/** Bytes that are there, and bytes in all where that is known. */
export type Progress = (done: number, total: number | undefined) => void

export interface Wanted {
  url: URL
  token?: string | undefined
  /** Length in bytes, where it is known beforehand. */
  size?: number | undefined
  /** Whether a hash is known: if not, parts are joined only when the server vouches that they are of one file. */
  hashKnown: boolean
  /** The error for an answer that no repetition mends (404, 401 …). */
  refusal: (answer: Answer) => GeogapError
}

/** The server's content is not what was asked for. */
export class ContentFault extends Error {}

interface State {
  done: number
  size: number | undefined
  validator: string | undefined
}

const longestPause = 30_000

/**
 * Brings the bytes of `wanted` into `file`, from byte `from` on, connecting anew after each cut or stall for as long as
 * there is progress.
 * @throws GeogapError `download-failed` when attempts in a row bring nothing; ContentFault for a wrong length
 */
export async function transfer(
  file: FileHandle,
  from: number,
  wanted: Wanted,
  network: Network,
  progress: Progress = () => undefined,
): Promise<void> {
  const state: State = { done: from, size: wanted.size, validator: undefined }
  const once = (): Promise<void> => attempt(file, state, wanted, network, progress)
  await repeated(wanted.url, network, once, () => state.done)
}

/**
 * `work` again after each fault that may pass, sooner or later as the server asks; attempts after which `done` has grown do
 * not count.
 * @throws GeogapError `download-failed` when attempts in a row bring nothing
 */
export async function repeated<T>(url: URL, network: Network, work: () => Promise<T>, done = () => 0): Promise<T> {
  let best = done()
  for (let failures = 0; ;) {
    const result = await work().then(value => ({ value }), passing)
    if ('value' in result) return result.value
    failures = done() > best ? 0 : failures + 1
    best = Math.max(best, done())
    if (failures >= network.attempts) throw failed(url, result, failures)
    const pause = network.backoffMs * 2 ** Math.max(0, failures - 1) * (0.75 + Math.random() / 2)
    await sleep(Math.min(longestPause, Math.max(pause, result.waitMs)))
  }
}

function passing(error: unknown): NetworkFault {
  if (error instanceof NetworkFault) return error
  throw error
}

const failed = (url: URL, fault: NetworkFault, attempts: number): GeogapError =>
  new GeogapError(
    'network',
    'download-failed',
    `cannot download ${url.origin}${url.pathname}: ${fault.message}, after ${attempts} attempts`,
    { cause: fault },
  )

async function attempt(
  file: FileHandle,
  state: State,
  wanted: Wanted,
  network: Network,
  progress: Progress,
): Promise<void> {
  if (state.done === state.size) return
  if (!wanted.hashKnown && !state.validator) state.done = 0
  const headers = rangeHeaders(state, wanted)
  const answer = await request(wanted.url, { method: 'GET', followAbroad: true, headers, token: wanted.token }, network)
  try {
    await checkAnswer(file, state, wanted, answer)
  } catch (error) {
    await answer.discard()
    throw error
  }
  progress(state.done, state.size)
  for await (const chunk of answer.chunks()) {
    if (state.done + chunk.length > (state.size ?? Infinity)) throw new ContentFault(`more than ${state.size} bytes`)
    await writeFully(file, chunk, state.done)
    state.done += chunk.length
    progress(state.done, state.size)
  }
  if (state.size !== undefined && state.done < state.size)
    throw new NetworkFault(`the connection ended after ${state.done} of ${state.size} bytes`)
}

/** With a hash at hand no validator is needed, and servers behind one name may disagree about theirs. */
function rangeHeaders({ done, validator }: State, { hashKnown }: Wanted): Record<string, string> {
  if (done === 0) return {}
  return { range: `bytes=${done}-`, ...(validator && !hashKnown ? { 'if-range': validator } : {}) }
}

/** Adjusts `state` to what the server is about to send. */
async function checkAnswer(file: FileHandle, state: State, wanted: Wanted, answer: Answer): Promise<void> {
  const { status, headers } = answer
  checkBusy(answer)
  if (status === 416) throw new ContentFault(`the server has no byte ${state.done}`)
  if (status !== 200 && status !== 206) throw wanted.refusal(answer)
  const sent = status === 206 ? partOf(headers, state.done) : wholeOf(headers)
  if (status === 200) {
    state.done = 0
    await file.truncate(0)
  }
  if (sent !== undefined && state.size !== undefined && sent !== state.size && wanted.hashKnown)
    throw new ContentFault(`${sent} bytes instead of ${state.size}`)
  if (sent !== undefined) state.size = sent
  const etag = headers.get('etag')
  state.validator = etag?.startsWith('W/') ? undefined : (etag ?? undefined)
}

/** @throws NetworkFault for an answer that may be another one later */
export function checkBusy({ status, headers }: Answer): void {
  if (status !== 408 && status !== 429 && status < 500) return
  const seconds = Number(headers.get('retry-after'))
  throw new NetworkFault(`the server answered ${status}`, Number.isFinite(seconds) ? seconds * 1000 : 0)
}

function wholeOf(headers: Headers): number | undefined {
  const length = headers.get('content-length')
  return length === null || headers.has('content-encoding') ? undefined : Number(length)
}

/** `bytes 100-199/200` -> 200 */
function partOf(headers: Headers, done: number): number | undefined {
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
  if (from === undefined || Number(from) !== done) throw new ContentFault('a part that was not asked for')
  return total === '*' ? undefined : Number(total)
}

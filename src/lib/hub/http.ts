/* One HTTP request, and its repetition after faults of the network. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface NetworkSettings {
  /** Time (ms) without fresh bytes after which a connection is given up. */
  stallMs: number
  /** Pause (ms) before the second attempt; it doubles with each further one. */
  backoffMs: number
  /** Number of attempts in a row that may bring nothing new. */
  attempts: number
}

export const defaultNetworkSettings: NetworkSettings = {
  stallMs: 30_000,
  backoffMs: 500,
  attempts: 6,
}

/** A worker that is silent for 180 s counts as hung, so a silent store is given up earlier. */
export const storeNetworkSettings: NetworkSettings = {
  stallMs: 15_000,
  backoffMs: 500,
  attempts: 5,
}

const maxPauseMs = 30_000

/** Bytes that count as progress: a server that sends a few of them now and then is taken for stalled. */
const freshBytes = 1024

/** A fault of the connection or the server that may pass. */
export class NetworkFault extends Error {
  /** Pause (ms) that the server asked for. */
  readonly waitMs: number

  constructor(message: string, { waitMs = 0, cause }: { waitMs?: number; cause?: unknown } = {}) {
    super(message, { cause })
    this.waitMs = waitMs
  }
}

/**
 * Repeats `work` after each NetworkFault, with pauses that double or are as long as the server asks, up to 30 s. Attempts after
 * which `doneBytes` has grown do not count.
 * @throws NetworkFault when `attempts` in a row bring nothing
 */
export async function retryTransient<T>(
  work: () => Promise<T>,
  network: NetworkSettings,
  doneBytes = () => 0,
): Promise<T> {
  let best = doneBytes()
  for (let failures = 0; ;) {
    try {
      return await work()
    } catch (fault) {
      if (!(fault instanceof NetworkFault)) throw fault
      failures = doneBytes() >= best + freshBytes ? 0 : failures + 1
      best = Math.max(best, doneBytes())
      if (failures >= network.attempts)
        throw new NetworkFault(`${fault.message}, after ${failures} attempts`, { cause: fault })
      const pause = network.backoffMs * 2 ** Math.max(0, failures - 1) * (0.75 + Math.random() / 2)
      await sleep(Math.min(maxPauseMs, Math.max(pause, fault.waitMs)))
    }
  }
}

/** Returns the fault of an answer that may be another one later (408, 429 and 5xx), with the pause that it asks for. */
export function busyFault(status: number, retryAfter?: string | null): NetworkFault | undefined {
  if (status !== 408 && status !== 429 && status < 500) return undefined
  const seconds = Number(retryAfter)
  const waitMs = Number.isNaN(seconds) ? Date.parse(retryAfter!) - Date.now() : seconds * 1000
  return new NetworkFault(`the server answered ${status}`, { waitMs: Math.max(0, waitMs || 0) })
}

/** Yields the chunks of a body. `abort` ends a body that brings fewer than 1,024 bytes in `stallMs`. */
export async function* watchChunks(
  body: AsyncIterable<Uint8Array>,
  { stallMs }: NetworkSettings,
  abort: (fault: NetworkFault) => void,
): AsyncGenerator<Uint8Array, void> {
  const timer = setTimeout(() => {
    abort(stallFault(stallMs))
  }, stallMs)
  let fresh = 0
  try {
    for await (const chunk of body) {
      fresh += chunk.length
      if (fresh >= freshBytes) {
        timer.refresh()
        fresh = 0
      }
      yield chunk
    }
  } catch (error) {
    throw networkFaultOf(error)
  } finally {
    clearTimeout(timer)
  }
}

const stallFault = (stallMs: number): NetworkFault =>
  new NetworkFault(`hardly a byte for ${stallMs / 1000} s`)

export interface HttpRequest {
  method: 'GET' | 'HEAD'
  headers?: Record<string, string>
  /** Bearer token for the first URL's origin only. */
  token?: string | undefined
  /** Whether redirects to another origin are followed; if not, the redirect itself is the answer. */
  followsOtherOrigins: boolean
}

export interface HttpAnswer {
  status: number
  /** Headers of the last response. */
  headers: Headers
  /** Returns a header's first value among the responses on the way. */
  firstHeader: (name: string) => string | undefined
  chunks: () => AsyncGenerator<Uint8Array, void>
  discard: () => Promise<void>
}

const redirectStatuses = new Set([301, 302, 303, 307, 308])
const maxRedirects = 10

/**
 * Sends one request. Redirects are followed by hand, so that a token goes to the host it is for and to no other.
 * @throws NetworkFault when the connection fails, stalls, or is redirected without end
 */
export async function request(
  start: URL,
  options: HttpRequest,
  network: NetworkSettings,
): Promise<HttpAnswer> {
  const passed: Headers[] = []
  let url = start
  while (passed.length <= maxRedirects) {
    const token = url.origin === start.origin ? options.token : undefined
    const { response, abort } = await sendOnce(url, { ...options, token }, network)
    const { status, headers, body } = response
    passed.push(headers)
    const next = redirectUrl(response, url)
    if (!next || (!options.followsOtherOrigins && next.origin !== start.origin))
      return {
        status,
        headers,
        firstHeader: name =>
          passed.map(headers => headers.get(name)).find(value => value !== null) ?? undefined,
        chunks: () =>
          watchChunks((body ?? []) as unknown as AsyncIterable<Uint8Array>, network, abort),
        discard: async () => body?.cancel(),
      }
    await body?.cancel()
    url = next
  }
  throw new NetworkFault(`more than ${maxRedirects} redirects`)
}

function redirectUrl({ headers, status }: Response, url: URL): URL | undefined {
  const location = headers.get('location')
  if (!redirectStatuses.has(status) || location === null) return undefined
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
  if (next?.protocol !== 'https:' && next?.protocol !== 'http:')
    throw new NetworkFault('a redirect to no web address')
  return next
}

async function sendOnce(
  url: URL,
  { method, headers, token }: HttpRequest,
  { stallMs }: NetworkSettings,
): Promise<{ response: Response; abort: (fault: NetworkFault) => void }> {
  const controller = new AbortController()
  const abort = (fault: NetworkFault): void => {
    controller.abort(fault)
  }
  const timer = setTimeout(() => {
    abort(stallFault(stallMs))
  }, stallMs)
  const authorization = token ? { authorization: `Bearer ${token}` } : {}
  try {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: controller.signal,
      headers: {
        'user-agent': 'geogap',
        'accept-encoding': 'identity',
        ...headers,
        ...authorization,
      },
    })
    return { response, abort }
  } catch (error) {
    throw networkFaultOf(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Node's fetch goes past a proxy that the environment names, unless it is told not to. */
function proxyHint({ env } = process): string {
  const named = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find(name => env[name])
  if (named === undefined || env['NODE_USE_ENV_PROXY'] === '1') return ''
  return ` (${named} is set; Node from 22.21 or 24 on uses it with NODE_USE_ENV_PROXY=1)`
}

/** fetch says `fetch failed` and keeps the reason in `cause`. */
function networkFaultOf(error: unknown): NetworkFault {
  if (error instanceof NetworkFault) return error
  const { message, cause } = error as Error
  const reason =
    cause instanceof Error
      ? cause.message || String((cause as NodeJS.ErrnoException).code)
      : message
  return new NetworkFault(reason.replace(/\s+/g, ' ') + proxyHint(), { cause: error })
}

/** One request with redirects followed by hand, so that a token goes to the host it is for and to no other. */

export interface Network {
  /** Without a byte for so long, the connection is given up and made anew. */
  stallMs: number
  /** The pause before the second attempt; it doubles with each further one. */
  backoffMs: number
  /** Attempts in a row that bring nothing new. */
  attempts: number
}

export const patientNetwork: Network = { stallMs: 30_000, backoffMs: 500, attempts: 6 }

/** A fault of the connection or the server that may pass. */
export class NetworkFault extends Error {
  /** What the server asked to wait. */
  readonly waitMs: number

  constructor(message: string, waitMs = 0, options?: ErrorOptions) {
    super(message, options)
    this.waitMs = waitMs
  }
}

export interface Request {
  method: 'GET' | 'HEAD'
  headers?: Record<string, string>
  /** Bearer token for the first URL's origin only. */
  token?: string | undefined
  /** Whether redirects to another origin are followed; if not, the redirect itself is the answer. */
  followAbroad: boolean
}

export interface Answer {
  status: number
  /** Of the last response. */
  headers: Headers
  /** The first value among the responses on the way. */
  first: (name: string) => string | undefined
  chunks: () => AsyncGenerator<Uint8Array, void>
  discard: () => Promise<void>
}

const redirects = new Set([301, 302, 303, 307, 308])
const mostRedirects = 10

/** @throws NetworkFault when the connection fails, stalls, or is redirected without end */
export async function request(start: URL, wanted: Request, network: Network): Promise<Answer> {
  const passed: Headers[] = []
  let url = start
  while (passed.length <= mostRedirects) {
    const controller = new AbortController()
    const response = await send(url, wanted, start, controller, network)
    passed.push(response.headers)
    const next = nextUrl(response, url)
    if (!next || (!wanted.followAbroad && next.origin !== start.origin))
      return answerOf(response, passed, controller, network)
    await response.body?.cancel()
    url = next
  }
  throw new NetworkFault(`more than ${mostRedirects} redirects`)
}

function nextUrl(response: Response, url: URL): URL | undefined {
  const location = response.headers.get('location')
  if (!redirects.has(response.status) || location === null) return undefined
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
  if (next?.protocol !== 'https:' && next?.protocol !== 'http:') throw new NetworkFault('a redirect to no web address')
  return next
}

async function send(
  url: URL,
  { method, headers, token }: Request,
  start: URL,
  controller: AbortController,
  network: Network,
): Promise<Response> {
  const authorization = token && url.origin === start.origin ? { authorization: `Bearer ${token}` } : {}
  const stop = stallTimer(controller, network)
  try {
    return await fetch(url, {
      method,
      redirect: 'manual',
      signal: controller.signal,
      headers: { 'user-agent': 'geogap', 'accept-encoding': 'identity', ...headers, ...authorization },
    })
  } catch (error) {
    throw faultOf(error)
  } finally {
    clearTimeout(stop)
  }
}

const stallTimer = (controller: AbortController, { stallMs }: Network): NodeJS.Timeout =>
  setTimeout(() => {
    controller.abort(new NetworkFault(`no byte for ${stallMs / 1000} s`))
  }, stallMs)

/** Node's fetch goes past a proxy that the environment names, unless it is told not to. */
function proxyHint({ env } = process): string {
  const named = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find(name => env[name])
  if (named === undefined || env['NODE_USE_ENV_PROXY'] === '1') return ''
  return ` (${named} is set; Node from 22.21 or 24 on uses it with NODE_USE_ENV_PROXY=1)`
}

/** fetch says `fetch failed` and keeps the reason in `cause`. */
function faultOf(error: unknown): NetworkFault {
  if (error instanceof NetworkFault) return error
  const { message, cause } = error as Error
  const reason = cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message
  return new NetworkFault(reason.replace(/\s+/g, ' ') + proxyHint(), 0, { cause: error })
}

const answerOf = (response: Response, passed: Headers[], controller: AbortController, network: Network): Answer => ({
  status: response.status,
  headers: response.headers,
  first: name => passed.map(headers => headers.get(name)).find(value => value !== null) ?? undefined,
  chunks: () => readChunks(response, controller, network),
  discard: async () => {
    await response.body?.cancel()
  },
})

async function* readChunks(
  { body }: Response,
  controller: AbortController,
  network: Network,
): AsyncGenerator<Uint8Array, void> {
  if (!body) return
  const stop = stallTimer(controller, network)
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => Promise.reject(faultOf(error)))
      if (done) return
      stop.refresh()
      yield value
    }
  } finally {
    clearTimeout(stop)
    await reader.cancel().catch(() => undefined)
  }
}

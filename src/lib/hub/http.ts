/** One request with redirects followed by hand, so that a token goes to the host it is for and to no other. */

export interface NetworkSettings {
  /** Without a byte for so long, the connection is given up and made anew. */
  stallMs: number
  /** The pause before the second attempt; it doubles with each further one. */
  backoffMs: number
  /** Attempts in a row that bring nothing new. */
  attempts: number
}

export const defaultNetworkSettings: NetworkSettings = {
  stallMs: 30_000,
  backoffMs: 500,
  attempts: 6,
}

/** A fault of the connection or the server that may pass. */
export class NetworkFault extends Error {
  /** What the server asked to wait. */
  readonly waitMs: number

  constructor(message: string, waitMs = 0, options?: ErrorOptions) {
    super(message, options)
    this.waitMs = waitMs
  }
}

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
  /** Of the last response. */
  headers: Headers
  /** The first value among the responses on the way. */
  firstHeader: (name: string) => string | undefined
  chunks: () => AsyncGenerator<Uint8Array, void>
  discard: () => Promise<void>
}

const redirectStatuses = new Set([301, 302, 303, 307, 308])
const maxRedirects = 10

/** @throws NetworkFault when the connection fails, stalls, or is redirected without end */
export async function request(
  start: URL,
  options: HttpRequest,
  network: NetworkSettings,
): Promise<HttpAnswer> {
  const passed: Headers[] = []
  let url = start
  while (passed.length <= maxRedirects) {
    const controller = new AbortController()
    const response = await sendOnce(url, options, start, controller, network)
    passed.push(response.headers)
    const next = redirectUrl(response, url)
    if (!next || (!options.followsOtherOrigins && next.origin !== start.origin))
      return answerOf(response, passed, controller, network)
    await response.body?.cancel()
    url = next
  }
  throw new NetworkFault(`more than ${maxRedirects} redirects`)
}

function redirectUrl(response: Response, url: URL): URL | undefined {
  const location = response.headers.get('location')
  if (!redirectStatuses.has(response.status) || location === null) return undefined
  const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
  if (next?.protocol !== 'https:' && next?.protocol !== 'http:')
    throw new NetworkFault('a redirect to no web address')
  return next
}

async function sendOnce(
  url: URL,
  { method, headers, token }: HttpRequest,
  start: URL,
  controller: AbortController,
  network: NetworkSettings,
): Promise<Response> {
  const authorization =
    token && url.origin === start.origin ? { authorization: `Bearer ${token}` } : {}
  const stop = stallTimer(controller, network)
  try {
    return await fetch(url, {
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
  } catch (error) {
    throw networkFaultOf(error)
  } finally {
    clearTimeout(stop)
  }
}

const stallTimer = (controller: AbortController, { stallMs }: NetworkSettings): NodeJS.Timeout =>
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
function networkFaultOf(error: unknown): NetworkFault {
  if (error instanceof NetworkFault) return error
  const { message, cause } = error as Error
  const reason =
    cause instanceof Error
      ? cause.message || String((cause as NodeJS.ErrnoException).code)
      : message
  return new NetworkFault(reason.replace(/\s+/g, ' ') + proxyHint(), 0, { cause: error })
}

const answerOf = (
  response: Response,
  passed: Headers[],
  controller: AbortController,
  network: NetworkSettings,
): HttpAnswer => ({
  status: response.status,
  headers: response.headers,
  firstHeader: name =>
    passed.map(headers => headers.get(name)).find(value => value !== null) ?? undefined,
  chunks: () => readChunks(response, controller, network),
  discard: async () => {
    await response.body?.cancel()
  },
})

async function* readChunks(
  { body }: Response,
  controller: AbortController,
  network: NetworkSettings,
): AsyncGenerator<Uint8Array, void> {
  if (!body) return
  const stop = stallTimer(controller, network)
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  try {
    for (;;) {
      const { done, value } = await reader
        .read()
        .catch((error: unknown) => Promise.reject(networkFaultOf(error)))
      if (done) return
      stop.refresh()
      yield value
    }
  } finally {
    clearTimeout(stop)
    await reader.cancel().catch(() => undefined)
  }
}

/** A model hub on 127.0.0.1 with a content server at another origin, and with faults on demand. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Content of any length that costs no memory: one block of noise over and over, with its number in front. */
export interface Content {
  size: number
  part: (from: number, to: number) => Buffer
}

const block = 1 << 20
let state = 12345
const noise = Buffer.alloc(block)
for (let i = 0; i < block; i += 4)
  noise.writeUInt32LE((state = (Math.imul(state, 1664525) + 1013904223) >>> 0), i)

export const noiseContent = (size: number): Content => ({
  size,
  part: (from, to) => {
    const bytes = Buffer.alloc(to - from)
    for (let at = from; at < to;) {
      const start = at % block
      const length = Math.min(block - start, to - at)
      noise.copy(bytes, at - from, start, start + length)
      if (start < 4) stamp(bytes, at - from - start, Math.floor(at / block))
      at += length
    }
    return bytes
  },
})

function stamp(bytes: Buffer, at: number, index: number): void {
  for (let i = 0; i < 4; i++)
    if (at + i >= 0 && at + i < bytes.length) bytes[at + i] = (index >> (8 * i)) & 255
}

export const bytesContent = (bytes: Uint8Array): Content => ({
  size: bytes.length,
  part: (from, to) => Buffer.from(bytes.subarray(from, to)),
})

export const textContent = (text: string): Content => bytesContent(Buffer.from(text))

export function digest(content: Content, kind: 'sha256' | 'git-sha1'): string {
  const hash = createHash(kind === 'sha256' ? 'sha256' : 'sha1')
  if (kind === 'git-sha1') hash.update(`blob ${content.size}\0`)
  for (let at = 0; at < content.size; at += block)
    hash.update(content.part(at, Math.min(content.size, at + block)))
  return hash.digest('hex')
}

export interface Fault {
  status?: number
  headers?: Record<string, string>
  /** Break the connection after so many bytes of this answer. */
  cutAfter?: number
  /** Send nothing more after so many bytes. */
  stallAfter?: number
  /** Invert the byte at this position of the file. */
  flip?: number
  /** Pretend the file has another length. */
  size?: number
  /** Answer 200 to a range request. */
  ignoreRange?: boolean
}

export interface Seen {
  server: 'hub' | 'content'
  method: string
  path: string
  range: string | undefined
  authorization: string | undefined
}

export interface FakeHub {
  endpoint: string
  contentOrigin: string
  seen: Seen[]
  /** Requests for the body of large files. */
  bodies: () => Seen[]
  /** What goes wrong with the n-th body request, from 0 on. */
  faults: (n: number) => Fault | undefined
  /** What goes wrong with any request to the hub. */
  hubFault: (seen: Seen) => Fault | undefined
  close: () => Promise<void>
}

export const commit = '0123456789abcdef0123456789abcdef01234567'
export const repo = 'acme/model'

/** Serves `files` of one repository; names in `large` are redirected to the content server, as LFS files are. */
export async function startHub(
  files: Record<string, Content>,
  large: string[],
  named = repo,
): Promise<FakeHub> {
  const etags = Object.fromEntries(
    Object.entries(files).map(([name, content]) => [
      name,
      digest(content, large.includes(name) ? 'sha256' : 'git-sha1'),
    ]),
  )
  const content = createServer((request, response) => {
    const n = hub.bodies().length
    note('content', request)
    void sendContent(request, response, files[nameOf(request)]!, hub.faults(n) ?? {})
  })
  const api = createServer((request, response) => {
    const fault = hub.hubFault(note('hub', request))
    if (fault?.status) return void response.writeHead(fault.status, fault.headers).end()
    const name = nameOf(request)
    const file = files[name]
    if (!file || !request.url!.startsWith(`/${named}/resolve/`)) {
      const [status, code] = file ? [401, 'RepoNotFound'] : [404, 'EntryNotFound']
      return void response.writeHead(status, { 'x-error-code': code, 'content-length': 0 }).end()
    }
    const headers = { 'x-repo-commit': commit, etag: `"${etags[name]!}"` }
    if (!large.includes(name))
      return void sendContent(request, response, file, fault ?? {}, headers)
    const linked = { 'x-linked-etag': `"${etags[name]!}"`, 'x-linked-size': String(file.size) }
    response
      .writeHead(302, {
        ...headers,
        ...linked,
        location: `${hub.contentOrigin}/signed/${name}`,
        'content-length': 0,
      })
      .end()
  })
  const note = (server: Seen['server'], request: IncomingMessage): Seen => {
    const { range, authorization } = request.headers
    const one = { server, method: request.method!, path: request.url!, range, authorization }
    hub.seen.push(one)
    return one
  }
  const hub: FakeHub = {
    endpoint: await listen(api),
    contentOrigin: await listen(content),
    seen: [],
    bodies: () => hub.seen.filter(({ server, method }) => server === 'content' && method === 'GET'),
    faults: () => undefined,
    hubFault: () => undefined,
    close: () => Promise.all([stop(api), stop(content)]).then(() => undefined),
  }
  return hub
}

const nameOf = (request: IncomingMessage): string =>
  decodeURIComponent(
    request.url!.replace(/^\/signed\//, '').replace(/^\/[^/]+\/[^/]+\/resolve\/[^/]+\//, ''),
  )

export async function listen(server: Server): Promise<string> {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const stop = (server: Server): Promise<void> =>
  new Promise(done => {
    server.close(() => {
      done()
    })
    server.closeAllConnections()
  })

export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
  fault: Fault,
  extra: Record<string, string> = {},
): Promise<void> {
  if (fault.status)
    return void response.writeHead(fault.status, { 'content-length': 0, ...fault.headers }).end()
  const size = fault.size ?? content.size
  const asked = fault.ignoreRange
    ? undefined
    : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
  const from = Number(asked ?? 0)
  if (asked !== undefined && from >= size)
    return void response.writeHead(416, { 'content-length': 0 }).end()
  const partial =
    asked === undefined ? {} : { 'content-range': `bytes ${from}-${size - 1}/${size}` }
  response.writeHead(asked === undefined ? 200 : 206, {
    'content-length': size - from,
    ...extra,
    ...partial,
    ...fault.headers,
  })
  if (request.method === 'HEAD') return void response.end()
  await writeBody(response, content, from, size, fault)
}

async function writeBody(
  response: ServerResponse,
  content: Content,
  from: number,
  size: number,
  fault: Fault,
): Promise<void> {
  const stopAt = Math.min(size, from + (fault.cutAfter ?? fault.stallAfter ?? Infinity))
  for (let at = from; at < stopAt && !response.destroyed;) {
    const to = Math.min(stopAt, at + 65_536)
    const bytes = Buffer.alloc(to - at)
    content.part(Math.min(at, content.size), Math.min(to, content.size)).copy(bytes)
    if (fault.flip !== undefined && fault.flip >= at && fault.flip < to)
      bytes[fault.flip - at]! ^= 1
    if (!response.write(bytes)) await drained(response)
    at = to
  }
  if (fault.stallAfter !== undefined) return
  if (fault.cutAfter !== undefined && stopAt < size) {
    await new Promise(done => setTimeout(done, 60))
    response.destroy()
  } else response.end()
}

/** Until there is room again, or nobody listens any more. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise(done => {
    const go = () => {
      response.off('drain', go).off('close', go)
      done()
    }
    response.on('drain', go).on('close', go)
  })

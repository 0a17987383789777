import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface TestStore {
  url: string
  objects: Map<string, Buffer>
  /** Answers every request with this status instead. */
  refuse: number | undefined
  stop: () => Promise<void>
}

/** A small S3-compatible store on 127.0.0.1: path-style GET, HEAD, PUT with If-None-Match, DELETE and ListObjectsV2. */
export async function startStore(): Promise<TestStore> {
  const objects = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    answer(store, request, response).catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  const store: TestStore = { url: `http://127.0.0.1:${port}`, objects, refuse: undefined, stop }
  return store
}

async function answer(
  store: TestStore,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url!, 'http://store')
  const key = decodeURIComponent(url.pathname.slice(1))
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const [status, headers, content] = reply(store, request, url, key, body)
  response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : content)
}

type Reply = [status: number, headers: Record<string, string | number>, content?: Buffer | string]

const fault = (status: number, code: string): Reply => [
  status,
  { 'content-type': 'application/xml' },
  `<Error><Code>${code}</Code></Error>`,
]

function reply(
  store: TestStore,
  { method, headers }: IncomingMessage,
  url: URL,
  key: string,
  body: Buffer,
): Reply {
  if (store.refuse !== undefined) return fault(store.refuse, 'AccessDenied')
  if (url.searchParams.get('list-type') === '2')
    return list(store, key.replace(/\/$/, ''), url.searchParams)
  const found = store.objects.get(key)
  if (method === 'PUT') {
    if (headers['if-none-match'] === '*' && found) return fault(412, 'PreconditionFailed')
    store.objects.set(key, body)
    return [200, { etag: etag(body) }]
  }
  if (method === 'DELETE') {
    store.objects.delete(key)
    return [204, {}]
  }
  if (!found) return fault(404, 'NoSuchKey')
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
  const part = first === undefined ? found : found.subarray(Number(first), Number(last) + 1)
  return [
    first === undefined ? 200 : 206,
    { etag: etag(found), 'content-length': part.length },
    part,
  ]
}

const etag = (body: Buffer): string => `"${createHash('md5').update(body).digest('hex')}"`

function list(store: TestStore, bucket: string, asked: URLSearchParams): Reply {
  const [prefix, delimiter] = [asked.get('prefix') ?? '', asked.get('delimiter')]
  const after = asked.get('continuation-token') ?? ''
  const keys = [...store.objects.keys()]
    .filter(key => key.startsWith(`${bucket}/`))
    .map(key => key.slice(bucket.length + 1))
    .filter(
      key =>
        key.startsWith(prefix) &&
        !(delimiter && key.slice(prefix.length).includes(delimiter)) &&
        key > after,
    )
    .sort()
  const page = keys.slice(0, 3)
  const more = keys.length > page.length
  const contents = page.map(key => {
    const body = store.objects.get(`${bucket}/${key}`)!
    return `<Contents><Key>${key}</Key><Size>${body.length}</Size><ETag>${etag(body)}</ETag></Contents>`
  })
  const next = more ? `<NextContinuationToken>${page.at(-1)!}</NextContinuationToken>` : ''
  const inner = `<IsTruncated>${more}</IsTruncated>${next}${contents.join('')}`
  return [
    200,
    { 'content-type': 'application/xml' },
    `<ListBucketResult>${inner}</ListBucketResult>`,
  ]
}

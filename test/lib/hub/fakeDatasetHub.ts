/**
 * A hub of data sets on 127.0.0.1, as the real one answers: the API's description and paged tree, small files by way of
 * `/api/resolve-cache`, large ones redirected to a content server at another origin, moved and gated repositories.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  bytesContent,
  digest,
  type Fault,
  listen,
  type Seen,
  sendContent,
  stop,
} from './fakeHub.ts'

export interface FakeRepository {
  files: Record<string, Uint8Array>
  card?: Record<string, unknown>
  commit: string
  gated?: boolean
  /** Sizes that the tree states in place of the true ones. */
  statedSizes?: Record<string, number>
  /** Origin that the header `Link` of the tree names, as behind a mirror; the hub's own by default. */
  linkOrigin?: string
}

export interface FakeDatasetHub {
  endpoint: string
  seen: Seen[]
  /** Requests for the bytes of large files. */
  bodies: () => Seen[]
  /** What goes wrong with the n-th body request, from 0 on. */
  faults: (n: number) => Fault | undefined
  close: () => Promise<void>
}

/** Tokens of an account with access to gated repositories, and of one without. */
export const goodToken = 'hf_good'
export const poorToken = 'hf_poor'

const pageSize = 3
const isLarge = (path: string): boolean => /\.(tar|parquet)$/.test(path)
const etagOf = (path: string, bytes: Uint8Array): string =>
  digest(bytesContent(bytes), isLarge(path) ? 'sha256' : 'git-sha1')

/** Serves repositories by name; `moved` names those that are found at another name now. */
export async function startDatasetHub(
  repositories: Record<string, FakeRepository>,
  moved: Record<string, string> = {},
): Promise<FakeDatasetHub> {
  const note = (server: Seen['server'], request: IncomingMessage): void => {
    const { range, authorization } = request.headers
    hub.seen.push({ server, method: request.method!, path: request.url!, range, authorization })
  }
  const content = createServer((request, response) => {
    const n = hub.bodies().length
    note('content', request)
    const [, owner, name, ...path] = decodeURIComponent(request.url!).split('/')
    const bytes = repositories[`${owner}/${name}`]!.files[path.join('/')]!
    void sendContent(request, response, bytesContent(bytes), hub.faults(n) ?? {})
  })
  const api = createServer((request, response) => {
    note('hub', request)
    answer({ request, response, repositories, moved, contentOrigin })
  })
  const contentOrigin = await listen(content)
  const hub: FakeDatasetHub = {
    endpoint: await listen(api),
    seen: [],
    bodies: () => hub.seen.filter(({ server, method }) => server === 'content' && method === 'GET'),
    faults: () => undefined,
    close: () => Promise.all([stop(api), stop(content)]).then(() => undefined),
  }
  return hub
}

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  repositories: Record<string, FakeRepository>
  moved: Record<string, string>
  contentOrigin: string
}

const routes =
  /^\/(?:(api\/)datasets\/([^/]+\/[^/]+)\/(revision|tree)\/([^/?]+)(?:\?(.*))?|datasets\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)|api\/resolve-cache\/datasets\/([^/]+\/[^/]+)\/([^/]+)\/(.+))$/

function answer(exchange: Exchange): void {
  const { request, response, repositories, moved, contentOrigin } = exchange
  const fail = (status: number, code: string): void =>
    void response.writeHead(status, { 'x-error-code': code, 'content-length': 0 }).end()
  const [, isApi, apiRepo, kind, apiRevision, search, fileRepo, fileRevision, file, ...cached] =
    routes.exec(request.url!) ?? []
  const asked = apiRepo ?? fileRepo ?? cached[0] ?? ''
  if (moved[asked]) {
    const location = request.url!.replace(asked, moved[asked])
    return void response.writeHead(307, { location, 'content-length': 0 }).end()
  }
  const found = repositories[asked]
  if (!found) {
    fail(401, 'RepoNotFound')
    return
  }
  const revision = decodeURIComponent(apiRevision ?? fileRevision ?? cached[1] ?? '')
  if (!['main', 'v1', found.commit].includes(revision)) {
    fail(404, 'RevisionNotFound')
    return
  }
  if (isApi) {
    const body = kind === 'revision' ? infoOf(asked, found) : treePage(exchange, found, search)
    return void response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  }
  const path = decodeURIComponent(file ?? cached[2] ?? '')
  const { authorization } = request.headers
  if (found.gated && authorization !== `Bearer ${goodToken}`) {
    fail(authorization ? 403 : 401, 'GatedRepo')
    return
  }
  const bytes = found.files[path]
  if (!bytes) {
    fail(404, 'EntryNotFound')
    return
  }
  const headers = { 'x-repo-commit': found.commit, etag: `"${etagOf(path, bytes)}"` }
  if (cached[0]) return void sendContent(request, response, bytesContent(bytes), {}, headers)
  if (!isLarge(path)) {
    const location = `/api/resolve-cache/datasets/${asked}/${found.commit}/${file!}`
    return void response.writeHead(307, { ...headers, location, 'content-length': 0 }).end()
  }
  const linked = { 'x-linked-etag': headers.etag, 'x-linked-size': String(bytes.length) }
  const location = `${contentOrigin}/${asked}/${file!}`
  response.writeHead(302, { ...headers, ...linked, location, 'content-length': 0 }).end()
}

const infoOf = (id: string, { commit, gated, card, files }: FakeRepository): string =>
  JSON.stringify({
    _id: '6389',
    id,
    sha: commit,
    private: false,
    gated: gated ? 'auto' : false,
    disabled: false,
    cardData: card,
    siblings: Object.keys(files).map(rfilename => ({ rfilename })),
  })

function treePage(
  { request, response }: Exchange,
  { files, statedSizes = {}, linkOrigin }: FakeRepository,
  search: string | undefined,
): string {
  const entries = Object.entries(files).map(([path, bytes]) => {
    const size = statedSizes[path] ?? bytes.length
    const lfs = { oid: etagOf(path, bytes), size, pointerSize: 134 }
    return { type: 'file', oid: '0'.repeat(40), size, path, ...(isLarge(path) && { lfs }) }
  })
  const folders = [...new Set(entries.flatMap(({ path }) => path.split('/').slice(0, -1)))]
  const all = [...folders.map(path => ({ type: 'directory', oid: '1', size: 0, path })), ...entries]
  const start = Number(new URLSearchParams(search).get('cursor') ?? 0)
  if (start + pageSize < all.length) {
    const next = `${linkOrigin ?? `http://${request.headers.host!}`}${request.url!.split('?')[0]!}?recursive=true&expand=false&cursor=${start + pageSize}`
    response.setHeader('link', `<${next}>; rel="next"`)
  }
  return JSON.stringify(all.slice(start, start + pageSize))
}

/** The dashboard's HTTP endpoints: data files, answers, thumbnails, the state of the queue, and the pages themselves. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { type Context, Hono } from 'hono'
import { type ContentfulStatusCode } from 'hono/utils/http-status'
import { type z } from 'zod'
import { createPromiseCache } from '../lib/memoize.ts'
import { GeogapError, inputError, messageOf } from '../lib/errors.ts'
import { sha256 } from '../lib/hash.ts'
import { readAnswers } from './answers.ts'
import { type ClusterWatch } from './cluster.ts'
import { findDataFile } from './dataFiles.ts'
import { type Guard } from './guard.ts'
import { params, singleValues } from './params.ts'
import { type DashboardStore } from './store.ts'
import { type Thumbnails } from './thumbnails.ts'
import { type Overview } from './views.ts'

/** Reads the files of the built client, by their path below its folder. Errors: `no-client`. */
export async function clientFiles(folder: string): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const names = await readdir(folder, { recursive: true }).catch(() => {
    throw inputError(
      'no-client',
      `the dashboard's pages are not built: no folder ${folder}; npm run build makes it`,
    )
  })
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  for (const name of names.filter(name => extname(name) !== ''))
    files.set(name.replaceAll('\\', '/'), Uint8Array.from(await readFile(join(folder, name))))
  return files
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}

/** Number of data files that are kept as text. */
const cacheSize = 100

export interface AppOptions {
  store: DashboardStore
  guard: Guard
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  thumbnails: Thumbnails
  /** The queue whose runs and workers are shown. */
  cluster?: ClusterWatch | undefined
  /** Called for every request for progress, so that the results are read again while somebody looks. */
  onLook?: () => void
}

/** Creates the dashboard's HTTP application. */
export function createApp({ store, guard, files, thumbnails, cluster, onLook }: AppOptions): Hono {
  const app = new Hono()
  app.use(guard.check)
  app.use('/data/progress.json', (_, next) => {
    onLook?.()
    return next()
  })
  addDataFiles(app, store, cluster !== undefined)
  addAnswers(app, store)
  addThumbnails(app, thumbnails)
  if (cluster)
    app.get('/api/cluster', async c => {
      parseQuery(params.nothing, c.req.queries())
      return c.json(await cluster.readState())
    })
  addClientFiles(app, files)
  app.onError(answerError)
  return app
}

/** Serves the data files; their ETag lets a page keep a file that has not changed. */
function addDataFiles(app: Hono, store: DashboardStore, hasCluster: boolean): void {
  const cache = createPromiseCache<{ text: string; etag: string }>(cacheSize)
  const toText = async (name: string, read: () => unknown) => {
    const value = await read()
    const text = JSON.stringify(
      name === 'overview' && hasCluster ? { ...(value as Overview), cluster: true } : value,
    )
    return { text, etag: `"${sha256(text, 32)}"` }
  }
  app.get('/data/*', async c => {
    parseQuery(params.nothing, c.req.queries())
    const [, name] = /^\/data\/(.+)\.json$/.exec(c.req.path) ?? []
    const file = name === undefined ? undefined : findDataFile(store, name)
    if (name === undefined || !file) return c.text('not found', 404)
    const { text, etag } = await cache.load(`${name} ${file.state}`, () => toText(name, file.read))
    c.header('ETag', etag)
    if (c.req.header('if-none-match') === etag) return c.body(null, 304)
    return c.body(text, 200, { 'Content-Type': 'application/json' })
  })
}

/** Serves a model's answers for the images of one page. */
function addAnswers(app: Hono, store: DashboardStore): void {
  app.get('/api/answers', async c => {
    const { dataset, model, ids } = parseQuery(params.answers, c.req.queries())
    return c.json(await readAnswers(store.evaluation(dataset, model), ids))
  })
}

function addThumbnails(app: Hono, thumbnails: Thumbnails): void {
  app.get('/thumb', async c => {
    const { content, id, size } = parseQuery(params.thumb, c.req.queries())
    return c.body(Uint8Array.from(await thumbnails.read(content, id, size)), 200, {
      'Content-Type': 'image/webp',
      'Cache-Control': 'private, max-age=3600',
    })
  })
}

function addClientFiles(app: Hono, files: AppOptions['files']): void {
  app.get('*', c => {
    const name = c.req.path === '/' ? 'index.html' : c.req.path.slice(1)
    const file = files.get(name)
    if (!file) return c.text('not found', 404)
    const type = contentTypes[extname(name)] ?? 'application/octet-stream'
    return c.body(file, 200, { 'Content-Type': type })
  })
}

function answerError(error: Error, c: Context): Response {
  const isKnown =
    error instanceof GeogapError && error.kind !== 'internal' && error.code !== 'query-failed'
  if (isKnown) return c.json({ error: error.message }, httpStatusOf(error))
  process.stderr.write(`geogap: ${messageOf(error)}\n`)
  return c.json({ error: 'internal error' }, 500)
}

const httpStatusOf = ({ code, kind }: GeogapError): ContentfulStatusCode =>
  code === 'bad-query' ? 400 : kind === 'network' ? 503 : 404

function parseQuery<T extends z.ZodType>(
  schema: T,
  queries: Record<string, string[]>,
): z.output<T> {
  const parsed = schema.safeParse(singleValues(queries))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw inputError(
    'bad-query',
    `bad query: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.replace(/ +/g, ' '),
  )
}

/** The dashboard's addresses: each validates what it is asked, calls one function, and answers with JSON or a picture. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { Hono } from 'hono'
import { type ContentfulStatusCode } from 'hono/utils/http-status'
import { type z } from 'zod'
import { remember } from '../datasets/images.ts'
import { GeogapError, inputError, messageOf } from '../lib/errors.ts'
import { type ClusterWatch } from './cluster.ts'
import { filterOf } from '../analysis/counts.ts'
import { flipsPage, galleryPage, pairRows } from './gallery.ts'
import { type Guard } from './guard.ts'
import { params, single } from './params.ts'
import { type Store } from './store.ts'
import { thumbnails } from './thumbnails.ts'
import { compareView, modelView, type PairRow, scatter } from './views.ts'

/** Files of the built client by their path below its folder. Errors: `no-client`. */
export async function clientFiles(folder: string): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const names = await readdir(folder, { recursive: true }).catch(() => {
    throw inputError('no-client', `the dashboard's pages are not built: no folder ${folder}; npm run build makes it`)
  })
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  for (const name of names.filter(name => extname(name) !== ''))
    files.set(name.replaceAll('\\', '/'), Uint8Array.from(await readFile(join(folder, name))))
  return files
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}

/** Pairs of models whose paired counts are kept, and answers as text while what is stored is the same. */
const kept = { pairs: 20, answers: 200 }

export interface AppOptions {
  store: Store
  guard: Guard
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** Folders to read images from in place of those that the results name. */
  images?: readonly string[]
  /** The queue whose runs and workers are shown. */
  cluster?: ClusterWatch
  /** Called for every request for progress, so that what is stored is read anew while somebody looks. */
  onLook?: () => void
}

export function dashboard({ store, guard, files, images, cluster, onLook }: AppOptions): Hono {
  const app = new Hono()
  const thumb = thumbnails(store, images)
  const pairs = new Map<string, Promise<PairRow[]>>()
  app.use(guard.check)
  app.use('/api/progress', (_, next) => {
    onLook?.()
    return next()
  })
  const textOf = remembered(store)
  const answer = <T extends z.ZodType>(path: string, schema: T, view: (query: z.output<T>) => unknown): void => {
    app.get(`/api/${path}`, async c => {
      const query = parse(schema, c.req.queries())
      const text = await textOf(`${path} ${JSON.stringify(query)}`, () => view(query))
      return c.body(text, 200, { 'Content-Type': 'application/json' })
    })
  }
  answer('overview', params.nothing, () => ({ ...store.overview(), ...(cluster && { cluster: true }) }))
  answer('progress', params.nothing, () => store.progress())
  if (cluster)
    app.get('/api/cluster', async c => {
      parse(params.nothing, c.req.queries())
      return c.json(await cluster.look())
    })
  answer('scatter', params.scatter, query => scatter(store.cube(query.x), store.cube(query.y), filterOf(query)))
  answer('model', params.model, query => {
    store.entry(query.dataset, query.model)
    return modelView(store.cube(query.dataset), query.model, filterOf(query))
  })
  answer('gallery', params.gallery, query => galleryPage(store, query))
  const pairsOf = ({ dataset, first, second }: Record<'dataset' | 'first' | 'second', string>) => {
    const state = [first, second].map(model => store.entry(dataset, model)).map(({ key, rows }) => [key, rows])
    return remember(pairs, JSON.stringify(state), kept.pairs, () => pairRows(store, dataset, first, second))
  }
  answer('flips', params.flips, async query => flipsPage(store, query, await pairsOf(query)))
  answer('compare', params.compare, async query => compareView(await pairsOf(query), query.by, filterOf(query)))
  app.get('/thumb', async c => {
    const { content, id } = parse(params.thumb, c.req.queries())
    const picture = await thumb(content, id)
    return c.body(Uint8Array.from(picture), 200, {
      'Content-Type': 'image/webp',
      'Cache-Control': 'private, max-age=3600',
    })
  })
  app.get('*', c => {
    const name = c.req.path === '/' ? 'index.html' : c.req.path.slice(1)
    const file = files.get(name)
    return file
      ? c.body(file, 200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream' })
      : c.text('not found', 404)
  })
  app.onError((error, c) => {
    const known = error instanceof GeogapError && error.kind !== 'internal' && error.code !== 'query-failed'
    if (!known) process.stderr.write(`geogap: ${messageOf(error)}\n`)
    return c.json({ error: known ? error.message : 'internal error' }, known ? statusOf(error) : 500)
  })
  return app
}

/** Answers as text, made once while what is stored is the same. */
function remembered(store: Store): (key: string, view: () => unknown) => Promise<string> {
  let of = store.progress()
  const made = new Map<string, Promise<string>>()
  return (key, view) => {
    if (of !== store.progress()) made.clear()
    of = store.progress()
    return remember(made, key, kept.answers, async () => JSON.stringify(await view()))
  }
}

const statusOf = ({ code, kind }: GeogapError): ContentfulStatusCode =>
  code === 'bad-query' ? 400 : kind === 'network' ? 503 : 404

function parse<T extends z.ZodType>(schema: T, queries: Record<string, string[]>): z.output<T> {
  const parsed = schema.safeParse(single(queries))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw inputError('bad-query', `bad query: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.replace(/ +/g, ' '))
}

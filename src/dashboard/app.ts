/** The dashboard's addresses: each validates what it is asked, calls one function, and answers with JSON or a picture. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { Hono } from 'hono'
import { type ContentfulStatusCode } from 'hono/utils/http-status'
import { type z } from 'zod'
import { memoizeLru } from '../datasets/images.ts'
import { GeogapError, inputError, messageOf } from '../lib/errors.ts'
import { type ClusterWatch } from './cluster.ts'
import { groupFilter } from '../analysis/datasetCounts.ts'
import { readFlipsPage, readGalleryPage, readPairRows } from './gallery.ts'
import { type Guard } from './guard.ts'
import { params, singleValues } from './params.ts'
import { type DashboardStore } from './store.ts'
import { createThumbnails } from './thumbnails.ts'
import { compareView, modelView, type PairRow, scatterRows } from './views.ts'

/** Files of the built client by their path below its folder. Errors: `no-client`. */
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

/** Pairs of models whose paired counts are kept, and answers as text while what is stored is the same. */
const cacheSizes = { pairs: 20, answers: 200 }

export interface AppOptions {
  store: DashboardStore
  guard: Guard
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** Folders to read images from in place of those that the results name. */
  images?: readonly string[]
  /** The queue whose runs and workers are shown. */
  cluster?: ClusterWatch
  /** Called for every request for progress, so that what is stored is read anew while somebody looks. */
  onLook?: () => void
}

export function createApp({ store, guard, files, images, cluster, onLook }: AppOptions): Hono {
  const app = new Hono()
  const thumb = createThumbnails(store, images)
  const pairs = new Map<string, Promise<PairRow[]>>()
  app.use(guard.check)
  app.use('/api/progress', (_, next) => {
    onLook?.()
    return next()
  })
  const textOf = memoizeAnswers(store)
  const answer = <T extends z.ZodType>(
    path: string,
    schema: T,
    view: (query: z.output<T>) => unknown,
  ): void => {
    app.get(`/api/${path}`, async c => {
      const query = parseQuery(schema, c.req.queries())
      const text = await textOf(`${path} ${JSON.stringify(query)}`, () => view(query))
      return c.body(text, 200, { 'Content-Type': 'application/json' })
    })
  }
  answer('overview', params.nothing, () => ({
    ...store.overview(),
    ...(cluster && { cluster: true }),
  }))
  answer('progress', params.nothing, () => store.progress())
  if (cluster)
    app.get('/api/cluster', async c => {
      parseQuery(params.nothing, c.req.queries())
      return c.json(await cluster.readState())
    })
  answer('scatter', params.scatter, query =>
    scatterRows(store.counts(query.x), store.counts(query.y), groupFilter(query)),
  )
  answer('model', params.model, query => {
    store.evaluation(query.dataset, query.model)
    return modelView(store.counts(query.dataset), query.model, groupFilter(query))
  })
  answer('gallery', params.gallery, query => readGalleryPage(store, query))
  const pairsOf = ({ dataset, first, second }: Record<'dataset' | 'first' | 'second', string>) => {
    const state = [first, second]
      .map(model => store.evaluation(dataset, model))
      .map(({ key, rows }) => [key, rows])
    return memoizeLru(pairs, JSON.stringify(state), cacheSizes.pairs, () =>
      readPairRows(store, dataset, first, second),
    )
  }
  answer('flips', params.flips, async query => readFlipsPage(store, query, await pairsOf(query)))
  answer('compare', params.compare, async query =>
    compareView(await pairsOf(query), query.by, groupFilter(query)),
  )
  app.get('/thumb', async c => {
    const { content, id } = parseQuery(params.thumb, c.req.queries())
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
      ? c.body(file, 200, {
          'Content-Type': contentTypes[extname(name)] ?? 'application/octet-stream',
        })
      : c.text('not found', 404)
  })
  app.onError((error, c) => {
    const known =
      error instanceof GeogapError && error.kind !== 'internal' && error.code !== 'query-failed'
    if (!known) process.stderr.write(`geogap: ${messageOf(error)}\n`)
    return c.json(
      { error: known ? error.message : 'internal error' },
      known ? httpStatusOf(error) : 500,
    )
  })
  return app
}

/** Answers as text, made once while what is stored is the same. */
function memoizeAnswers(
  store: DashboardStore,
): (key: string, view: () => unknown) => Promise<string> {
  let of = store.progress()
  const made = new Map<string, Promise<string>>()
  return (key, view) => {
    if (of !== store.progress()) made.clear()
    of = store.progress()
    return memoizeLru(made, key, cacheSizes.answers, async () => JSON.stringify(await view()))
  }
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

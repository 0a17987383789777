/*
 * The dashboard as files for any web host: the same pages, with their data as JSON beside them. Nothing here names a folder of
 * this machine; pictures are left out unless asked for, for most data sets may not be passed on.
 */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type GroupValue } from '../datasets/dataset.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { inputError } from '../lib/errors.ts'
import { storageError, orIfMissing } from '../lib/files.ts'
import { householdSql } from '../analysis/imagePairs.ts'
import { type StoredEvaluation, shardPaths } from '../results/store.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { clientFiles } from './app.ts'
import {
  type DatasetCounts,
  type Dimension,
  dimensions,
  type ModelCounts,
} from '../analysis/datasetCounts.ts'
import { dimensionSql } from './gallery.ts'
import { contentPolicy } from './guard.ts'
import { incomeName, textOf } from './load.ts'
import { builtClient } from './serve.ts'
import { openDashboardStore, type DashboardStore } from './store.ts'
import { createThumbnails } from './thumbnails.ts'
import { type DashboardProgress } from './views.ts'

/** A data set's cells; models name their counts by position, for most share those of `n` and `errors`. */
export interface BundledCounts extends Pick<DatasetCounts, 'values' | 'codes'> {
  counts: (readonly number[])[]
  models: Record<string, Record<keyof ModelCounts, number>>
}

/** The images that one or several models were evaluated on. */
export interface BundledImages extends Record<Dimension, (string | null)[]> {
  id: string[]
  classes: readonly string[]
  accepted: number[][]
  /** Null where the data set names none. */
  household: (string | null)[] | null
  pictures: boolean
}

/** A model's answers in the order of `images`, another file; null where it has none. */
export interface BundledAnswers {
  images: string
  correct: (boolean | null)[]
  status: (string | null)[]
  top: (number[] | null)[]
  /** Thousandths. */
  p: (number[] | null)[]
}

export interface BundleOptions {
  /** Take thumbnails along. */
  images?: boolean
  client?: string
}

/** Writes the dashboard of the results below `dir` to the folder `out`. Errors: no-results, no-client, not-empty, storage. */
export async function writeBundle(
  dir: string,
  out: string,
  options: BundleOptions = {},
): Promise<void> {
  const files = await clientFiles(options.client ?? builtClient)
  const store = await openDashboardStore(dir)
  const write = async (name: string, content: string | Uint8Array): Promise<void> => {
    try {
      await mkdir(dirname(join(out, name)), { recursive: true })
      await writeFile(join(out, name), content)
    } catch (error) {
      throw storageError(join(out, name), error)
    }
  }
  await clearBundle(out)
  for (const [name, content] of files)
    await write(name, name === 'index.html' ? bundledPage(content) : content)
  const json = (name: string, value: unknown) => write(`data/${name}.json`, JSON.stringify(value))
  await json('overview', store.overview())
  await json('progress', withoutPaths(store.progress()))
  for (const [d, { name, models }] of store.overview().datasets.entries()) {
    await json(`${d}/cube`, bundledCounts(store.counts(name)))
    const known = new Map<string, BundledImages>()
    for (const [m, model] of models.entries()) {
      const entry = store.evaluation(name, model)
      const { content } = entry.identity
      const images =
        known.get(content) ?? (await readBundledImages(store, name, entry, options.images === true))
      const file = `${d}/images-${[...known.keys(), content].indexOf(content)}`
      if (!known.has(content)) {
        await json(file, images)
        if (images.pictures)
          await writePictures(store, content, images.id, (i, bytes) =>
            write(`data/${file}/${i}.webp`, bytes),
          )
      }
      known.set(content, images)
      await json(`${d}/${m}`, {
        images: file,
        ...(await readBundledAnswers(entry, images.id)),
      } satisfies BundledAnswers)
    }
  }
}

/** An earlier bundle's data are removed; a folder that holds anything else is left alone. Errors: not-empty. */
async function clearBundle(out: string): Promise<void> {
  const there = await orIfMissing(readdir(out), [])
  if (there.length > 0 && !(await orIfMissing(stat(join(out, 'data', 'overview.json')), undefined)))
    throw inputError('not-empty', `the folder ${out} is not empty and no bundle`)
  await rm(join(out, 'data'), { recursive: true, force: true })
}

/** Reasons in words may name folders of this machine. */
const withoutPaths = (progress: DashboardProgress): DashboardProgress => ({
  ...progress,
  failures: progress.failures.map(failure => ({ ...failure, message: failure.code })),
  unfinished: progress.unfinished.map(row => ({ ...row, message: null })),
})

/** The page says that its data are files; without a server it carries its content policy itself. */
function bundledPage(html: Uint8Array): string {
  const inPage = contentPolicy.filter(part => !part.startsWith('frame-ancestors')).join('; ')
  return Buffer.from(html)
    .toString('utf8')
    .replace('<html lang="en">', '<html lang="en" data-source="files">')
    .replace(
      '<head>',
      `<head>\n    <meta http-equiv="Content-Security-Policy" content="${inPage}" />`,
    )
}

function bundledCounts({ values, codes, models }: DatasetCounts): BundledCounts {
  const counts: number[][] = []
  const known = new Map<string, number>()
  const place = (list: ArrayLike<number>): number => {
    const key = Array.from(list).join(' ')
    const at = known.get(key) ?? counts.push(Array.from(list)) - 1
    known.set(key, at)
    return at
  }
  const placed = [...models].map(([name, { n, top1, top5, errors }]) => [
    name,
    { n: place(n), top1: place(top1), top5: place(top5), errors: place(errors) },
  ])
  return { values, codes, counts, models: Object.fromEntries(placed) as BundledCounts['models'] }
}

type BundledImageRow = Record<Dimension, GroupValue> & {
  id: string
  labels: number[]
  household: string | null
}

async function readBundledImages(
  store: DashboardStore,
  dataset: string,
  entry: StoredEvaluation,
  pictures: boolean,
): Promise<BundledImages> {
  const cube = store.counts(dataset)
  const rows = await query<BundledImageRow>(
    `SELECT id, labels, ${householdSql(entry)} AS household, ${dimensionSql(cube, entry)} FROM ${parquetRows()} a ORDER BY id`,
    [shardPaths(entry)],
  )
  const note = store.notes().get(entry.identity.content)
  const texts = (dimension: Dimension) =>
    rows.map(row =>
      dimension === 'income' ? incomeName(cube, row.income) : textOf(row[dimension]),
    )
  return {
    ...(Object.fromEntries(dimensions.map(name => [name, texts(name)])) as Record<
      Dimension,
      (string | null)[]
    >),
    id: rows.map(({ id }) => id),
    accepted: rows.map(({ labels }) => labels),
    household: rows.some(({ household }) => household !== null)
      ? rows.map(({ household }) => household)
      : null,
    classes: note?.classes ?? [],
    pictures: pictures && note?.imageFolders !== undefined,
  }
}

type BundledAnswerRow = {
  id: string
  correct1: boolean | null
  status: string
  top5: number[]
  probabilities: number[]
}

async function readBundledAnswers(
  entry: StoredEvaluation,
  ids: readonly string[],
): Promise<Omit<BundledAnswers, 'images'>> {
  const rows = await query<BundledAnswerRow>(
    `SELECT id, correct1, status, top5, probabilities FROM ${parquetRows()}`,
    [shardPaths(entry)],
  )
  const byId = new Map(rows.map(row => [row.id, row]))
  const column = <T>(value: (row: BundledAnswerRow) => T): (T | null)[] =>
    ids.map(id => {
      const row = byId.get(id)
      return row ? value(row) : null
    })
  return {
    correct: column(row => row.correct1),
    status: column(row => row.status),
    top: column(row => row.top5),
    p: column(row => row.probabilities.map(p => Math.round(1000 * p))),
  }
}

/** Pictures that cannot be made are left out. */
async function writePictures(
  store: DashboardStore,
  content: string,
  ids: readonly string[],
  write: (i: number, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const thumb = createThumbnails(store)
  await mapLimited([...ids.entries()], 4, async ([i, id]) => {
    const bytes = await thumb(content, id).catch(() => undefined)
    if (bytes) await write(i, bytes)
  })
}

/**
 * Writes the dashboard as files for any web host: the pages of `geogap serve` with its data files beside them. The files
 * name no folder of this machine. Thumbnails are left out by default, because most data sets may not be passed on.
 */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { mapLimited } from '../lib/concurrency.ts'
import { inputError } from '../lib/errors.ts'
import { writeError, orIfMissing } from '../lib/files.ts'
import { type ImageList, readAnswers, readImageList } from './answers.ts'
import { clientFiles } from './routes.ts'
import { findDataFile, imageLists } from './dataFiles.ts'
import { contentPolicy } from './guard.ts'
import { builtClient } from './serve.ts'
import { disparityEnding } from './screen.ts'
import { openDashboardStore, type DashboardStore } from './store.ts'
import { createThumbnails } from './thumbnails.ts'
import { type DashboardProgress } from './views.ts'

export interface BundleOptions {
  /** Write thumbnails too: `true` for images that this machine evaluated itself, or the folders to read images from. */
  images?: boolean | readonly string[]
  client?: string
}

type WriteFile = (name: string, content: string | Uint8Array) => Promise<void>

/** Writes the dashboard of the results below `dir` to the folder `out`. Errors: no-results, no-client, not-empty, storage. */
export async function writeBundle(
  dir: string,
  out: string,
  { images = false, client = builtClient }: BundleOptions = {},
): Promise<void> {
  const files = await clientFiles(client)
  const store = await openDashboardStore(dir, { images: typeof images === 'boolean' ? [] : images })
  if (images !== false) await checkImages(store)
  const write: WriteFile = async (name, content) => {
    try {
      await mkdir(dirname(join(out, name)), { recursive: true })
      await writeFile(join(out, name), content)
    } catch (error) {
      throw writeError(join(out, name), error)
    }
  }
  await clearBundle(out)
  for (const [name, content] of files)
    await write(name, name === 'index.html' ? bundledPage(content) : content)
  await writeJson(write, 'overview', store.overview())
  await writeJson(write, 'progress', withoutPaths(store.progress()))
  for (const { name } of store.overview().datasets)
    await writeDataset(store, name, { write, images: images !== false })
}

/** Errors: `no-images` if no image of any data set may be read. */
async function checkImages(store: DashboardStore): Promise<void> {
  for (const content of store.notes().keys())
    if ((await store.imageFolders(content)).length > 0) return
  throw inputError(
    'no-images',
    'this machine did not evaluate these images; name the folders to read them from: --images FOLDER',
  )
}

const writeJson = (write: WriteFile, name: string, value: unknown): Promise<void> =>
  write(`data/${name}.json`, JSON.stringify(value))

async function writeDataset(
  store: DashboardStore,
  dataset: string,
  { write, images }: { write: WriteFile; images: boolean },
): Promise<void> {
  const { datasets, models } = store.overview()
  const { folder } = datasets.find(({ name }) => name === dataset)!
  const writeDataFile = async (name: string): Promise<void> =>
    writeJson(write, `${folder}/${name}`, await findDataFile(store, `${folder}/${name}`)!.read())
  await writeDataFile('counts')
  const ids = new Map<string, string[]>()
  for (const [name, content] of imageLists(store, dataset)) {
    const list = await readImageList(store, dataset, content)
    const pictures = images && list.pictures
    await writeJson(write, `${folder}/${name}`, { ...list, pictures } satisfies ImageList)
    if (pictures)
      await writePictures(store, list, (i, bytes) =>
        write(`data/${folder}/${name}/${i}.webp`, bytes),
      )
    ids.set(content, list.id)
  }
  for (const evaluation of store.evaluations(dataset).values()) {
    const { model, content } = evaluation.identity
    const { file } = models.find(({ name }) => name === model)!
    await writeDataFile(file)
    if (store.counts(dataset).isClustered) await writeDataFile(`${file}${disparityEnding}`)
    await writeJson(
      write,
      `${folder}/${file}-answers`,
      await readAnswers(evaluation, ids.get(content)!),
    )
  }
}

/** Removes the data of an earlier bundle. Errors: `not-empty` if the folder holds anything else. */
async function clearBundle(out: string): Promise<void> {
  const there = await orIfMissing(readdir(out), [])
  if (there.length > 0 && !(await orIfMissing(stat(join(out, 'data', 'overview.json')), undefined)))
    throw inputError('not-empty', `the folder ${out} is not empty and no bundle`)
  await rm(join(out, 'data'), { recursive: true, force: true })
}

/** Replaces messages, which may name folders of this machine. */
const withoutPaths = (progress: DashboardProgress): DashboardProgress => ({
  ...progress,
  failures: progress.failures.map(failure => ({ ...failure, message: failure.code })),
  unfinished: progress.unfinished.map(row => ({ ...row, message: null })),
})

/** Marks the page as a bundle and adds the content policy, which a server would send as a header. */
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

/** Writes thumbnails by the position of their image; images that cannot be read are left out. */
async function writePictures(
  store: DashboardStore,
  { content, id }: ImageList,
  write: (position: number, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const thumbnails = createThumbnails(store)
  await mapLimited([...id.entries()], 4, async ([position, name]) => {
    const bytes = await thumbnails.read(content, name).catch(() => undefined)
    if (bytes) await write(position, bytes)
  }).finally(() => thumbnails.close())
}

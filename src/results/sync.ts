/** Copies of objects on this machine, for everything that reads files. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { mapLimited } from '../lib/concurrency.ts'
import { isUnsafePath } from '../lib/archive/member.ts'
import { inputError, quoteForMessage } from '../lib/errors.ts'
import { writeError, orIfMissing, writeAtomically } from '../lib/files.ts'
import { geogapCache } from '../lib/hub/hubCache.ts'
import { sha256 } from '../lib/hash.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { copyObject, fileSize } from '../lib/storage/localFile.ts'
import { keptCountsName } from './keptCounts.ts'

/** The folder of results itself, or this machine's copy of a store's. */
const localResultsFolder = (out: string): string =>
  isObjectStoreUrl(out) ? join(geogapCache(), 'results', sha256(out, 16)) : out

interface StoreObject {
  url: string
  bytes: number
  tag: string
  name: string
}

const isShard = (name: string): boolean => name.startsWith('predictions/')

/** Counts are kept by each machine in its own copy. */
const isKeptCounts = (name: string): boolean => name.endsWith(`/${keptCountsName}`)

/** What consoles of stores put where somebody made a folder. */
const isFolderMark = (name: string): boolean => name === '' || name.endsWith('/')
const isManifest = ({ name }: StoreObject): boolean => name.endsWith('.json')

/**
 * Brings the copy of a store's results up to date and gives its folder: shards before the manifests that name them, records that
 * have changed in the store, and without what was removed there. A folder is given as it is.
 */
export async function pullResults(out: string): Promise<string> {
  const folder = localResultsFolder(out)
  if (!isObjectStoreUrl(out)) return folder
  const { listObjects } = await import('../lib/storage/s3.ts')
  const root = `${out.replace(/\/+$/, '')}/`
  const before = await listFiles(folder)
  const known = await readPulledRecords(folder)
  const objects = (await listObjects(root))
    .map(object => ({ ...object, name: object.url.slice(root.length) }))
    .filter(({ name }) => !isFolderMark(name) && !isKeptCounts(name))
  const stray = objects.find(({ name }) => isUnsafePath(name))
  if (stray)
    throw inputError('bad-results', `no name that results have: ${quoteForMessage(stray.url)}`)
  const isHere = async ({ name, bytes, tag }: StoreObject): Promise<boolean> =>
    isShard(name)
      ? (await fileSize(join(folder, name))) === bytes
      : tag !== '' && known.get(name)?.tag === tag
  const copy = async (object: StoreObject): Promise<void> => {
    if (await isHere(object)) return
    const file = join(folder, object.name)
    if (!(await copyObject(object.url, file))) return
    if (!isShard(object.name))
      known.set(object.name, { tag: object.tag, content: await fileContentHash(file) })
  }
  await mapLimited(
    objects.filter(object => !isManifest(object)),
    16,
    copy,
  )
  await mapLimited(objects.filter(isManifest), 16, copy)
  const there = new Set(objects.map(({ name }) => name))
  const foldersThere = new Set([...there].map(name => dirname(name)))
  const mayStay = (name: string): boolean =>
    there.has(name) || (isKeptCounts(name) && foldersThere.has(dirname(name)))
  for (const name of before.filter(name => !mayStay(name))) {
    const file = join(folder, name)
    if (isShard(name) || known.get(name)?.content === (await fileContentHash(file)))
      await rm(file, { force: true })
  }
  await writePulledRecords(folder, new Map([...known].filter(([name]) => there.has(name))))
  return folder
}

/** Makes a folder for results, or this machine's copy of a store's. */
export async function openResultsFolder(out: string): Promise<string> {
  const folder = await pullResults(out)
  await mkdir(join(folder, 'predictions'), { recursive: true }).catch((error: unknown) => {
    throw writeError(out, error)
  })
  return folder
}

/**
 * Puts those records beside the predictions that were written here since they were pulled into the store that the folder is a copy
 * of, and removes there what was removed here: other machines may have changed the rest meanwhile. A run's record goes once it has ended.
 */
export async function pushRecords(out: string, folder: string): Promise<void> {
  if (!isObjectStoreUrl(out)) return
  const { s3Storage } = await import('../lib/storage/s3.ts')
  const place = s3Storage(out)
  const known = await readPulledRecords(folder)
  const records = (await listFiles(folder)).filter(name => !isShard(name))
  for (const name of records) {
    const bytes = await readFile(join(folder, name))
    if (known.get(name)?.content === sha256(bytes) || isRunningRecord(name, bytes)) continue
    await place.put(name, temporary => writeFile(temporary, bytes))
  }
  const here = new Set(records)
  for (const name of known.keys()) if (!here.has(name)) await place.remove(name)
}

const isRunningRecord = (name: string, bytes: Buffer): boolean =>
  name.startsWith('runs/') && !('ended' in (JSON.parse(bytes.toString()) as object))

/** Names of the files below `folder`, but for temporary ones and the note of what was pulled. */
async function listFiles(folder: string): Promise<string[]> {
  const entries = await orIfMissing(readdir(folder, { recursive: true, withFileTypes: true }), [])
  return entries
    .filter(
      entry => entry.isFile() && !entry.name.endsWith('.tmp') && entry.name !== pulledFileName,
    )
    .map(entry => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

const fileContentHash = async (file: string): Promise<string> =>
  sha256(await orIfMissing(readFile(file), new Uint8Array()))

/** Records by name as they were pulled: the store's tag, and a hash of the content. */
type PulledRecords = Map<string, { tag: string; content: string }>

const pulledFileName = 'pulled.json'

const readPulledRecords = async (folder: string): Promise<PulledRecords> =>
  new Map(
    JSON.parse(await orIfMissing(readFile(join(folder, pulledFileName), 'utf8'), '[]')) as [
      string,
      { tag: string; content: string },
    ][],
  )

const writePulledRecords = async (folder: string, known: PulledRecords): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeAtomically(join(folder, pulledFileName), handle =>
    handle.writeFile(JSON.stringify([...known])),
  )
}

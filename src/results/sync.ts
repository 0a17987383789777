/** Copies of objects on this machine, for everything that reads files. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { mapLimited } from '../lib/concurrency.ts'
import { isUnsafe } from '../lib/archive/members.ts'
import { inputError, shown } from '../lib/errors.ts'
import { storageError, whereThere, writeAtomically } from '../lib/files.ts'
import { geogapCache } from '../lib/hub/hubCache.ts'
import { sha256 } from '../lib/hash.ts'
import { isStore } from '../lib/storage/place.ts'
import { copyObject, sizeOf } from '../lib/storage/localFile.ts'

/** The folder of results itself, or this machine's copy of a store's. */
const resultsFolder = (out: string): string => (isStore(out) ? join(geogapCache(), 'results', sha256(out, 16)) : out)

/** Where class embeddings are kept: beside results in a folder, in the cache for a store's. */
export const headsFolder = (out: string): string => join(isStore(out) ? geogapCache() : out, 'heads')

interface Stored {
  url: string
  bytes: number
  tag: string
  name: string
}

const isShard = (name: string): boolean => name.startsWith('predictions/')

/** What consoles of stores put where somebody made a folder. */
const isMark = (name: string): boolean => name === '' || name.endsWith('/')
const isManifest = ({ name }: Stored): boolean => name.endsWith('.json')

/**
 * Brings the copy of a store's results up to date and gives its folder: shards before the manifests that name them, records that
 * have changed in the store, and without what was removed there. A folder is given as it is.
 */
export async function pullResults(out: string): Promise<string> {
  const folder = resultsFolder(out)
  if (!isStore(out)) return folder
  const { listObjects } = await import('../lib/storage/s3.ts')
  const root = `${out.replace(/\/+$/, '')}/`
  const [before, known] = [await filesIn(folder), await readKnown(folder)]
  const objects = (await listObjects(root))
    .map(object => ({ ...object, name: object.url.slice(root.length) }))
    .filter(({ name }) => !isMark(name))
  const stray = objects.find(({ name }) => isUnsafe(name))
  if (stray) throw inputError('bad-results', `no name that results have: ${shown(stray.url)}`)
  const isHere = async ({ name, bytes, tag }: Stored): Promise<boolean> =>
    isShard(name) ? (await sizeOf(join(folder, name))) === bytes : tag !== '' && known.get(name)?.tag === tag
  const copy = async (object: Stored): Promise<void> => {
    if (await isHere(object)) return
    const file = join(folder, object.name)
    if (!(await copyObject(object.url, file))) return
    if (!isShard(object.name)) known.set(object.name, { tag: object.tag, content: await contentOf(file) })
  }
  await mapLimited(
    objects.filter(object => !isManifest(object)),
    16,
    copy,
  )
  await mapLimited(objects.filter(isManifest), 16, copy)
  const there = new Set(objects.map(({ name }) => name))
  for (const name of before.filter(name => !there.has(name))) {
    const file = join(folder, name)
    if (isShard(name) || known.get(name)?.content === (await contentOf(file))) await rm(file, { force: true })
  }
  await writeKnown(folder, new Map([...known].filter(([name]) => there.has(name))))
  return folder
}

/** Makes a folder for results, or this machine's copy of a store's. */
export async function beginResults(out: string): Promise<string> {
  const folder = await pullResults(out)
  await mkdir(join(folder, 'predictions'), { recursive: true }).catch((error: unknown) => {
    throw storageError(out, error)
  })
  return folder
}

/**
 * Puts those records beside the predictions that were written here since they were pulled into the store that the folder is a copy
 * of, and removes there what was removed here: other machines may have changed the rest meanwhile. A run's record goes once it has ended.
 */
export async function pushRecords(out: string, folder: string): Promise<void> {
  if (!isStore(out)) return
  const { s3Place } = await import('../lib/storage/s3.ts')
  const [place, known] = [s3Place(out), await readKnown(folder)]
  const records = (await filesIn(folder)).filter(name => !isShard(name))
  for (const name of records) {
    const bytes = await readFile(join(folder, name))
    if (known.get(name)?.content === sha256(bytes) || isRunning(name, bytes)) continue
    await place.put(name, temporary => writeFile(temporary, bytes))
  }
  const here = new Set(records)
  for (const name of known.keys()) if (!here.has(name)) await place.remove(name)
}

const isRunning = (name: string, bytes: Buffer): boolean =>
  name.startsWith('runs/') && !('ended' in (JSON.parse(bytes.toString()) as object))

/** Names of the files below `folder`, but for temporary ones and the note of what was pulled. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await whereThere(readdir(folder, { recursive: true, withFileTypes: true }), [])
  return entries
    .filter(entry => entry.isFile() && !entry.name.endsWith('.tmp') && entry.name !== noteName)
    .map(entry => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

const contentOf = async (file: string): Promise<string> => sha256(await whereThere(readFile(file), new Uint8Array()))

/** Records by name as they were pulled: the store's tag, and a hash of the content. */
type Known = Map<string, { tag: string; content: string }>

const noteName = 'pulled.json'

const readKnown = async (folder: string): Promise<Known> =>
  new Map(
    JSON.parse(await whereThere(readFile(join(folder, noteName), 'utf8'), '[]')) as [
      string,
      { tag: string; content: string },
    ][],
  )

const writeKnown = async (folder: string, known: Known): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeAtomically(join(folder, noteName), handle => handle.writeFile(JSON.stringify([...known])))
}

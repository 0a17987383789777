/*
 * Hashes the bytes of a data set's images, so that images which were replaced by others are other data, and equal images
 * are equal data wherever they lie. A file's hash is remembered on this machine until its size, its times of modification or
 * change, or its inode differ; only bytes enter the hash of the data set.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GeogapError } from '../lib/errors.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { orIfMissing, writeAtomically } from '../lib/files.ts'
import { sha256 } from '../lib/hash.ts'
import { geogapCache } from '../lib/hub/hubCache.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import type { ImageSource } from '../lib/archive/member.ts'
import type { Dataset, Sample } from './dataset.ts'
import { readImage } from './readImage.ts'

/** The hash of an image's bytes, and the stamp of its file when it was read. */
interface KnownHash {
  stamp: string
  hash: string
}

export interface ImageHashOptions {
  /** Names the file of remembered hashes: the path of the data set or benchmark. */
  place: string
  /** Reads all images again, also those whose files look unchanged. */
  recheck?: boolean | undefined
}

/**
 * Returns the data set with a hash over the bytes of its images. Objects of a store are not read: they count by their sizes.
 * Images that cannot be read count as unreadable.
 */
export async function hashImages(dataset: Dataset, options: ImageHashOptions): Promise<Dataset> {
  const file = join(geogapCache(), 'images', `${sha256(options.place, 32)}.jsonl`)
  const known = await readKnownHashes(file)
  const stamps = await fileStamps(dataset.samples)
  const settled = Date.now() - unsettledMs
  let changed = 0
  const hashes = await mapLimited(dataset.samples, 4, async ({ image, bytes }) => {
    if (bytes === null || isObjectStoreUrl(image.file)) return null
    const key = sourceKey(image)
    const stamp = stamps.get(image.file)
    const found = known.get(key)
    if (found && found.stamp === stamp?.text && !options.recheck) return found.hash
    const hash = await hashImage(image)
    if (stamp === undefined || stamp.changed > settled) return hash
    known.set(key, { stamp: stamp.text, hash })
    changed += 1
    return hash
  })
  if (changed > 0) await writeKnownHashes(file, known)
  if (hashes.every(hash => hash === null)) return dataset
  const hash = sha256(`${dataset.hash}\n${hashes.map(text => text ?? '-').join('\n')}\n`)
  return { ...dataset, hash, sizesHash: dataset.hash }
}

/** A file that changed less than this before it is read may change again within one tick of the file system's clock. */
const unsettledMs = 50

const sourceKey = (image: ImageSource): string => {
  if (image.kind === 'file') return image.file
  const place = image.kind === 'range' ? [image.offset, image.length] : [image.column, image.row]
  return JSON.stringify([image.file, ...place])
}

interface FileStamp {
  text: string
  /** Time of the last change in milliseconds. */
  changed: number
}

/** Returns the stamps of the files that hold the images; none for files that are missing. */
async function fileStamps(samples: readonly Sample[]): Promise<Map<string, FileStamp>> {
  const files = [...new Set(samples.map(({ image }) => image.file))].filter(
    file => !isObjectStoreUrl(file),
  )
  const found = await mapLimited(files, 32, async (file): Promise<[string, FileStamp][]> => {
    const about = await orIfMissing(stat(file, { bigint: true }), undefined)
    if (!about) return []
    const { size, mtimeNs, ctimeNs, ino, ctimeMs } = about
    const text = [size, mtimeNs, ctimeNs, ino].join(' ')
    return [[file, { text, changed: Number(ctimeMs) }]]
  })
  return new Map(found.flat())
}

async function hashImage(image: ImageSource): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readImage(image))
      .digest('base64url')
  } catch (error) {
    if (error instanceof GeogapError && error.kind === 'data') return 'unreadable'
    throw error
  }
}

const firstLine = '["geogap image hashes",1]'

async function readKnownHashes(file: string): Promise<Map<string, KnownHash>> {
  const [first, ...lines] = (await orIfMissing(readFile(file, 'utf8'), '')).split('\n')
  if (first !== firstLine) return new Map()
  return new Map(
    lines
      .filter(line => line !== '')
      .map((line): [string, KnownHash] => {
        const [key, stamp, hash] = JSON.parse(line) as [string, string, string]
        return [key, { stamp, hash }]
      }),
  )
}

/** Writes the hashes for the next time; a cache that cannot be written costs time and nothing else. */
async function writeKnownHashes(
  file: string,
  known: ReadonlyMap<string, KnownHash>,
): Promise<void> {
  const lines = [...known].map(([key, { stamp, hash }]) => JSON.stringify([key, stamp, hash]))
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeAtomically(file, handle => handle.writeFile(`${[firstLine, ...lines].join('\n')}\n`))
  } catch {
    return
  }
}

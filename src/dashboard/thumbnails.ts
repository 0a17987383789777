/*
 * Makes thumbnails of a data set's images on request. An image is read only if its file, after links are resolved, lies in
 * a folder that its data set was evaluated from or that the command line names.
 */
import { realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { readImage } from '../datasets/images.ts'
import { createLimiter } from '../lib/concurrency.ts'
import { createPromiseCache } from '../lib/memoize.ts'
import { type GeogapError, dataError } from '../lib/errors.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { findImageSource } from '../results/imageSources.ts'
import { decodeImage } from '../lib/pixels/decode.ts'
import { type DashboardStore } from './store.ts'

const maxSidePx = 224
const cacheSize = 1000
const maxConcurrent = 4

const noImageError = (why: string): GeogapError => dataError('no-image', why)

/**
 * Returns a function that makes WebP thumbnails of at most 224 × 224 pixels and caches the last 1,000. The folders in `allowed`
 * replace those that the results name. Errors: `no-image`, and those of `readImage` and `decodeImage`.
 */
export function createThumbnails(store: DashboardStore, allowed: readonly string[] = []) {
  const made = createPromiseCache<Uint8Array>(cacheSize)
  const limited = createLimiter(maxConcurrent)
  return (content: string, id: string): Promise<Uint8Array> =>
    made.load(`${content} ${id}`, () => limited(() => makeThumbnail(store, allowed, content, id)))
}

async function makeThumbnail(
  store: DashboardStore,
  allowed: readonly string[],
  content: string,
  id: string,
): Promise<Uint8Array> {
  const note = store.notes().get(content)
  const source = note && (await findImageSource(store.dir, content, id))
  if (!source) throw noImageError('no such image')
  const folders = allowed.length > 0 ? allowed : (note.imageFolders ?? [])
  const pixels = await decodeImage(
    await readImage({ ...source, file: await allowedFile(source.file, folders) }),
  )
  const { default: sharp } = await import('sharp')
  const { data, width, height } = pixels
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(maxSidePx, maxSidePx, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 80 })
    .toBuffer()
}

/** Returns the path of the file with links resolved. Errors: `no-image` if it is missing or lies outside of all folders. */
async function allowedFile(file: string, folders: readonly string[]): Promise<string> {
  if (isObjectStoreUrl(file) && folders.some(folder => file.startsWith(`${folder}/`))) return file
  const real = await realpath(file).catch(() => {
    throw noImageError('the image is not where it was when it was evaluated')
  })
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => undefined)
    if (root !== undefined && real.startsWith(root.endsWith(sep) ? root : root + sep)) return real
  }
  throw noImageError('the image lies outside of the allowed folders')
}

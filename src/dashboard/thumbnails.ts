/*
 * Small pictures of a data set's images, made when they are looked at. An image is read only where its file lies, after
 * links are resolved, in a folder that its data set was evaluated from or that the command line names.
 */
import { realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { readImage, remember } from '../datasets/images.ts'
import { GeogapError } from '../lib/errors.ts'
import { isStore } from '../lib/storage/place.ts'
import { findImage } from '../results/images.ts'
import { decode } from '../lib/pixels/decode.ts'
import { type Store } from './store.ts'

const side = 224
const kept = 1000
const atOnce = 4

const absent = (why: string): GeogapError => new GeogapError('data', 'no-image', why)

/**
 * Makes WebP thumbnails of at most 224 × 224 pixels and keeps the last 1,000. `allowed` are folders to read from in place of those
 * that the results name. Errors: `no-image`, and those of `readImage` and `decode`.
 */
export function thumbnails(store: Store, allowed: readonly string[] = []) {
  const made = new Map<string, Promise<Uint8Array>>()
  const inTurn = lanes(atOnce)
  return (content: string, id: string): Promise<Uint8Array> =>
    remember(made, `${content} ${id}`, kept, () => inTurn(() => thumbnail(store, allowed, content, id)))
}

async function thumbnail(store: Store, allowed: readonly string[], content: string, id: string): Promise<Uint8Array> {
  const note = store.notes().get(content)
  const source = note && (await findImage(store.dir, content, id))
  if (!source) throw absent('no such image')
  const folders = allowed.length > 0 ? allowed : (note.imageFolders ?? [])
  const pixels = await decode(await readImage({ ...source, file: await allowedFile(source.file, folders) }))
  const { default: sharp } = await import('sharp')
  const { data, width, height } = pixels
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 80 })
    .toBuffer()
}

/** The file without links. Errors: no-image where it is missing or lies outside of all folders. */
async function allowedFile(file: string, folders: readonly string[]): Promise<string> {
  if (isStore(file) && folders.some(folder => file.startsWith(`${folder}/`))) return file
  const real = await realpath(file).catch(() => {
    throw absent('the image is not where it was when it was evaluated')
  })
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => undefined)
    if (root !== undefined && real.startsWith(root.endsWith(sep) ? root : root + sep)) return real
  }
  throw absent('the image lies outside of the allowed folders')
}

/** Runs at most `limit` pieces of work at once, the others in their order. */
function lanes(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async work => {
    if (running >= limit) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

/*
 * Makes thumbnails of a data set's images on request. An image is read only if its file, after links are resolved, lies in an
 * allowed folder. Images are decoded in processes of their own, which are killed if an image takes too long.
 */
import { type ChildProcess } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { type ImageSource } from '../lib/archive/member.ts'
import { createLimiter } from '../lib/concurrency.ts'
import { type GeogapError, dataError } from '../lib/errors.ts'
import { forkModule } from '../lib/forkModule.ts'
import { createPromiseCache } from '../lib/memoize.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { findImageSource } from '../results/imageSources.ts'
import { type DashboardStore } from './store.ts'

const cacheSize = 1000
const maxConcurrent = 4
const defaultTimeoutMs = 10_000

const noImageError = (why: string): GeogapError => dataError('no-image', why)

/** What the process answers: the thumbnail, or why there is none. */
export type ThumbnailAnswer =
  { type: 'thumbnail'; bytes: Uint8Array } | { type: 'failed'; reason: string }

/** The process's answer, or why it gave none and has to end. */
type DecodeOutcome = ThumbnailAnswer | { type: 'ended'; reason: string }

/** Longest side in pixels of a picture in a list, and of one that fills a window. */
const pictureSides = { small: 224, large: 1280 } as const
export type PictureSize = keyof typeof pictureSides

/** What the process is asked for. */
export interface ThumbnailRequest {
  source: ImageSource
  sidePx: number
}

export interface Thumbnails {
  /** Returns a picture as WebP, small by default. Errors: `no-image`. */
  read: (content: string, id: string, size?: PictureSize) => Promise<Uint8Array>
  /** Ends the processes. */
  close: () => void
}

/** Creates a maker of thumbnails that keeps the last 1,000; an image may take `timeoutMs` to decode. */
export function createThumbnails(store: DashboardStore, timeoutMs = defaultTimeoutMs): Thumbnails {
  const made = createPromiseCache<Uint8Array>(cacheSize)
  const limited = createLimiter(maxConcurrent)
  const children = new Set<ChildProcess>()
  const idle: ChildProcess[] = []
  const decode = async (request: ThumbnailRequest): Promise<Uint8Array> => {
    const child = idle.pop() ?? (await startChild(children))
    const answer = await askForThumbnail(child, request, timeoutMs)
    if (answer.type === 'ended') {
      children.delete(child)
      child.kill('SIGKILL')
    } else idle.push(child)
    if (answer.type === 'thumbnail') return answer.bytes
    throw noImageError(answer.reason)
  }
  const read = async (content: string, id: string, size: PictureSize): Promise<Uint8Array> => {
    const isKnown = store.notes().has(content)
    const source = isKnown ? await findImageSource(store.dir, content, id) : undefined
    if (!source) throw noImageError('no such image')
    const file = await allowedFile(source.file, await store.imageFolders(content))
    return limited(() => decode({ source: { ...source, file }, sidePx: pictureSides[size] }))
  }
  return {
    read: (content, id, size = 'small') =>
      made.load(JSON.stringify([content, id, size]), () => read(content, id, size)),
    close: () => {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

/** Starts the module thumbnailProcess.ts and waits until it is ready. */
function startChild(children: Set<ChildProcess>): Promise<ChildProcess> {
  const child = forkModule('./thumbnailProcess.ts', import.meta.url, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.add(child)
  const failed = noImageError('the process that decodes images does not start')
  return new Promise((resolve, reject) => {
    const onEnd = (): void => reject(failed)
    child
      .once('message', () => resolve(child))
      .once('exit', onEnd)
      .once('error', onEnd)
  })
}

/** Sends an image to the process and waits for its answer, its end or the time limit. */
function askForThumbnail(
  child: ChildProcess,
  request: ThumbnailRequest,
  timeoutMs: number,
): Promise<DecodeOutcome> {
  return new Promise(resolve => {
    const onEnd = (): void =>
      finish({ type: 'ended', reason: 'the image ended the process that decodes it' })
    const onTimeout = (): void =>
      finish({
        type: 'ended',
        reason: `the image takes more than ${timeoutMs / 1000} s to decode`,
      })
    const timer = setTimeout(onTimeout, timeoutMs)
    const finish = (answer: DecodeOutcome): void => {
      clearTimeout(timer)
      child.off('message', finish).off('exit', onEnd).off('error', onEnd)
      resolve(answer)
    }
    child.on('message', finish).on('exit', onEnd).on('error', onEnd)
    child.send(request)
  })
}

/** Returns the path of the file with links resolved. Errors: `no-image` if it is missing or lies outside of all folders. */
async function allowedFile(file: string, folders: readonly string[]): Promise<string> {
  if (isObjectStoreUrl(file)) {
    if (folders.some(folder => file.startsWith(`${folder}/`))) return file
    throw noImageError('the image lies outside of the allowed folders')
  }
  const real = await realpath(file).catch(() => {
    throw noImageError('the image is not where it was when it was evaluated')
  })
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => undefined)
    if (root !== undefined && real.startsWith(root.endsWith(sep) ? root : root + sep)) return real
  }
  throw noImageError('the image lies outside of the allowed folders')
}

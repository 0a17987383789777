import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { GeogapError, inputError, quoteForMessage, networkError } from '../errors.ts'
import { writeAtomically, writeFully } from '../files.ts'
import { sha256 } from '../hash.ts'
import { geogapCache, type Environment, hubSettings, isFile } from './hubCache.ts'
import { isLikelyMarkup, readFirstBytes } from '../tensors/readWeights.ts'
import { hashFile } from './hashFile.ts'
import {
  type NetworkSettings,
  NetworkFault,
  defaultNetworkSettings,
  request,
  retryTransient,
} from './http.ts'
import { withLock } from './lock.ts'
import {
  asStorageError,
  checkBusy,
  type DownloadProgress,
  downloadTo,
  readBody,
} from './resumableDownload.ts'

export interface UrlOptions {
  /** Published SHA-256, or its first 8 or more digits as PyTorch's file names carry them. */
  sha256?: string | undefined
  /** Published MD5, for files without a published SHA-256: it tells a damaged download, not a forged one. */
  md5?: string | undefined
  /** Where to keep the file; a folder of its own in the cache by default. */
  path?: string
  /** Where a person finds the file when the link is dead. */
  page?: string | undefined
  env?: Environment | undefined
  network?: Partial<NetworkSettings> | undefined
  progress?: DownloadProgress
  /** Called before the first byte is asked for. */
  onStart?: () => void
}

export interface UrlFile {
  path: string
  sha256: string
  cached: boolean
  /** `published`, or `first-use` where the hash is that of the first download. */
  trust: 'published' | 'first-use'
}

/**
 * Downloads a file from a web address into the cache. Its hash is compared on every call with the published one, or with
 * that of the first download, which is kept beside the file as `NAME.sha256`. `HF_HUB_OFFLINE` forbids downloading.
 * @throws GeogapError `url-dead` or `bad-download`, both with the place to get the file by hand
 */
export async function downloadUrl(address: string, options: UrlOptions = {}): Promise<UrlFile> {
  const { sha256, env = process.env } = options
  const url = webAddress(address)
  if (sha256 !== undefined && !/^[0-9a-f]{8,64}$/.test(sha256))
    throw inputError('bad-hash', `not 8 to 64 hex digits of a sha256: ${quoteForMessage(sha256)}`)
  const path = options.path ?? urlPath(url, env)
  const target: DownloadTarget = { ...options, url, path, isInCache: options.path === undefined }
  const cached = await readFromCache(target)
  if (cached) return cached
  if (hubSettings(env).offline)
    throw downloadByHandError(target, 'HF_HUB_OFFLINE is set and it is not in the cache')
  return withLock(
    `${path}.lock`,
    async () => (await readFromCache(target)) ?? downloadFile(target),
  ).catch((error: unknown) => {
    throw asStorageError(path, error)
  })
}

interface DownloadTarget extends UrlOptions {
  url: URL
  path: string
  isInCache: boolean
}

/** Returns the path in the cache of a web address's file, whether it is there or not. */
export function urlPath(url: URL, env: Environment = process.env): string {
  const key = sha256(url.href, 16)
  const name = basename(url.pathname)
    .replace(/[^\w.-]/g, '_')
    .replace(/^\.*$/, 'file')
  return join(geogapCache(env), 'weights', key, name)
}

function webAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw inputError('bad-url', `not a web address: ${quoteForMessage(address, 300)}`)
}

const trustOf = ({ sha256 }: DownloadTarget): UrlFile['trust'] =>
  sha256 === undefined ? 'first-use' : 'published'

const expectedHash = async ({ sha256, path }: DownloadTarget): Promise<string | undefined> =>
  sha256 ?? (await readFirstHash(path))

async function readFromCache(target: DownloadTarget): Promise<UrlFile | undefined> {
  const { path, md5, isInCache } = target
  const expected = (await expectedHash(target)) ?? (isInCache ? undefined : '')
  if (expected === undefined || !(await isFile(path))) return undefined
  // A file that a person put there has no hash of a first download.
  if (expected === '' && md5 !== undefined && (await hashFile(path, 'md5')) !== md5)
    return undefined
  const sha256 = await hashFile(path, 'sha256')
  return sha256.startsWith(expected)
    ? { path: target.path, sha256, cached: true, trust: trustOf(target) }
    : undefined
}

async function downloadFile(target: DownloadTarget): Promise<UrlFile> {
  const { url, path } = target
  target.onStart?.()
  const expected = await expectedHash(target)
  let sha256 = ''
  await downloadTo(path, {
    url,
    hashKnown: expected !== undefined || target.md5 !== undefined,
    refusal: ({ status }) => downloadByHandError(target, `the server answered ${status}`),
    check: async file => {
      sha256 = await hashFile(file, 'sha256')
      return checkContent(file, { sha256, expected }, target)
    },
    network: { ...defaultNetworkSettings, ...target.network },
    progress: target.progress,
  }).catch((error: unknown) => {
    // A link that nobody answers, or that answers with something else, is as dead as one answered with 404.
    const isDead =
      error instanceof GeogapError && ['download-failed', 'bad-download'].includes(error.code)
    throw isDead ? downloadByHandError(target, error.message, error) : error
  })
  await writeAtomically(`${path}.sha256`, handle =>
    writeFully(handle, Buffer.from(`${sha256}  ${basename(path)}\n`)),
  )
  return { path, sha256, cached: false, trust: trustOf(target) }
}

const readFirstHash = async (path: string): Promise<string | undefined> =>
  /^[0-9a-f]{64}/.exec(await readFile(`${path}.sha256`, 'utf8').catch(() => ''))?.[0]

/** Says what is wrong with a downloaded file, or nothing. */
async function checkContent(
  file: string,
  { sha256, expected }: { sha256: string; expected: string | undefined },
  target: DownloadTarget,
): Promise<string | undefined> {
  const md5 = target.md5 === undefined ? undefined : await hashFile(file, 'md5')
  if (md5 !== target.md5) return `md5 ${md5} instead of ${target.md5}, published`
  if (expected === undefined) {
    if ((await stat(file)).size === 0) return 'it is empty'
    return isLikelyMarkup(await readFirstBytes(file)) ? 'it is a web page' : undefined
  }
  if (sha256.startsWith(expected)) return undefined
  const source =
    target.sha256 === undefined
      ? `of the first download, kept in ${target.path}.sha256`
      : 'published'
  return `sha256 ${sha256} instead of ${expected}, ${source}`
}

function downloadByHandError(
  { url, page, path, isInCache }: DownloadTarget,
  why: string,
  cause?: GeogapError,
): GeogapError {
  const where = isInCache ? 'and pass --weights FILE' : `and keep it as ${path}`
  return networkError(
    cause?.code === 'bad-download' ? 'bad-download' : 'url-dead',
    `cannot get ${url.href}: ${why}; get the file by hand${page ? ` (${page})` : ''} ${where}`,
  )
}

/**
 * Downloads a small file into memory, again from the start after faults that may pass.
 * @throws GeogapError `not-downloaded`, also for a file longer than `maxBytes`
 */
export async function downloadBytes(
  address: string,
  maxBytes: number,
  network: NetworkSettings = defaultNetworkSettings,
): Promise<Buffer> {
  const url = webAddress(address)
  const failed = (reason: string): GeogapError =>
    networkError('not-downloaded', `cannot download ${url.href}: ${reason}`)
  const attempt = async (): Promise<Buffer> => {
    const answer = await request(url, { method: 'GET', followsOtherOrigins: true }, network)
    checkBusy(answer)
    if (answer.status !== 200) throw failed(`the server answered ${answer.status}`)
    return readBody(answer, maxBytes, () => failed(`it is larger than ${maxBytes} bytes`))
  }
  return retryTransient(attempt, network).catch((error: unknown) => {
    throw error instanceof NetworkFault ? failed(error.message) : error
  })
}

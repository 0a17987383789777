import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { GeogapError, inputError, quoteForMessage } from '../errors.ts'
import { writeAtomically, writeFully } from '../files.ts'
import { sha256 } from '../hash.ts'
import { geogapCache, type Environment, hubSettings, isFile } from './hubCache.ts'
import { isLikelyMarkup, readFirstBytes } from '../tensors/readWeights.ts'
import { asStorageError, type ContentCheck, fetchFile } from './fetchFile.ts'
import { hashFile } from './hashFile.ts'
import { type NetworkSettings, defaultNetworkSettings } from './http.ts'
import { withLock } from './lock.ts'
import type { DownloadProgress } from './transfer.ts'

export interface UrlOptions {
  /** Published SHA-256, or its first 8 or more digits as PyTorch's file names carry them. */
  sha256?: string | undefined
  /** Published MD5, where there is no SHA-256: it tells a damaged download, not a forged one. */
  md5?: string | undefined
  /** Where to keep the file; a place of its own in the cache by default. */
  path?: string
  /** Where a person finds the file when the link is dead. */
  page?: string
  env?: Environment
  network?: Partial<NetworkSettings>
  progress?: DownloadProgress
}

export interface UrlFile {
  path: string
  sha256: string
  cached: boolean
  /** `published`, or `first-use` where the hash is that of the first download. */
  trust: 'published' | 'first-use'
}

/**
 * A file from a web address, kept in the cache. Its hash is compared on every call with the published one, or with
 * that of the first download, which is kept beside the file as `NAME.sha256`. `HF_HUB_OFFLINE` forbids downloading.
 * @throws GeogapError `url-dead` or `bad-download`, both with the place to get the file by hand
 */
export async function downloadUrl(address: string, options: UrlOptions = {}): Promise<UrlFile> {
  const { sha256, env = process.env } = options
  const url = webAddress(address)
  if (sha256 !== undefined && !/^[0-9a-f]{8,64}$/.test(sha256))
    throw inputError('bad-hash', `not 8 to 64 hex digits of a sha256: ${quoteForMessage(sha256)}`)
  const path = options.path ?? urlPath(url, env)
  const target: DownloadTarget = { url, path, published: sha256, md5: options.md5 }
  const cached = await readFromCache(target)
  if (cached) return cached
  if (hubSettings(env).offline)
    throw downloadByHandError(url, options, 'HF_HUB_OFFLINE is set and it is not in the cache')
  return withLock(
    `${path}.lock`,
    async () => (await readFromCache(target)) ?? downloadFile(target, options),
  ).catch((error: unknown) => {
    throw asStorageError(path, error)
  })
}

interface DownloadTarget {
  url: URL
  path: string
  published: string | undefined
  md5: string | undefined
}

/** Where the file of a web address is kept, whether it is there or not. */
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

const trustOf = ({ published }: DownloadTarget): UrlFile['trust'] =>
  published === undefined ? 'first-use' : 'published'

const expectedHash = async ({ published, path }: DownloadTarget): Promise<string | undefined> =>
  published ?? (await readFirstHash(path))

async function readFromCache(target: DownloadTarget): Promise<UrlFile | undefined> {
  const expected = await expectedHash(target)
  if (expected === undefined || !(await isFile(target.path))) return undefined
  const sha256 = await hashFile(target.path, 'sha256')
  return sha256.startsWith(expected)
    ? { path: target.path, sha256, cached: true, trust: trustOf(target) }
    : undefined
}

async function downloadFile(target: DownloadTarget, options: UrlOptions): Promise<UrlFile> {
  const { url, path } = target
  const expected = await expectedHash(target)
  const refusal = ({ status }: { status: number }): GeogapError =>
    downloadByHandError(url, options, `the server answered ${status}`)
  const wanted = { url, hashKnown: expected !== undefined, refusal }
  const check = checkFor(expected, target)
  const network = { ...defaultNetworkSettings, ...options.network }
  await fetchFile(path, wanted, check, network, options.progress).catch((error: unknown) => {
    // A link that nobody answers, or that answers with something else, is as dead as one answered with 404.
    const isDead =
      error instanceof GeogapError && ['download-failed', 'bad-download'].includes(error.code)
    throw isDead ? downloadByHandError(url, options, error.message, error.code) : error
  })
  const sha256 = await hashFile(path, 'sha256')
  await writeAtomically(`${path}.sha256`, handle =>
    writeFully(handle, Buffer.from(`${sha256}  ${basename(path)}\n`)),
  )
  return { path, sha256, cached: false, trust: trustOf(target) }
}

const readFirstHash = async (path: string): Promise<string | undefined> =>
  /^[0-9a-f]{64}/.exec(await readFile(`${path}.sha256`, 'utf8').catch(() => ''))?.[0]

const checkFor =
  (expected: string | undefined, target: DownloadTarget): ContentCheck =>
  async file => {
    const md5 = target.md5 === undefined ? undefined : await hashFile(file, 'md5')
    if (md5 !== target.md5) return `md5 ${md5} instead of ${target.md5}, published`
    if (expected === undefined)
      return isLikelyMarkup(await readFirstBytes(file)) ? 'it is a web page' : undefined
    const found = await hashFile(file, 'sha256')
    if (found.startsWith(expected)) return undefined
    const source =
      target.published === undefined
        ? `of the first download, kept in ${target.path}.sha256`
        : 'published'
    return `sha256 ${found} instead of ${expected}, ${source}`
  }

const downloadByHandError = (
  url: URL,
  { page, path }: UrlOptions,
  why: string,
  code = 'url-dead',
): GeogapError =>
  new GeogapError(
    'network',
    code === 'bad-download' ? 'bad-download' : 'url-dead',
    `cannot get ${url.href}: ${why}; get the file by hand${page ? ` (${page})` : ''} ${path === undefined ? 'and pass --weights FILE' : `and keep it as ${path}`}`,
  )

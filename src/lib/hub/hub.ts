import { stat } from 'node:fs/promises'
import { GeogapError, inputError, networkError } from '../errors.ts'
import {
  blobPath,
  findCachedFile,
  checkHubName,
  type Environment,
  type HubName,
  type HubRepositoryName,
  type HubSettings,
  hubSettings,
  isCommit,
  isFile,
  linkSnapshot,
  lockPath,
  snapshotPath,
  writeRef,
} from './hubCache.ts'
import { orIfMissing } from '../files.ts'
import { hashFile } from './hashFile.ts'
import {
  type HttpAnswer,
  NetworkFault,
  type NetworkSettings,
  defaultNetworkSettings,
  request,
  retryTransient,
} from './http.ts'
import { withLock } from './lock.ts'
import {
  asStorageError,
  checkBusy,
  downloadFailedError,
  type DownloadProgress,
  downloadTo,
} from './resumableDownload.ts'

export interface HubOptions {
  env?: Environment | undefined
  network?: Partial<NetworkSettings> | undefined
  progress?: DownloadProgress | undefined
}

/** A file of a repository; of the branch `main` where no revision is given. A cached file that has not `bytes` is none. */
export type HubSource = Omit<HubName, 'revision'> & { revision?: string; bytes?: number }

export interface HubFile {
  /** In the cache's snapshot folder, usually a link to the blob. */
  path: string
  /** The commit that the revision pointed to. */
  commit: string
  /** Whether nothing had to be downloaded. */
  cached: boolean
}

/**
 * Returns a file of a repository, from the standard hub cache or downloaded into it, with its hash checked. A pinned
 * commit that is cached needs no network; a branch is looked up, and where the hub cannot be reached its last known
 * commit is used.
 * @throws GeogapError `hub-offline`, `hub-forbidden`, `hub-not-found`, `hub-refused`, `download-failed`, `bad-download`
 */
export async function hubFile(
  { repo, repoType, file, revision = 'main', bytes }: HubSource,
  { env, network: some, progress }: HubOptions = {},
): Promise<HubFile> {
  const name = { repo, repoType, file, revision }
  const settings = hubSettings(env)
  checkHubName(name)
  const cached = await findCachedFile(settings.cache, name)
  const isWhole = cached && bytes !== undefined ? (await stat(cached.path)).size === bytes : true
  const known = isWhole ? cached : undefined
  if (known && (isCommit(revision) || settings.offline)) return { ...known, cached: true }
  if (settings.offline) throw offlineError(name, settings)
  const network = { ...defaultNetworkSettings, ...some }
  const hub: Hub = { ...settings, network, progress }
  const found = await describeHubFile(name, {
    ...hub,
    network: known ? { ...network, attempts: 1 } : network,
  }).catch((error: unknown) => {
    if (known && error instanceof GeogapError && error.code === 'download-failed') return undefined
    throw error
  })
  if (!found) return { ...known!, cached: true }
  return downloadToCache(name, found, hub).catch((error: unknown) => {
    throw asStorageError(settings.cache, error)
  })
}

/** A hub, and how it is asked. */
interface Hub extends HubSettings, Pick<HubOptions, 'progress'> {
  network: NetworkSettings
}

/** Returns a file of a repository; undefined if the repository has no such file. @throws GeogapError the others of `hubFile` */
export const findHubFile = (
  source: HubSource,
  options?: HubOptions,
): Promise<HubFile | undefined> =>
  hubFile(source, options).catch((error: unknown) => {
    if (error instanceof GeogapError && error.code === 'hub-not-found') return undefined
    throw error
  })

/**
 * Returns the file `source`, or `other` where the repository has no such file. Where the hub may not or cannot be asked,
 * returns whichever is in the cache.
 */
export async function eitherHubFile(
  source: HubSource,
  other: HubSource | undefined,
  options: HubOptions = {},
): Promise<HubFile> {
  return hubFile(source, options).catch(async (error: unknown) => {
    const code = error instanceof GeogapError ? error.code : ''
    if (!other || !['hub-not-found', 'hub-offline', 'download-failed'].includes(code)) throw error
    if (code === 'hub-not-found') return hubFile(other, options)
    const env = { ...(options.env ?? process.env), HF_HUB_OFFLINE: '1' }
    return hubFile(other, { ...options, env }).catch(() => {
      throw error
    })
  })
}

export const offlineError = (
  { repo, file, revision }: Pick<HubName, 'repo' | 'file' | 'revision'>,
  { cache }: HubSettings,
): GeogapError =>
  inputError(
    'hub-offline',
    `HF_HUB_OFFLINE is set and ${file} of ${repo} at ${revision} is not in ${cache}`,
  )

interface HubFileDescription {
  commit: string
  etag: string
  size: number | undefined
}

/** Returns the address of a file, which the hub redirects to where its bytes are. */
export const resolveUrl = (name: HubName, { endpoint }: Pick<HubSettings, 'endpoint'>): URL =>
  new URL(
    `${pageUrl(name, endpoint)}/resolve/${encodeURIComponent(name.revision)}/${name.file.split('/').map(encodeURIComponent).join('/')}`,
  )

/** Returns the address of a repository's page. */
export const pageUrl = ({ repo, repoType }: HubRepositoryName, endpoint: string): string =>
  `${endpoint}/${repoType === 'dataset' ? 'datasets/' : ''}${repo}`

/** Commit, hash and length of a file as the hub's headers give them. */
async function describeHubFile(name: HubName, hub: Hub): Promise<HubFileDescription> {
  const url = resolveUrl(name, hub)
  const { network, token } = hub
  const ask = async (): Promise<HttpAnswer> => {
    const answer = await request(
      url,
      { method: 'HEAD', followsOtherOrigins: false, token: token?.value },
      network,
    )
    checkBusy(answer)
    return answer
  }
  const answer = await retryTransient(ask, network).catch((fault: unknown) => {
    throw fault instanceof NetworkFault ? downloadFailedError(url, fault) : fault
  })
  if (answer.status >= 400) throw refusalError(name, hub)(answer)
  return descriptionOf(answer, url)
}

function descriptionOf({ firstHeader, headers }: HttpAnswer, url: URL): HubFileDescription {
  const commit = firstHeader('x-repo-commit') ?? ''
  const etag = (firstHeader('x-linked-etag') ?? headers.get('etag') ?? '')
    .replace(/^W\/|"/g, '')
    .toLowerCase()
  const length =
    firstHeader('x-linked-size') ??
    (headers.has('location') ? undefined : headers.get('content-length'))
  if (!isCommit(commit) || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag))
    throw networkError(
      'hub-refused',
      `no commit or hash in the answer of ${url.href}; is HF_ENDPOINT a model hub?`,
    )
  return { commit, etag, size: /^\d+$/.test(length ?? '') ? Number(length) : undefined }
}

async function downloadToCache(
  name: HubName,
  { commit, etag, size }: HubFileDescription,
  hub: Hub,
): Promise<HubFile> {
  const { cache, token, network, progress } = hub
  const blob = blobPath(cache, name, etag)
  const isThere = async (): Promise<boolean> => {
    const found = await orIfMissing(stat(blob), undefined)
    return found !== undefined && (size === undefined || found.size === size)
  }
  const fetchBlob = async (): Promise<boolean> => {
    if (await isThere()) return true
    await downloadTo(blob, {
      url: resolveUrl({ ...name, revision: commit }, hub),
      token: token?.value,
      size,
      hashKnown: true,
      refusal: refusalError(name, hub),
      check: hashCheckFor(etag),
      network,
      progress,
    })
    return false
  }
  const cached = (await isThere()) || (await withLock(lockPath(cache, name, etag), fetchBlob))
  const path = snapshotPath(cache, name, commit)
  if (!(await isFile(path))) await linkSnapshot(path, blob)
  await writeRef(cache, name, commit)
  return { path, commit, cached }
}

const hashCheckFor =
  (etag: string) =>
  async (file: string): Promise<string | undefined> => {
    const kind = etag.length === 64 ? 'sha256' : 'git-sha1'
    const found = await hashFile(file, kind)
    return found === etag ? undefined : `${kind} ${found} instead of ${etag}`
  }

/** Returns a function from an answer of the hub that no repetition mends to its error. */
export const refusalError =
  (name: Omit<HubName, 'file'> & { file?: string }, { endpoint, token }: HubSettings) =>
  ({ status, headers }: HttpAnswer): GeogapError => {
    const { repo, repoType, revision, file } = name
    const code = headers.get('x-error-code') ?? ''
    const what = repoType === 'dataset' ? 'data set repository' : 'repository'
    if (/^invalid (credentials|username)/i.test(headers.get('x-error-message') ?? ''))
      return inputError(
        'hub-forbidden',
        `the token of ${token?.source} is not valid at ${endpoint}: set HF_TOKEN, or run hf auth login`,
      )
    if (code === 'RepoNotFound' || (status === 404 && file === undefined && code === ''))
      return notFoundError(
        `no ${what} ${repo} at ${endpoint}; if it is private, set HF_TOKEN or run hf auth login`,
      )
    if (code === 'RevisionNotFound')
      return notFoundError(`${what} ${repo} has no revision ${revision}`)
    if (status === 404 || code === 'EntryNotFound')
      return notFoundError(`no file ${file ?? ''} in repository ${repo} at revision ${revision}`)
    if (status === 401 || status === 403) return forbiddenError(name, { endpoint, token }, status)
    return networkError(
      'hub-refused',
      `the hub answered ${status} for ${file ?? 'the files'} of ${repo} at ${revision}`,
    )
  }

/** Returns the error of a repository whose files are given to some accounts only. */
export function forbiddenError(
  name: HubRepositoryName,
  { endpoint, token }: Pick<HubSettings, 'endpoint' | 'token'>,
  status?: number,
): GeogapError {
  const kind = status === undefined ? 'gated' : `gated or private (${status})`
  const fix = token
    ? `the account of the token in ${token.source} has no access to it`
    : 'and run hf auth login, or set HF_TOKEN to a token of your account'
  return inputError(
    'hub-forbidden',
    `${name.repo} is ${kind}: accept its terms at ${pageUrl(name, endpoint)}, ${fix}`,
  )
}

const notFoundError = (message: string): GeogapError => inputError('hub-not-found', message)

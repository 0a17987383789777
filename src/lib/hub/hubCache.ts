/**
 * The model hub's standard cache, as Python's huggingface_hub lays it out, so that both find each other's files:
 *
 *     models--OWNER--NAME/refs/REVISION           the commit that a branch or tag pointed to
 *     models--OWNER--NAME/blobs/ETAG              the content, named by its SHA-256 or git hash
 *     models--OWNER--NAME/snapshots/COMMIT/FILE   a relative link to the blob
 *     .locks/models--OWNER--NAME/                 locks
 *
 * Repositories of data sets are `datasets--OWNER--NAME`.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { inputError, quoteForMessage } from '../errors.ts'
import { writeAtomically, writeFully, orIfMissing } from '../files.ts'
import { findHubToken, type HubToken } from './token.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface HubSettings {
  endpoint: string
  cache: string
  token: HubToken | undefined
  offline: boolean
}

/** What `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE` and the token's variables and file say. */
export function hubSettings(env: Environment = process.env): HubSettings {
  const home = env.HF_HOME || join(cacheHome(env), 'huggingface')
  const offline = /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? '')
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
  if (!/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : ''))
    throw inputError(
      'bad-endpoint',
      `HF_ENDPOINT is not a web address: ${quoteForMessage(endpoint)}`,
    )
  return {
    endpoint,
    cache: expandHome(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub')),
    token: offline
      ? undefined
      : findHubToken(env, expandHome(env.HF_TOKEN_PATH || join(home, 'token'))),
    offline,
  }
}

/** The user's cache folder. */
const cacheHome = (env: Environment): string => env.XDG_CACHE_HOME || join(homedir(), '.cache')

/** The folder of geogap's own cache. */
export const geogapCache = (env: Environment = process.env): string =>
  env.GEOGAP_CACHE || join(cacheHome(env), 'geogap')

const expandHome = (path: string): string => path.replace(/^~(?=\/|$)/, homedir())

/** The kinds of repositories of the hub that are read; a name may stand for one of each. */
export type RepositoryType = 'model' | 'dataset'

/** A repository by name and type. */
export interface HubRepositoryName {
  repo: string
  /** `model` by default. */
  repoType?: RepositoryType | undefined
}

/** A file of a repository; the revision is a commit, branch or tag. */
export interface HubName extends HubRepositoryName {
  file: string
  revision: string
}

const isSafePath = (text: string): boolean =>
  !/[\\\p{Cc}]/u.test(text) &&
  text.split('/').every(part => part !== '' && part !== '.' && part !== '..')

/** @throws GeogapError `bad-hub-name` for names that no repository has or that would leave the cache */
export function checkHubName({ repo, file, revision }: HubName): void {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(repo) || !isSafePath(repo) || repo.includes('--'))
    throw inputError('bad-hub-name', `not a repository name OWNER/NAME: ${quoteForMessage(repo)}`)
  if (!isSafePath(file))
    throw inputError('bad-hub-name', `not a file of a repository: ${quoteForMessage(file)}`)
  if (!isSafePath(revision))
    throw inputError('bad-hub-name', `not a revision: ${quoteForMessage(revision)}`)
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

const folderName = ({ repo, repoType = 'model' }: HubRepositoryName): string =>
  `${repoType}s--${repo.replaceAll('/', '--')}`

export const blobPath = (cache: string, name: HubRepositoryName, etag: string): string =>
  join(cache, folderName(name), 'blobs', etag)

export const lockPath = (cache: string, name: HubRepositoryName, etag: string): string =>
  join(cache, '.locks', folderName(name), `${etag}.geogap.lock`)

/** Returns the folder that holds a repository's files as they are at a commit. */
export const snapshotFolder = (cache: string, name: HubRepositoryName, commit: string): string =>
  join(cache, folderName(name), 'snapshots', commit)

export const snapshotPath = (cache: string, name: HubName, commit: string): string =>
  join(snapshotFolder(cache, name, commit), ...name.file.split('/'))

/** The cached snapshot file and its commit, if both are there. */
export async function findCachedFile(
  cache: string,
  name: HubName,
): Promise<{ path: string; commit: string } | undefined> {
  const commit = isCommit(name.revision) ? name.revision : await readRef(cache, name)
  if (commit === undefined) return undefined
  const path = snapshotPath(cache, name, commit)
  return (await isFile(path)) ? { path, commit } : undefined
}

/** A repository at a commit, branch or tag. */
export type HubRevision = Omit<HubName, 'file'>

/** Returns the commit that a branch or tag pointed to when it was last asked for. */
export async function readRef(cache: string, name: HubRevision): Promise<string | undefined> {
  const ref = join(cache, folderName(name), 'refs', ...name.revision.split('/'))
  const commit = await readFile(ref, 'utf8').catch(() => '')
  return isCommit(commit.trim()) ? commit.trim() : undefined
}

/** Notes which commit a branch or tag points to. */
export async function writeRef(cache: string, name: HubRevision, commit: string): Promise<void> {
  if (name.revision === commit || (await readRef(cache, name)) === commit) return
  const ref = join(cache, folderName(name), 'refs', ...name.revision.split('/'))
  await mkdir(dirname(ref), { recursive: true })
  await writeAtomically(ref, handle => writeFully(handle, Buffer.from(commit)))
}

/** Links the snapshot's file to its blob; a hard link where links are forbidden (Windows without the right). */
export async function linkSnapshot(path: string, blob: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await symlink(relative(dirname(path), blob), temporary).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
      return link(blob, temporary)
    })
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

export const isFile = async (path: string): Promise<boolean> =>
  (await orIfMissing(stat(path), undefined))?.isFile() ?? false

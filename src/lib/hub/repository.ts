/*
 * What a repository of the hub holds at a revision: its commit, its card (the metadata of its README) and its files with
 * their sizes. The listing of a commit never changes, so it is kept in geogap's own cache and asked for once.
 */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { z } from 'zod'
import { parseJson } from '../archive/json.ts'
import { GeogapError, networkError } from '../errors.ts'
import { orIfMissing, writeAtomically, writeFully } from '../files.ts'
import { sha256 } from '../hash.ts'
import { forbiddenError, type HubOptions, offlineError, refusalError, resolveUrl } from './hub.ts'
import {
  checkHubName,
  geogapCache,
  type HubName,
  type HubRevision,
  type HubSettings,
  hubSettings,
  isCommit,
  readRef,
  snapshotFolder,
  writeRef,
} from './hubCache.ts'
import {
  defaultNetworkSettings,
  type HttpAnswer,
  NetworkFault,
  type NetworkSettings,
  request,
  retryTransient,
} from './http.ts'
import { asStorageError, checkBusy, downloadFailedError, readBody } from './resumableDownload.ts'

const listedFileSchema = z.object({ path: z.string(), size: z.number().min(0) })
const repositorySchema = z.object({
  commit: z.string(),
  gated: z.boolean(),
  card: z.record(z.string(), z.unknown()),
  files: z.array(listedFileSchema),
})

/** A file of a repository with its size in bytes. */
export type HubListedFile = z.infer<typeof listedFileSchema>

/** A repository at one commit; `card` is the metadata of its README, `gated` whether terms must be accepted for its files. */
export type HubRepository = z.infer<typeof repositorySchema>

/** A hub, and how it is asked. */
interface Hub extends HubSettings {
  network: NetworkSettings
  listings: string
}

/**
 * Returns what a repository holds. A commit that was asked for before needs no network; a branch is looked up, and where the
 * hub cannot be reached its last known commit is used.
 * @throws GeogapError `hub-offline`, `hub-forbidden` (also for a gated repository without a token), `hub-not-found`,
 * `hub-refused`, `download-failed`
 */
export async function describeRepository(
  name: HubRevision,
  { env, network }: HubOptions = {},
): Promise<HubRepository> {
  const settings = hubSettings(env)
  checkHubName({ ...name, file: 'README.md' })
  const hub: Hub = {
    ...settings,
    network: { ...defaultNetworkSettings, ...network },
    listings: join(geogapCache(env), 'hub'),
  }
  const known = isCommit(name.revision) ? name.revision : await readRef(hub.cache, name)
  const kept = known === undefined ? undefined : await readKnownListing(name, known, hub)
  if (kept && (isCommit(name.revision) || hub.offline)) return kept
  if (hub.offline) throw offlineError({ ...name, file: 'the listing' }, hub)
  const asked = kept ? { ...hub, network: { ...hub.network, attempts: 1 } } : hub
  return askRepository(name, asked).catch((error: unknown) => {
    if (kept && error instanceof GeogapError && error.code === 'download-failed') return kept
    throw error
  })
}

const listingPath = ({ repo, repoType }: HubRevision, commit: string, hub: Hub): string =>
  join(hub.listings, `${sha256(JSON.stringify([hub.endpoint, repoType, repo, commit]), 32)}.json`)

/** Returns the listing of a commit that was kept, or that of a snapshot which another program downloaded whole. */
async function readKnownListing(
  name: HubRevision,
  commit: string,
  hub: Hub,
): Promise<HubRepository | undefined> {
  const text = await orIfMissing(readFile(listingPath(name, commit, hub), 'utf8'), '')
  const kept = repositorySchema.safeParse(parseJson(text))
  if (kept.success) return kept.data
  if (!hub.offline) return undefined
  const files = await listSnapshot(snapshotFolder(hub.cache, name, commit))
  return files.length === 0 ? undefined : { commit, gated: false, card: {}, files }
}

async function listSnapshot(folder: string): Promise<HubListedFile[]> {
  const entries = await orIfMissing(readdir(folder, { recursive: true, withFileTypes: true }), [])
  const files: HubListedFile[] = []
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    const found = await orIfMissing(stat(path), undefined)
    if (found?.isFile())
      files.push({ path: relative(folder, path).split(sep).join('/'), size: found.size })
  }
  return files
}

const infoSchema = z.object({
  sha: z.string().refine(isCommit),
  gated: z.union([z.boolean(), z.string()]).nullish(),
  disabled: z.boolean().nullish(),
  cardData: z.record(z.string(), z.unknown()).nullish(),
})
const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.number().min(0).default(0),
    lfs: z.object({ size: z.number().min(0) }).nullish(),
  }),
)

/** More pages than this are taken for an endless listing; each has up to 1,000 files. */
const maxPages = 1000

async function askRepository(name: HubRevision, hub: Hub): Promise<HubRepository> {
  const base = `${hub.endpoint}/api/${name.repoType ?? 'model'}s/${name.repo}`
  const about = await requestJson(
    new URL(`${base}/revision/${encodeURIComponent(name.revision)}`),
    name,
    hub,
  )
  const info = infoSchema.safeParse(about.content)
  if (!info.success) throw refusedError(base)
  const { sha: commit, gated, disabled, cardData } = info.data
  if (disabled) throw networkError('hub-refused', `the hub has disabled ${name.repo}`)
  if (gated && hub.token === undefined) throw forbiddenError(name, hub)
  const files: HubListedFile[] = []
  let next: URL | undefined = new URL(`${base}/tree/${commit}?recursive=true&expand=false`)
  for (let page = 0; next && page < maxPages; page++) {
    const { content, answer } = await requestJson(next, name, hub)
    const tree = treeSchema.safeParse(content)
    if (!tree.success) throw refusedError(next.href)
    for (const { type, path, size, lfs } of tree.data)
      if (type === 'file') files.push({ path, size: lfs?.size ?? size })
    next = nextPage(answer, next)
  }
  const found: HubRepository = { commit, gated: Boolean(gated), card: cardData ?? {}, files }
  await keepListing(name, found, hub)
  return found
}

const refusedError = (address: string): GeogapError =>
  networkError(
    'hub-refused',
    `the answer of ${address} is not a hub's; is HF_ENDPOINT a model hub?`,
  )

/** Returns the address of the next page: that of this one with the query of the header `Link`, which behind a mirror names the hub itself. */
function nextPage({ headers }: HttpAnswer, current: URL): URL | undefined {
  const [, address] = /<([^>]+)>\s*;\s*rel="next"/.exec(headers.get('link') ?? '') ?? []
  if (address === undefined) return undefined
  const next = new URL(current)
  next.search = new URL(address, current).search
  return next
}

async function keepListing(name: HubRevision, found: HubRepository, hub: Hub): Promise<void> {
  const file = listingPath(name, found.commit, hub)
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeAtomically(file, handle => writeFully(handle, Buffer.from(JSON.stringify(found))))
    await writeRef(hub.cache, name, found.commit)
  } catch (error) {
    // A cache that may only be read serves as it is: the listing is asked for again next time.
    const { code = '' } = error as NodeJS.ErrnoException
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) throw asStorageError(file, error)
  }
}

const maxListingBytes = 1 << 26

async function requestJson(
  url: URL,
  name: HubRevision,
  hub: Hub,
): Promise<{ content: unknown; answer: HttpAnswer }> {
  const { answer, bytes } = await requestBytes(url, hub, {
    maxBytes: maxListingBytes,
    refusal: refusalError(name, hub),
  })
  return { content: parseJson(bytes.toString('utf8')), answer }
}

/**
 * Returns the bytes of a file from `offset` to its end without keeping them, such as the footer of a Parquet file.
 * @throws GeogapError as `hubFile`
 */
export async function readRemoteTail(
  name: HubName,
  offset: number,
  { env, network }: HubOptions = {},
): Promise<Buffer> {
  const settings = hubSettings(env)
  const hub = { ...settings, network: { ...defaultNetworkSettings, ...network } }
  const { bytes, answer } = await requestBytes(resolveUrl(name, hub), hub, {
    headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
    maxBytes: maxListingBytes,
    refusal: refusalError(name, hub),
  })
  return answer.status === 206 || offset === 0 ? bytes : bytes.subarray(offset)
}

interface BodyRequest {
  headers?: Record<string, string>
  maxBytes: number
  refusal: (answer: HttpAnswer) => GeogapError
}

async function requestBytes(
  url: URL,
  { network, token }: Pick<Hub, 'network' | 'token'>,
  { headers = {}, maxBytes, refusal }: BodyRequest,
): Promise<{ answer: HttpAnswer; bytes: Buffer }> {
  const attempt = async (): Promise<{ answer: HttpAnswer; bytes: Buffer }> => {
    const answer = await request(
      url,
      { method: 'GET', followsOtherOrigins: true, headers, token: token?.value },
      network,
    )
    if (answer.status !== 200 && answer.status !== 206) {
      await answer.discard()
      checkBusy(answer)
      throw refusal(answer)
    }
    const bytes = await readBody(answer, maxBytes, () =>
      networkError('hub-refused', `${url.href} has more than ${maxBytes} bytes`),
    )
    return { answer, bytes }
  }
  return retryTransient(attempt, network).catch((error: unknown) => {
    throw error instanceof NetworkFault ? downloadFailedError(url, error) : error
  })
}

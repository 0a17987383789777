/** The first and the last look of an evaluation at its folder of results. */
import { hostname } from 'node:os'
import { inputError } from '../lib/errors.ts'
import { type IndexRange, intersectRanges, totalLength } from '../lib/ranges.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { isObjectStoreUrl, type Storage } from '../lib/storage/storage.ts'
import { damageText } from './damage.ts'
import { type Failure } from './records.ts'
import { readRunRecords } from './runRecords.ts'
import { type KeptOutput, type ResultKey } from './schema.ts'
import {
  type DamagedShard,
  evaluationPath,
  manifestName,
  manifestNamesOf,
  manifestsAmong,
  parseManifest,
  readManifests,
  readStoredEvaluation,
  shardFileNames,
  type StoredEvaluation,
  unfinishedRanges,
} from './store.ts'
import { pullResults } from './sync.ts'
import { withoutUnreadableShards } from './unreadable.ts'

/** What an evaluation is to store. */
export interface RequestedResults {
  asked: readonly RequestedEvaluation[]
  keep?: KeptOutput | undefined
  /** Whether kept outputs of another kind may be replaced. */
  replace?: boolean | undefined
}

interface RequestedEvaluation {
  identity: ResultKey
  /** The part to evaluate; all images by default. */
  spans?: readonly IndexRange[] | undefined
}

/**
 * Removes the manifests of damaged shards at `place`, so that their images are computed again.
 * Errors: other-kept, if kept outputs of another kind would be replaced.
 */
export async function removeDamagedShards(
  place: Storage,
  { asked, keep, replace }: RequestedResults,
): Promise<void> {
  const dir = await pullResults(place.url)
  const stored: StoredEvaluation[] = []
  for (const { identity } of asked) stored.push(...(await readBack(dir, identity, keep)))
  for (const entry of stored) {
    const other = otherKeptText(entry, keep)
    if (other !== null && !replace) throw inputError('other-kept', other)
  }
  for (const { identity, damaged } of stored)
    for (const shard of damaged) await removeDamagedShard(place, evaluationPath(identity), shard)
  for (const entry of stored) await removeReplacedShards(place, entry)
  if (!isObjectStoreUrl(place.url))
    await removeAbandonedFiles(
      place,
      asked.map(({ identity }) => evaluationPath(identity)),
    )
}

/** Removes a shard's files, and the manifests of its range that name them or cannot be read. */
async function removeDamagedShard(
  place: Storage,
  folder: string,
  { manifest: damaged, ...range }: DamagedShard,
): Promise<void> {
  const readable = (await readManifests(place, folder, range)).filter(({ manifest }) => manifest)
  for (const name of manifestNamesOf(range)) {
    const manifest = readable.find(one => one.name === name)?.manifest
    if (!manifest || manifest.file === damaged?.file) await place.remove(`${folder}/${name}`)
  }
  for (const file of damaged ? shardFileNames(damaged) : []) await place.remove(`${folder}/${file}`)
}

/** Removes what a killed writer of kept outputs left to be removed: shards without one, beside readable ones of the same range. */
async function removeReplacedShards(
  place: Storage,
  { identity, shards }: StoredEvaluation,
): Promise<void> {
  const folder = evaluationPath(identity)
  const names = new Set(await place.list(folder))
  for (const { start, end, kept } of shards) {
    if (!kept || !names.has(manifestName({ start, end }))) continue
    for (const { name, manifest } of await readManifests(place, folder, { start, end }))
      if (manifest && !manifest.kept)
        for (const file of [name, ...shardFileNames(manifest)])
          await place.remove(`${folder}/${file}`)
  }
}

/** Says that shards keep another output than `keep`, and what to do; null if none does. */
function otherKeptText(
  { identity, shards }: StoredEvaluation,
  keep: KeptOutput | undefined,
): string | null {
  const other = shards.find(({ kept }) => keep && kept && kept.output !== keep)?.kept
  return other
    ? `${other.output} of ${identity.model} on ${identity.dataset} are kept: --replace replaces them by ${keep}, another --out keeps both`
    : null
}

const numberedFile = /^\d{8,}-\d{8,}-(\d+)-[0-9a-f]{8}\.(parquet|\w+\.safetensors)$/

/**
 * Removes data files that no manifest names, of evaluations that have ended and can commit them no more. One that seems to be killed
 * on another machine may only be slow. At an object store nothing tells which evaluations run.
 */
async function removeAbandonedFiles(place: Storage, folders: readonly string[]): Promise<void> {
  const listed = new Map<string, string[]>()
  for (const folder of folders) listed.set(folder, await place.list(folder))
  // Read after the lists, so that a file that is listed is of an evaluation whose record is there, or was and has ended.
  const mayGoOn = (await readRunRecords(place.url)).filter(
    ({ state, host }) =>
      state === 'running' || state === 'damaged' || (state === 'killed' && host !== hostname()),
  )
  const atWork = new Set(mayGoOn.map(({ generation }) => generation))
  for (const [folder, names] of listed) {
    const named = new Set(await readNamedFiles(place, folder))
    for (const name of names) {
      const [, generation] = numberedFile.exec(name) ?? []
      const isAbandoned = generation !== undefined && !atWork.has(Number(generation))
      if (isAbandoned && !named.has(name)) await place.remove(`${folder}/${name}`)
    }
  }
}

/** Returns the names of the data files that manifests name. */
async function readNamedFiles(place: Storage, folder: string): Promise<string[]> {
  const files: string[] = []
  for (const name of manifestsAmong(await place.list(folder))) {
    const manifest = parseManifest((await place.read(`${folder}/${name}`)) ?? new Uint8Array())
    if (manifest) files.push(...shardFileNames(manifest))
  }
  return files
}

/** Compares what is stored at `place` with what was asked for. Returns a failure for each evaluation that is not complete. */
export async function findIncomplete(
  place: Storage,
  { asked, keep }: RequestedResults,
): Promise<Failure[]> {
  const dir = await pullResults(place.url)
  const failures: Failure[] = []
  for (const { identity, spans } of asked) {
    const { model, dataset, images } = identity
    const wanted = spans ?? [{ start: 0, end: images }]
    const [entry] = await readBack(dir, identity, keep)
    const missing = totalLength(intersectRanges(unfinishedRanges(entry, images, keep), wanted))
    if (missing === 0) continue
    const all = totalLength(wanted)
    const reason =
      (entry && (damageText(entry) ?? otherKeptText(entry, keep))) ??
      'the same command again computes the rest'
    const message = `not complete: ${all - missing} of ${all} images are stored; ${reason}`
    failures.push({ model, dataset, code: 'incomplete', message })
  }
  return failures
}

/** Reads every value that is stored of an evaluation. */
async function readBack(
  dir: string,
  identity: ResultKey,
  keep: KeptOutput | undefined,
): Promise<StoredEvaluation[]> {
  const entry = await readStoredEvaluation(folderStorage(dir), evaluationPath(identity), keep)
  return entry ? [await withoutUnreadableShards(entry)] : []
}

/** Removes from a folder of results what an evaluation has to compute again, and files that nothing refers to. */
import { hostname } from 'node:os'
import { inputError } from '../lib/errors.ts'
import { isObjectStoreUrl, type Storage } from '../lib/storage/storage.ts'
import { otherKeptText, readBack, type RequestedResults } from './completeness.ts'
import { readRunRecords } from './runRecords.ts'
import {
  type DamagedShard,
  evaluationPath,
  manifestName,
  manifestNamesOf,
  manifestsAmong,
  parseManifest,
  readManifests,
  shardFileNames,
  type StoredEvaluation,
} from './storedEvaluations.ts'
import { pullResults } from './sync.ts'

/**
 * Removes the damaged shards of the requested evaluations at `place`, so that their images are computed again, and data files that
 * no manifest names.
 * @throws GeogapError `other-kept` if kept outputs of another kind would be replaced without `replace`
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

/** Removes shards without kept outputs beside readable shards of the same range that have them: a killed writer leaves both. */
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

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { mapLimited } from '../lib/concurrency.ts'
import { inputError } from '../lib/errors.ts'
import { orIfMissing } from '../lib/files.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { type IndexRange } from '../lib/ranges.ts'
import { sha256 } from '../lib/hash.ts'
import { literalPath } from '../lib/sql.ts'
import { parseRecord } from './records.ts'
import {
  retiredModes,
  type ResultKey,
  type KeptOutput,
  type ShardManifest,
  shardManifest,
} from './schema.ts'

/** One model on one data set as stored: its key and its shards. */
export interface StoredEvaluation {
  identity: ResultKey
  key: string
  folder: string
  shards: ShardManifest[]
  /** Images with a row, of `identity.images`. */
  rows: number
  /** Newest shard's time. */
  created: string
}

/** The content key of an identity, and the name of its folder below `predictions/`. */
export const hashResultKey = (identity: ResultKey): string => sha256(JSON.stringify(identity), 16)

/** Returns the fields in which two keys differ. */
export const differingFields = (a: ResultKey, b: ResultKey): (keyof ResultKey)[] =>
  (Object.keys({ ...a, ...b }) as (keyof ResultKey)[]).filter(
    key => JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  )

/** Returns `steps "a" instead of "b"; …` for fields that differ. */
export const differingFieldsText = (
  fields: readonly (keyof ResultKey)[],
  found: ResultKey,
  expected: ResultKey,
): string =>
  fields
    .map(
      field =>
        `${field} ${JSON.stringify(found[field])} instead of ${JSON.stringify(expected[field])}`,
    )
    .join('; ')

/** The different models, data sets or modes of some entries, in their order. */
export const distinctFieldValues = (
  entries: readonly Pick<StoredEvaluation, 'identity'>[],
  what: keyof EvaluationId,
): string[] => [...new Set(entries.map(({ identity }) => identity[what]))]

export const evaluationFolder = (dir: string, identity: ResultKey): string =>
  join(dir, evaluationPath(identity))

/** `entryFolder` below the root of its place. */
export const evaluationPath = (identity: ResultKey): string =>
  `predictions/${slug(identity.model)}--${slug(identity.dataset)}--${identity.preprocessing}--${hashResultKey(identity)}`

export const slug = (name: string): string => name.replace(/[^\w.-]+/g, '_').slice(-60)

/** Reads every evaluation below `dir` but retired ones, oldest first; of shards that overlap those count that hold most images. */
export async function readStoredEvaluations(dir: string): Promise<StoredEvaluation[]> {
  const root = join(dir, 'predictions')
  const folders = await orIfMissing(readdir(root), undefined)
  if (!folders && !(await orIfMissing(stat(join(dir, 'imported')), undefined))) {
    const inner = join(dir, 'results')
    const hint = (await orIfMissing(stat(join(inner, 'predictions')), undefined))
      ? `; ${inner} has some`
      : ''
    const absent = (await orIfMissing(stat(dir), undefined)) ? root : dir
    throw inputError('no-results', `no results in ${dir}: there is no folder ${absent}${hint}`)
  }
  return readEvaluationFolders(dir, folders?.filter(name => !isRetiredFolder(name)) ?? [])
}

/** Reads the named folders below `predictions/`, oldest first. */
export async function readEvaluationFolders(
  dir: string,
  names: readonly string[],
): Promise<StoredEvaluation[]> {
  const place = folderStorage(dir)
  const entries = await mapLimited(names, 32, name =>
    readStoredEvaluation(place, `predictions/${name}`),
  )
  return entries
    .filter(entry => entry !== undefined)
    .sort((a, b) => (a.created < b.created ? -1 : 1))
}

const retiredFolder = new RegExp(`--(${retiredModes.join('|')})--\\w+$`)

/** Whether a folder below `predictions/` holds results of a preprocessing mode of earlier versions. */
export const isRetiredFolder = (name: string): boolean => retiredFolder.test(name)

/** The entry in a folder of the place, or undefined where it has no committed shard. */
export async function readStoredEvaluation(
  place: Storage,
  folder: string,
): Promise<StoredEvaluation | undefined> {
  const manifests: ShardManifest[] = []
  for (const name of (await place.list(folder)).filter(name => name.endsWith('.json'))) {
    const manifest = await readManifest(place, `${folder}/${name}`)
    if (manifest) manifests.push(manifest)
  }
  const shards = selectDisjoint(manifests)
  const first = shards[0]
  if (!first) return undefined
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0)
  const created = shards.reduce(
    (newest, shard) => (shard.created > newest ? shard.created : newest),
    '',
  )
  return {
    identity: first.identity,
    key: first.key,
    folder: join(place.url, folder),
    shards,
    rows,
    created,
  }
}

/** Undefined where another process has just removed it. */
async function readManifest(place: Storage, name: string): Promise<ShardManifest | undefined> {
  const bytes = await place.read(name)
  return bytes && parseManifest(bytes, `${place.url}/${name}`)
}

const shardManifestKind = { what: 'a shard manifest', schema: shardManifest }

/** Reads a shard's manifest. Errors: bad-record. */
export const parseManifest = (bytes: Uint8Array, file: string): ShardManifest =>
  parseRecord(Buffer.from(bytes).toString(), file, shardManifestKind)

/**
 * One entry for every model × data set × preprocessing, the others are stale: the one that was asked for last, by the
 * times in `asked`, else the newest.
 */
export function currentEvaluations(
  entries: readonly StoredEvaluation[],
  asked: ReadonlyMap<string, string> = new Map(),
): StoredEvaluation[] {
  const when = ({ key, created }: StoredEvaluation): string => asked.get(key) ?? created
  const newest = new Map<string, StoredEvaluation>()
  for (const entry of entries) {
    const slot = evaluationIdText(entry.identity)
    const before = newest.get(slot)
    if (!before || when(entry) >= when(before)) newest.set(slot, entry)
  }
  return [...newest.values()]
}

/** One model on one data set with one preprocessing: what results are found by, whose identity may change. */
export interface EvaluationId {
  model: string
  dataset: string
  preprocessing: string
}

export const evaluationIdText = ({ model, dataset, preprocessing }: EvaluationId): string =>
  JSON.stringify([model, dataset, preprocessing])

/** `00000000-00001024` */
export const rangeName = ({ start, end }: IndexRange): string =>
  `${String(start).padStart(8, '0')}-${String(end).padStart(8, '0')}`

export const manifestName = (span: IndexRange): string => `${rangeName(span)}.json`

/** The files that a manifest names. */
export const shardFileNames = ({ file, kept }: Pick<ShardManifest, 'file' | 'kept'>): string[] =>
  kept ? [file, kept.file] : [file]

/** What the manifests (or files of another ending) of a folder cover, by their names. */
export const rangesOfFileNames = (names: readonly string[], ending = '.json'): IndexRange[] =>
  [...names].sort().flatMap(name => {
    const [, start, end] = /^(\d{8,})-(\d{8,})(?=\.\w+$)/.exec(name) ?? []
    return end === undefined || !name.endsWith(ending)
      ? []
      : [{ start: Number(start), end: Number(end) }]
  })

/**
 * The spans that cover most together without an overlap, in order. Evaluations at once may cut differently, and what one that was
 * cut off has stored must not hide what another did whole.
 */
export function selectDisjoint<T extends IndexRange>(spans: readonly T[]): T[] {
  const sorted = [...spans].sort((a, b) => a.end - b.end || a.start - b.start)
  if (sorted.every(({ start }, i) => i === 0 || sorted[i - 1]!.end <= start)) return sorted
  const most = [0]
  const before: number[] = []
  for (const [i, { start, end }] of sorted.entries()) {
    let low = 0
    let high = i
    while (low < high) {
      const middle = (low + high) >> 1
      if (sorted[middle]!.end <= start) low = middle + 1
      else high = middle
    }
    before.push(low)
    most.push(Math.max(most[i]!, most[low]! + end - start))
  }
  const kept: T[] = []
  for (let i = sorted.length; i > 0;)
    if (most[i]! > most[i - 1]!) {
      kept.push(sorted[i - 1]!)
      i = before[i - 1]!
    } else i -= 1
  return kept.reverse()
}

/** Parts of the data set's order that no shard covers. */
export function findGaps(
  entry: { shards: readonly IndexRange[] } | undefined,
  images: number,
): IndexRange[] {
  const missing: IndexRange[] = []
  let at = 0
  for (const { start, end } of selectDisjoint(entry?.shards ?? [])) {
    if (start > at) missing.push({ start: at, end: start })
    at = end
  }
  if (at < images) missing.push({ start: at, end: images })
  return missing
}

/** The same by the names of what a place holds. */
export const readMissingRanges = async (
  place: Storage,
  identity: ResultKey,
): Promise<IndexRange[]> =>
  findGaps(
    { shards: rangesOfFileNames(await place.list(evaluationPath(identity))) },
    identity.images,
  )

/**
 * What is to be computed: gaps, and shards that lack the output to `keep`. These stay whole, so that what replaces them
 * covers no other one.
 */
export function unfinishedRanges(
  entry: StoredEvaluation | undefined,
  images: number,
  keep?: KeptOutput,
): IndexRange[] {
  const lacking = (entry?.shards ?? []).filter(
    ({ kept, rows, errors }) => keep !== undefined && kept?.output !== keep && errors < rows,
  )
  return [...findGaps(entry, images), ...lacking.map(({ start, end }) => ({ start, end }))].sort(
    (a, b) => a.start - b.start,
  )
}

/** The Parquet files of an entry's shards, as a bound list. */
export const shardPaths = (entry: StoredEvaluation): string[] =>
  entry.shards.map(shard => literalPath(join(entry.folder, shard.file)))

import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { mapLimited } from '../lib/concurrency.ts'
import { inputError } from '../lib/errors.ts'
import { orIfMissing } from '../lib/files.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { type IndexRange, intersectRanges } from '../lib/ranges.ts'
import { sha256 } from '../lib/hash.ts'
import { literalPath } from '../lib/sql.ts'
import {
  type KeptOutput,
  keptOutputs,
  type ResultKey,
  retiredModes,
  schemaVersion,
  type ShardManifest,
  shardManifest,
} from './schema.ts'

/** A range of a data set whose stored shard cannot be used, and why. */
export interface DamagedShard extends IndexRange {
  reason: string
  /** Undefined if it cannot be read. */
  manifest: ShardManifest | undefined
}

/** The stored predictions of one model on one data set. */
export interface StoredEvaluation {
  identity: ResultKey
  key: string
  folder: string
  /** Shards that do not overlap, in order. */
  shards: ShardManifest[]
  /** Shards without usable files; their images count as missing. */
  damaged: DamagedShard[]
  /** Images with a row, of `identity.images`. */
  rows: number
  /** Time of the newest shard. */
  created: string
}

/** The content key of an identity, and the name of its folder below `predictions/`. */
export const hashResultKey = (identity: ResultKey): string => sha256(JSON.stringify(identity), 16)

/** Returns the fields in which two keys differ. */
export const differingFields = (a: ResultKey, b: ResultKey): (keyof ResultKey)[] =>
  a === b
    ? []
    : (Object.keys({ ...a, ...b }) as (keyof ResultKey)[]).filter(
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

/**
 * Reads the evaluations below `dir` that have shards, oldest first, without those of retired preprocessing modes. Of shards
 * that overlap, those that hold most images together count, and of equal ones those that keep `output`. Errors: no-results.
 */
export const readStoredEvaluations = async (
  dir: string,
  output?: KeptOutput,
): Promise<StoredEvaluation[]> => (await readEvaluationFolders(dir, { output })).filter(isUsable)

/** Whether answers may come from an evaluation. */
export const isUsable = ({ identity, shards }: StoredEvaluation): boolean =>
  shards.length > 0 && !isRetired(identity)

/** Whether a result's preprocessing mode is one of earlier versions. */
export const isRetired = ({ preprocessing }: Pick<ResultKey, 'preprocessing'>): boolean =>
  (retiredModes as readonly string[]).includes(preprocessing)

/**
 * Reads every evaluation below `dir`, oldest first, also those without a usable shard. Errors: no-results, unless `absent` is
 * given, the names of folders where there are none.
 */
export async function readEvaluationFolders(
  dir: string,
  { absent, output }: { absent?: readonly string[]; output?: KeptOutput | undefined } = {},
): Promise<StoredEvaluation[]> {
  const root = join(dir, 'predictions')
  const folders = await orIfMissing(readdir(root), absent)
  if (!folders && !(await orIfMissing(stat(join(dir, 'imported')), undefined))) {
    const inner = join(dir, 'results')
    const hint = (await orIfMissing(stat(join(inner, 'predictions')), undefined))
      ? `; ${inner} has some`
      : ''
    const lacking = (await orIfMissing(stat(dir), undefined)) ? root : dir
    throw inputError('no-results', `no results in ${dir}: there is no folder ${lacking}${hint}`)
  }
  const place = folderStorage(dir)
  const entries = await mapLimited(folders ?? [], 32, name =>
    readStoredEvaluation(place, `predictions/${name}`, output),
  )
  return entries
    .filter(entry => entry !== undefined)
    .sort((a, b) => (a.created < b.created ? -1 : 1))
}

/**
 * Reads the evaluation in a folder of `place`; undefined if it has no manifest. Of shards that hold as many images, those that
 * keep `output` count, then those that keep another one.
 */
export async function readStoredEvaluation(
  place: Storage,
  folder: string,
  output?: KeptOutput,
): Promise<StoredEvaluation | undefined> {
  const found: ReadShard[] = []
  for (const name of manifestsAmong(await place.list(folder))) {
    const shard = await readShard(place, folder, name)
    if (shard) found.push(shard)
  }
  if (found.length === 0) return undefined
  const manifests = found.flatMap(({ manifest }) => manifest ?? [])
  const shards = selectDisjoint(
    found.flatMap(({ manifest, reason }) => (reason === undefined ? manifest! : [])),
    ({ start, end, kept }) =>
      (end - start) * (1 + (!kept ? 0 : kept.output === output ? 2e-8 : 1e-8)),
  )
  const identity = (shards[0] ?? manifests[0])?.identity ?? identityOfFolder(basename(folder))
  const gaps = findGaps({ shards }, Infinity)
  return {
    identity,
    key: manifests[0]?.key ?? basename(folder).split('--').at(-1)!,
    folder: join(place.url, folder),
    shards,
    damaged: found.flatMap(({ reason, ...shard }) =>
      reason === undefined || intersectRanges(gaps, [shard]).length === 0
        ? []
        : { ...shard, reason },
    ),
    rows: shards.reduce((sum, { rows }) => sum + rows, 0),
    created: shards.reduce((newest, { created }) => (created > newest ? created : newest), ''),
  }
}

interface ReadShard extends IndexRange {
  /** Undefined if the manifest cannot be read. */
  manifest: ShardManifest | undefined
  /** Why the shard cannot be used. */
  reason: string | undefined
}

/** Reads a manifest and looks for the files that it names; undefined if another process has just removed it. */
async function readShard(
  place: Storage,
  folder: string,
  name: string,
): Promise<ReadShard | undefined> {
  const path = `${folder}/${name}`
  const bytes = await place.read(path)
  if (!bytes) {
    if (!(await place.list(folder)).includes(name)) return undefined
    const reason = `${place.url}/${path} is a link to nothing`
    return { ...rangeOfManifest(name), manifest: undefined, reason }
  }
  const manifest = parseManifest(bytes)
  const reason = manifest
    ? name.startsWith(`${rangeName(manifest)}.`)
      ? await findFileFault(place, folder, manifest)
      : `${place.url}/${path} is about other images`
    : `${place.url}/${path} is not a shard manifest of this version`
  // Another process may have replaced the manifest and its files meanwhile.
  if (reason !== undefined && !isDeepStrictEqual(await place.read(path), bytes))
    return readShard(place, folder, name)
  return { ...rangeOfManifest(name), manifest, reason }
}

/** Returns why the files that a manifest names are not those that were stored. */
async function findFileFault(
  place: Storage,
  folder: string,
  { kept, ...shard }: ShardManifest,
): Promise<string | undefined> {
  for (const { file, bytes } of kept ? [shard, kept] : [shard]) {
    const size = await place.size(`${folder}/${file}`)
    const path = `${place.url}/${folder}/${file}`
    if (size === undefined) return `${path} is missing`
    if (size !== bytes) return `${path} has ${size} bytes instead of ${bytes}`
  }
  return undefined
}

/** Whether an evaluation has a manifest, or a record of one, that says what it is; otherwise only its folder's name does. */
export const isKnown = ({ version }: Pick<ResultKey, 'version'>): boolean => version !== ''

/** Returns whether answers may come from an evaluation: it is not retired, and a manifest told its key. */
export const mayAnswer = ({ identity }: Pick<StoredEvaluation, 'identity'>): boolean =>
  !isRetired(identity) && isKnown(identity)

/** Returns what a folder's name tells of an evaluation without any readable manifest. */
function identityOfFolder(name: string): ResultKey {
  const [, model = name, dataset = '', mode] = /^(.*?)--(.*)--(.*)--\w+$/.exec(name) ?? []
  return {
    schema: schemaVersion,
    version: '',
    runtime: '',
    model,
    weights: [],
    preprocessing: mode === 'paper' ? 'paper' : 'native',
    steps: '',
    dataset,
    content: '',
    images: 0,
    labelMap: '',
    choices: '',
    prompts: '',
  }
}

/** Reads the manifests of a range, whatever they keep; `manifest` is undefined for a damaged one. */
export async function readManifests(
  place: Storage,
  folder: string,
  range: IndexRange,
): Promise<{ name: string; manifest: ShardManifest | undefined }[]> {
  const found: { name: string; manifest: ShardManifest | undefined }[] = []
  for (const name of manifestNamesOf(range)) {
    const bytes = await place.read(`${folder}/${name}`)
    if (bytes) found.push({ name, manifest: parseManifest(bytes) })
  }
  return found
}

/** Reads a shard's manifest; undefined if it is damaged, or its key is not that of its identity. */
export function parseManifest(bytes: Uint8Array): ShardManifest | undefined {
  try {
    const content: unknown = JSON.parse(Buffer.from(bytes).toString())
    const manifest = shardManifest.parse(content)
    return hashResultKey((content as ShardManifest).identity) === manifest.key
      ? manifest
      : undefined
  } catch {
    return undefined
  }
}

/** One model on one data set with one preprocessing: what results are found by, whose identity may change. */
export interface EvaluationId {
  model: string
  dataset: string
  preprocessing: string
}

/** Returns what an evaluation is found by. */
export const evaluationIdOf = ({
  identity: { model, dataset, preprocessing },
}: Pick<StoredEvaluation, 'identity'>): EvaluationId => ({ model, dataset, preprocessing })

export const evaluationIdText = ({ model, dataset, preprocessing }: EvaluationId): string =>
  JSON.stringify([model, dataset, preprocessing])

/** `00000000-00001024` */
export const rangeName = ({ start, end }: IndexRange): string =>
  `${String(start).padStart(8, '0')}-${String(end).padStart(8, '0')}`

/**
 * Returns the name of a shard's manifest: `00000000-00001024.json`, or `00000000-00001024.logits.json` if it keeps logits. Shards
 * that keep different outputs never take each other's name.
 */
export const manifestName = (span: IndexRange & { kept?: { output: KeptOutput } | undefined }) =>
  `${rangeName(span)}${span.kept ? `.${span.kept.output}` : ''}.json`

/** Returns the names that manifests of a range may have, whatever they keep. */
export const manifestNamesOf = ({ start, end }: IndexRange): string[] =>
  [undefined, ...keptOutputs].map(output =>
    manifestName({ start, end, kept: output && { output } }),
  )

/** The files that a manifest names. */
export const shardFileNames = ({ file, kept }: Pick<ShardManifest, 'file' | 'kept'>): string[] =>
  kept ? [file, kept.file] : [file]

const manifestPattern = new RegExp(`^(\\d{8,})-(\\d{8,})(\\.(${keptOutputs.join('|')}))?\\.json$`)

/** Returns the names of shard manifests among those of a folder's files, in order. */
export const manifestsAmong = (names: readonly string[]): string[] =>
  names.filter(name => manifestPattern.test(name)).sort()

function rangeOfManifest(name: string): IndexRange {
  const [, start, end] = manifestPattern.exec(name)!
  return { start: Number(start), end: Number(end) }
}

/**
 * Returns the ranges of most weight together that do not overlap, in order; by default a range weighs as much as it is long.
 * Evaluations at once may cut differently, and what one that was cut off has stored must not hide what another did whole.
 */
export function selectDisjoint<T extends IndexRange>(
  spans: readonly T[],
  weightOf = ({ start, end }: T): number => end - start,
): T[] {
  const sorted = [...spans].sort((a, b) => a.end - b.end || a.start - b.start)
  if (sorted.every(({ start }, i) => i === 0 || sorted[i - 1]!.end <= start)) return sorted
  const most = [0]
  const before: number[] = []
  for (const [i, span] of sorted.entries()) {
    let low = 0
    let high = i
    while (low < high) {
      const middle = (low + high) >> 1
      if (sorted[middle]!.end <= span.start) low = middle + 1
      else high = middle
    }
    before.push(low)
    most.push(Math.max(most[i]!, most[low]! + weightOf(span)))
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

/** Returns the parts of the data set's order that no shard at `place` covers, by the names of manifests. */
export const readMissingRanges = async (
  place: Storage,
  identity: ResultKey,
): Promise<IndexRange[]> =>
  findGaps(
    { shards: manifestsAmong(await place.list(evaluationPath(identity))).map(rangeOfManifest) },
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

/*
 * The order of writes is a promise: the Parquet file first, durably; then its manifest, which only one of several writers
 * can create. A shard without a manifest does not exist, and a manifest never names a file that may vanish: a file's name
 * holds a hash of its rows, so writers that disagree do not overwrite each other's.
 */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type GroupValue, type Sample } from '../datasets/dataset.ts'
import { currentMachine } from '../lib/machine.ts'
import { ownValue } from '../lib/ownValue.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { type Predictions } from './predictions.ts'
import { topCount } from './score.ts'
import { type IndexRange } from '../lib/ranges.ts'
import { jsonText } from '../lib/table/text.ts'
import {
  type ParquetColumn,
  quoteIdentifier,
  numberColumn,
  textColumn,
  writeParquet,
} from '../lib/sql.ts'
import { writeKeptOutputs } from './keptOutputs.ts'
import { type ResultKey, type KeptOutput, noAcceptedClass, type ShardManifest } from './schema.ts'
import {
  evaluationPath,
  shardFileNames,
  hashResultKey,
  manifestName,
  parseManifest,
  rangeName,
} from './store.ts'

export interface ShardRange extends IndexRange {
  identity: ResultKey
}

/**
 * Makes one model's outcomes for a shard durable, with the output that is to be kept; undefined where another writer has
 * committed the shard before. `all` are the data set's images, which say whether a grouping column holds numbers.
 */
export async function commitShard(
  place: Storage,
  shard: ShardRange,
  items: readonly Sample[],
  columns: readonly string[],
  outcomes: Predictions,
  seconds: number,
  {
    keep,
    rescored,
    all = items,
  }: { keep?: KeptOutput | undefined; rescored?: string; all?: readonly Sample[] } = {},
): Promise<ShardManifest | undefined> {
  const folder = evaluationPath(shard.identity)
  const stem = `${rangeName(shard)}-${contentHash(items, outcomes)}`
  const bytes = await place.put(`${folder}/${stem}.parquet`, temporary =>
    writeParquet(
      temporary,
      shardColumns(items, columns, outcomes, {
        numeric: numericColumns(all, columns),
        isScored: shard.identity.source !== 'features',
      }),
      projectionSql(columns),
    ),
  )
  const kept = keep &&
    outcomes.kept && { output: keep, file: `${stem}.${keep}.safetensors`, values: outcomes.kept }
  const keptBytes =
    kept &&
    (await place.put(`${folder}/${kept.file}`, to =>
      writeKeptOutputs(to, kept.output, kept.values, items.length),
    ))
  const manifest: ShardManifest = {
    ...{
      identity: shard.identity,
      key: hashResultKey(shard.identity),
      start: shard.start,
      end: shard.end,
      rows: items.length,
    },
    errors: outcomes.status.filter(status => status !== 'ok').length,
    ...{ file: `${stem}.parquet`, bytes },
    ...(kept && { kept: { output: kept.output, file: kept.file, bytes: keptBytes! } }),
    ...(rescored !== undefined && { rescored }),
    ...{ columns: [...columns], seconds, ...currentMachine(), created: new Date().toISOString() },
  }
  return (await commitManifest(place, folder, `${folder}/${manifestName(shard)}`, manifest))
    ? manifest
    : undefined
}

/** Creates the manifest, or replaces one that lacks what is to be kept; the files of the one that loses go. */
async function commitManifest(
  place: Storage,
  folder: string,
  name: string,
  manifest: ShardManifest,
): Promise<boolean> {
  const json = jsonText(manifest)
  if (await place.create(name, json)) return true
  const present = await place.read(name)
  if (!present) return commitManifest(place, folder, name, manifest)
  const before = parseManifest(present, `${place.url}/${name}`)
  const replaces = manifest.kept !== undefined && before.kept?.output !== manifest.kept.output
  if (replaces) await place.put(name, temporary => writeFile(temporary, json))
  const [loser, winner] = replaces ? [before, manifest] : [manifest, before]
  const named = shardFileNames(winner)
  for (const file of shardFileNames(loser))
    if (!named.includes(file)) await place.remove(`${folder}/${file}`)
  return replaces
}

function contentHash(
  items: readonly Sample[],
  { status, top5, probabilities, rank }: Predictions,
): string {
  const hash = createHash('sha256').update(JSON.stringify([items.map(({ id }) => id), status]))
  for (const { buffer, byteOffset, byteLength } of [top5, probabilities, rank])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  return hash.digest('hex').slice(0, 8)
}

function shardColumns(
  items: readonly Sample[],
  columns: readonly string[],
  { status, top5, probabilities, rank }: Predictions,
  { numeric, isScored }: { numeric: ReadonlySet<string>; isScored: boolean },
): ParquetColumn[] {
  const hasClass = items.map(({ labels }) => isScored && labels.length > 0)
  const scored = status.map((code, i) => code === 'ok' && hasClass[i]!)
  const within = (k: number) => scored.map((is, i) => (is ? rank[i]! >= 1 && rank[i]! <= k : null))
  const statusOf = (code: string, i: number) =>
    code === 'ok' && !hasClass[i]! ? noAcceptedClass : code
  return [
    textColumn('id', items, item => item.id),
    textColumn('label', items, item => item.label),
    textColumn('labels', items, item => item.labels.join(',')),
    ...topPositions.map((k): ParquetColumn => ({
      ...{
        name: `class ${k}`,
        type: 'INTEGER',
        values: status.map((_, i) => top5[i * topCount + k]!),
      },
    })),
    ...topPositions.map(k =>
      numberColumn(`probability ${k}`, status, (_, i) => probabilities[i * topCount + k]!),
    ),
    {
      name: 'rank',
      type: 'INTEGER',
      values: scored.map((is, i) => (is && rank[i]! > 0 ? rank[i]! : null)),
    },
    { name: 'correct1', type: 'BOOLEAN', values: within(1) },
    { name: 'correct5', type: 'BOOLEAN', values: within(topCount) },
    textColumn('status', status, statusOf),
    ...columns.map((name, i) =>
      groupColumn(`group ${i}`, groupValues(items, name), numeric.has(name)),
    ),
  ]
}

const groupValues = (items: readonly Sample[], name: string): GroupValue[] =>
  items.map(({ groups }) => ownValue(groups, name) ?? null)

const numericColumnsCache = new WeakMap<readonly Sample[], ReadonlySet<string>>()

/** Columns of numbers in the whole data set: were each shard to decide, one without any value would turn all into text. */
function numericColumns(items: readonly Sample[], columns: readonly string[]): ReadonlySet<string> {
  const made =
    numericColumnsCache.get(items) ??
    new Set(columns.filter(name => areNumbers(groupValues(items, name))))
  numericColumnsCache.set(items, made)
  return made
}

const areNumbers = (values: readonly GroupValue[]): boolean =>
  values.every(value => value === null || typeof value === 'number') &&
  values.some(value => value !== null)

function groupColumn(name: string, values: readonly GroupValue[], numeric: boolean): ParquetColumn {
  if (numeric) return { name, type: 'DOUBLE', values: values as readonly (number | null)[] }
  return textColumn(name, values, value => (value === null ? null : String(value)))
}

const topPositions = Array.from({ length: topCount }, (_, k) => k)

function projectionSql(columns: readonly string[]): string {
  const listed = (what: string): string =>
    `[${topPositions.map(k => quoteIdentifier(`${what} ${k}`)).join(', ')}]`
  const given = (what: string): string =>
    `list_filter(${listed(what)}, (x, i) -> ${listed('class')}[i] >= 0)`
  return [
    'id',
    'label',
    `CASE labels WHEN '' THEN []::INTEGER[] ELSE string_split(labels, ',')::INTEGER[] END AS labels`,
    `${given('class')}::INTEGER[] AS top5`,
    `${given('probability')}::FLOAT[] AS probabilities`,
    ...['rank', 'correct1', 'correct5', 'status'],
    ...columns.map((name, i) => `${quoteIdentifier(`group ${i}`)} AS ${quoteIdentifier(name)}`),
  ].join(', ')
}

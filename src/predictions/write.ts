/*
 * The order of writes is a promise: the Parquet file first, durably; then its manifest, which only one of several writers
 * can create. A shard without a manifest does not exist, and a manifest never names a file that may vanish: a file's name
 * holds a hash of its rows, so writers that disagree do not overwrite each other's.
 */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type GroupValue, type Item } from '../datasets/dataset.ts'
import { machine } from '../machine.ts'
import { type Place } from '../places/place.ts'
import { type Outcomes } from '../inference/messages.ts'
import { topCount } from '../inference/score.ts'
import { type Column, identifier, writeParquet } from '../sql.ts'
import { writeKept } from './kept.ts'
import { type Identity, type KeptOutput, noAcceptedClass, type ShardManifest } from './schema.ts'
import { entryName, filesOf, keyOf, manifestName, spanName } from './store.ts'

export interface Shard {
  identity: Identity
  /** Positions in the data set's order, end excluded. */
  start: number
  end: number
}

/**
 * Makes one model's outcomes for a shard durable, with the output that is to be kept; undefined where another writer has
 * committed the shard before.
 */
export async function commitShard(
  place: Place,
  shard: Shard,
  items: readonly Item[],
  columns: readonly string[],
  outcomes: Outcomes,
  seconds: number,
  { keep, rescored }: { keep?: KeptOutput; rescored?: string } = {},
): Promise<ShardManifest | undefined> {
  const folder = entryName(shard.identity)
  const stem = `${spanName(shard)}-${contentHash(items, outcomes)}`
  const bytes = await place.put(`${folder}/${stem}.parquet`, temporary =>
    writeParquet(temporary, flatColumns(items, columns, outcomes), projection(columns)),
  )
  const kept = keep && outcomes.kept && { output: keep, file: `${stem}.${keep}.safetensors`, values: outcomes.kept }
  const keptBytes =
    kept && (await place.put(`${folder}/${kept.file}`, to => writeKept(to, kept.output, kept.values, items.length)))
  const manifest: ShardManifest = {
    ...{ identity: shard.identity, key: keyOf(shard.identity), start: shard.start, end: shard.end, rows: items.length },
    errors: outcomes.status.filter(status => status !== 'ok').length,
    ...{ file: `${stem}.parquet`, bytes },
    ...(kept && { kept: { output: kept.output, file: kept.file, bytes: keptBytes! } }),
    ...(rescored !== undefined && { rescored }),
    ...{ columns: [...columns], seconds, ...machine(), created: new Date().toISOString() },
  }
  return (await commit(place, folder, `${folder}/${manifestName(shard)}`, manifest)) ? manifest : undefined
}

/** Creates the manifest, or replaces one that lacks what is to be kept; the files of the one that loses go. */
async function commit(place: Place, folder: string, name: string, manifest: ShardManifest): Promise<boolean> {
  const json = `${JSON.stringify(manifest, null, 2)}\n`
  if (await place.create(name, json)) return true
  const present = await place.read(name)
  if (!present) return commit(place, folder, name, manifest)
  const before = JSON.parse(Buffer.from(present).toString()) as ShardManifest
  const replaces = manifest.kept !== undefined && before.kept?.output !== manifest.kept.output
  if (replaces) await place.put(name, temporary => writeFile(temporary, json))
  const [loser, winner] = replaces ? [before, manifest] : [manifest, before]
  const named = filesOf(winner)
  for (const file of filesOf(loser)) if (!named.includes(file)) await place.remove(`${folder}/${file}`)
  return replaces
}

function contentHash(items: readonly Item[], { status, top5, probabilities, rank }: Outcomes): string {
  const hash = createHash('sha256').update(JSON.stringify([items.map(({ id }) => id), status]))
  for (const { buffer, byteOffset, byteLength } of [top5, probabilities, rank])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  return hash.digest('hex').slice(0, 8)
}

function flatColumns(
  items: readonly Item[],
  columns: readonly string[],
  { status, top5, probabilities, rank }: Outcomes,
): Column[] {
  const scored = status.map((code, i) => code === 'ok' && items[i]!.labels.length > 0)
  const within = (k: number) => scored.map((is, i) => (is ? rank[i]! >= 1 && rank[i]! <= k : null))
  const places = Array.from({ length: topCount }, (_, k) => k)
  return [
    { name: 'id', type: 'VARCHAR', values: items.map(item => item.id) },
    { name: 'label', type: 'VARCHAR', values: items.map(item => item.label) },
    { name: 'labels', type: 'VARCHAR', values: items.map(item => item.labels.join(',')) },
    ...places.map((k): Column => ({
      name: `t${k}`,
      type: 'INTEGER',
      values: status.map((_, i) => top5[i * topCount + k]!),
    })),
    ...places.map((k): Column => ({
      name: `p${k}`,
      type: 'DOUBLE',
      values: status.map((_, i) => probabilities[i * topCount + k]!),
    })),
    { name: 'rank', type: 'INTEGER', values: scored.map((is, i) => (is && rank[i]! > 0 ? rank[i]! : null)) },
    { name: 'correct1', type: 'BOOLEAN', values: within(1) },
    { name: 'correct5', type: 'BOOLEAN', values: within(topCount) },
    {
      name: 'status',
      type: 'VARCHAR',
      values: status.map((code, i) => (code === 'ok' && items[i]!.labels.length === 0 ? noAcceptedClass : code)),
    },
    ...columns.map(column =>
      groupColumn(
        column,
        items.map(item => item.groups[column] ?? null),
      ),
    ),
  ]
}

export function groupColumn(name: string, values: readonly GroupValue[]): Column {
  const numeric =
    values.every(value => value === null || typeof value === 'number') && values.some(value => value !== null)
  if (numeric) return { name, type: 'DOUBLE', values: values }
  return { name, type: 'VARCHAR', values: values.map(value => (value === null ? null : String(value))) }
}

function projection(columns: readonly string[]): string {
  const list = (prefix: string, type: string): string => {
    const places = Array.from({ length: topCount }, (_, k) => `${prefix}${k}`).join(', ')
    return `list_filter([${places}], (x, i) -> [${Array.from({ length: topCount }, (_, k) => `t${k}`).join(', ')}][i] >= 0)::${type}[]`
  }
  return [
    'id',
    'label',
    `CASE labels WHEN '' THEN []::INTEGER[] ELSE string_split(labels, ',')::INTEGER[] END AS labels`,
    `${list('t', 'INTEGER')} AS top5`,
    `${list('p', 'FLOAT')} AS probabilities`,
    ...['rank', 'correct1', 'correct5', 'status'],
    ...columns.map(identifier),
  ].join(', ')
}

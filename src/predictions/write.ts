/*
 * The order of writes is a promise: the Parquet file under a temporary name, fsync, rename, fsync of the folder; then
 * its manifest the same way. A shard without a manifest does not exist, and a manifest never names a file that may vanish.
 */
import { mkdir, stat } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { type GroupValue, type Item } from '../datasets/dataset.ts'
import { GeogapError } from '../errors.ts'
import { writeAtomically, writeDurably } from '../files.ts'
import { type Outcomes } from '../inference/messages.ts'
import { topCount } from '../inference/score.ts'
import { type Column, identifier, writeParquet } from '../sql.ts'
import { writeKept } from './kept.ts'
import { type Identity, type KeptOutput, noAcceptedClass, type ShardManifest } from './schema.ts'

export interface Shard {
  identity: Identity
  key: string
  /** Folder of this key's shards. */
  folder: string
  /** Positions in the data set's order, end excluded. */
  start: number
  end: number
}

/** Makes one model's outcomes for a shard durable, with the output that is to be kept. */
export async function commitShard(
  shard: Shard,
  items: readonly Item[],
  columns: readonly string[],
  outcomes: Outcomes,
  seconds: number,
  { keep, rescored }: { keep?: KeptOutput; rescored?: string } = {},
): Promise<ShardManifest> {
  const name = `${String(shard.start).padStart(8, '0')}-${String(shard.end).padStart(8, '0')}`
  const file = join(shard.folder, `${name}.parquet`)
  try {
    await mkdir(shard.folder, { recursive: true })
    await writeDurably(file, temporary =>
      writeParquet(temporary, flatColumns(items, columns, outcomes), projection(columns)),
    )
    const kept = keep && outcomes.kept && `${name}.${keep}.safetensors`
    if (kept) await writeKept(join(shard.folder, kept), keep, outcomes.kept!, items.length)
    const manifest: ShardManifest = {
      identity: shard.identity,
      key: shard.key,
      start: shard.start,
      end: shard.end,
      rows: items.length,
      errors: outcomes.status.filter(status => status !== 'ok').length,
      file: `${name}.parquet`,
      bytes: (await stat(file)).size,
      ...(kept && { kept: { output: keep, file: kept, bytes: (await stat(join(shard.folder, kept))).size } }),
      ...(rescored !== undefined && { rescored }),
      columns: [...columns],
      seconds,
      machine: `${process.platform} ${process.arch}, ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
      created: new Date().toISOString(),
    }
    const json = `${JSON.stringify(manifest, null, 2)}\n`
    await writeAtomically(join(shard.folder, `${name}.json`), handle => handle.writeFile(json))
    return manifest
  } catch (error) {
    throw storageError(file, error)
  }
}

/** What could not be written, in one line: `cannot write FILE: no space left on the device`. */
export function storageError(file: string, error: unknown): GeogapError {
  if (error instanceof GeogapError && error.kind === 'storage') return error
  const text = error instanceof Error ? error.message : String(error)
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const full = code === 'ENOSPC' || /no space left/i.test(text)
  const reason = full ? 'no space left on the device' : text.split('\n')[0]!
  return new GeogapError('storage', full ? 'disk-full' : 'write-failed', `cannot write ${file}: ${reason}`, {
    cause: error,
  })
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

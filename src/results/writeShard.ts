/*
 * Writes shards. The Parquet file is made durable first; then its manifest is created, which only one of several writers can do. A
 * shard without a manifest does not exist. Data files have unique names, so that no writer overwrites or removes a file that
 * another one is about to commit.
 */
import { targetProbabilityColumn } from '../datasets/build.ts'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Dataset, type GroupValue, type Sample } from '../datasets/dataset.ts'
import { currentMachine } from '../lib/machine.ts'
import { ownValue } from '../lib/ownValue.ts'
import { type IndexRange } from '../lib/ranges.ts'
import {
  numberColumn,
  type ParquetColumn,
  quoteIdentifier,
  textColumn,
  writeParquet,
} from '../lib/sql.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { jsonText } from '../lib/table/text.ts'
import { writeKeptOutputs } from './keptOutputs.ts'
import { type Predictions, topCount } from './predictions.ts'
import {
  isOfCounts,
  knowsFirstAlone,
  type KeptOutput,
  noAcceptedClass,
  type ResultKey,
  type ShardManifest,
} from './schema.ts'
import {
  evaluationPath,
  hashResultKey,
  manifestName,
  parseManifest,
  readManifests,
  rangeName,
  shardFileNames,
} from './storedEvaluations.ts'

/** One model's predictions for a range of a data set, ready to be stored. */
export interface ShardContent extends IndexRange {
  identity: ResultKey
  /** The whole data set: all its samples decide whether a grouping column holds numbers. */
  dataset: Pick<Dataset, 'samples' | 'columns'>
  predictions: Predictions
  /** Computing time. */
  seconds: number
  /** The output to store beside the rows. */
  keep?: KeptOutput | undefined
  /** Whether a stored shard with another kept output is replaced. */
  replace?: boolean | undefined
  /** Key of the evaluation whose kept outputs the rows were scored from. */
  rescored?: string
  /** Number of the evaluation that computes the shard. */
  generation?: number | undefined
}

/** Makes a shard durable. Returns its manifest, or undefined if another writer has committed the shard before. */
export async function commitShard(
  place: Storage,
  content: ShardContent,
): Promise<ShardManifest | undefined> {
  const { identity, start, end, dataset, predictions, seconds, keep } = content
  const { columns } = dataset
  const writer = `${content.generation ?? 'worker'}-${randomBytes(4).toString('hex')}`
  const stem = `${evaluationPath(identity)}/${rangeName(content)}-${writer}`
  const file = `${stem}.parquet`
  const table = shardTable(content)
  const bytes = await place.put(file, temporary =>
    writeParquet(temporary, table.columns, table.projection),
  )
  const manifest: ShardManifest = {
    identity,
    key: hashResultKey(identity),
    start,
    end,
    rows: end - start,
    errors: predictions.status.filter(status => status !== 'ok').length,
    file: basename(file),
    bytes,
    kept: keep && (await putKeptOutputs(place, `${stem}.${keep}.safetensors`, content)),
    rescored: content.rescored,
    generation: content.generation,
    columns: [...columns],
    seconds,
    ...currentMachine(),
    created: new Date().toISOString(),
  }
  return (await commitManifest(place, manifest, content.replace)) ? manifest : undefined
}

async function putKeptOutputs(
  place: Storage,
  file: string,
  { predictions: { kept }, keep, start, end }: ShardContent,
): Promise<ShardManifest['kept']> {
  if (!kept || !keep) return undefined
  const bytes = await place.put(file, temporary =>
    writeKeptOutputs(temporary, keep, { values: kept, width: kept.length / (end - start) }),
  )
  return { output: keep, file: basename(file), bytes }
}

/**
 * Creates the manifest, or replaces a damaged one, and returns whether it is stored. Then removes the shards that it replaces: those of
 * the same range without a kept output and, with `replace`, with another kind of output. Shards that others store meanwhile stay.
 */
async function commitManifest(
  place: Storage,
  manifest: ShardManifest,
  replace = false,
): Promise<boolean> {
  const folder = evaluationPath(manifest.identity)
  const name = manifestName(manifest)
  const before = await readManifests(place, folder, manifest)
  const output = manifest.kept?.output
  const isHeld = before.some(
    one => one.manifest && (!output || one.manifest.kept?.output === output),
  )
  if (isHeld || !(await createManifest(place, `${folder}/${name}`, manifest))) {
    for (const file of shardFileNames(manifest)) await place.remove(`${folder}/${file}`)
    return false
  }
  for (const other of before) {
    const isReplaced = other.name !== name && (replace || !other.manifest?.kept)
    const files = [other.name, ...(other.manifest ? shardFileNames(other.manifest) : [])]
    if (isReplaced) for (const file of files) await place.remove(`${folder}/${file}`)
  }
  return true
}

/** Creates a manifest, or replaces a damaged one; returns false if another writer has committed the shard. */
async function createManifest(
  place: Storage,
  name: string,
  manifest: ShardManifest,
): Promise<boolean> {
  const json = jsonText(manifest)
  let present: Uint8Array | undefined
  while (!present) {
    if (await place.create(name, json)) return true
    present = await place.read(name)
  }
  if (parseManifest(present)) return false
  await place.put(name, temporary => writeFile(temporary, json))
  return true
}

/** The flat columns of a shard, and the SELECT list that makes the stored ones of them. */
interface ShardTable {
  columns: ParquetColumn[]
  projection: string
}

function shardTable({
  identity,
  start,
  end,
  dataset: { samples, columns },
  predictions: { status, top5, probabilities, rank, targetProbability },
}: ShardContent): ShardTable {
  const items = samples.slice(start, end)
  const numeric = numericColumns(samples, columns)
  const hasClass = items.map(({ labels }) => identity.source !== 'features' && labels.length > 0)
  const scored = status.map((code, i) => code === 'ok' && hasClass[i]!)
  const within = (k: number) => scored.map((is, i) => (is ? rank[i]! >= 1 && rank[i]! <= k : null))
  const isCounted = isOfCounts(identity)
  const within5 = within(topCount)
  const statuses = status.map((code, i) =>
    code === 'ok' && !hasClass[i]! ? noAcceptedClass : code,
  )
  const labels = labelColumns(items)
  const stored = statusColumn(statuses)
  const isComplete = top5.every(index => index >= 0) && !probabilities.some(Number.isNaN)
  return {
    columns: [
      textColumn('id', items, item => item.id),
      textColumn('label', items, item => item.label || null),
      ...labels.columns,
      ...topPositions.map((k): ParquetColumn => ({
        name: `class ${k}`,
        type: 'INTEGER',
        values: status.map((_, i) => top5[i * topCount + k]!),
      })),
      ...topPositions.map(k =>
        numberColumn(`probability ${k}`, status, (_, i) =>
          nullIfNaN(probabilities[i * topCount + k]!),
        ),
      ),
      {
        name: 'rank',
        type: 'INTEGER',
        values: scored.map((is, i) => (is && rank[i]! > 0 && !isCounted ? rank[i]! : null)),
      },
      numberColumn(targetProbabilityColumn, scored, (is, i) =>
        is ? nullIfNaN(targetProbability[i]!) : null,
      ),
      { name: 'correct1', type: 'BOOLEAN', values: within(1) },
      {
        name: 'correct5',
        type: 'BOOLEAN',
        // Rank 0 says here that only the first answer is known.
        values: knowsFirstAlone(identity)
          ? within5.map((is, i) => (rank[i] === 0 ? null : is))
          : within5,
      },
      ...stored.columns,
      ...columns.map((name, i) =>
        groupColumn(`group ${i}`, groupValues(items, name), numeric.has(name)),
      ),
    ],
    projection: projectionSql({ columns, labels: labels.sql, status: stored.sql, isComplete }),
  }
}

/** Returns the column of the statuses and its SQL; no column where all are equal, which nearly always are `ok`. */
function statusColumn(statuses: readonly string[]): { columns: ParquetColumn[]; sql: string } {
  const [first] = statuses
  if (first !== undefined && /^[\w-]+$/.test(first) && statuses.every(code => code === first))
    return { columns: [], sql: `'${first}'` }
  return { columns: [textColumn('status', statuses, code => code)], sql: 'status' }
}

/** Largest number of accepted classes that are stored from a column each. */
const maxLabelColumns = 8

/** Returns the columns of the accepted classes and the SQL of their list. Numbers cost half of a text that is split. */
function labelColumns(items: readonly Sample[]): { columns: ParquetColumn[]; sql: string } {
  const count = items[0]?.labels.length ?? 0
  if (count === 0 || count > maxLabelColumns || items.some(({ labels }) => labels.length !== count))
    return {
      columns: [textColumn('labels', items, item => item.labels.join(','))],
      sql: `CASE labels WHEN '' THEN []::INTEGER[] ELSE string_split(labels, ',')::INTEGER[] END`,
    }
  const columns = Array.from({ length: count }, (_, at): ParquetColumn => ({
    name: `label ${at}`,
    type: 'INTEGER',
    values: items.map(({ labels }) => labels[at]!),
  }))
  return { columns, sql: `[${columns.map(({ name }) => quoteIdentifier(name)).join(', ')}]` }
}

const nullIfNaN = (value: number): number | null => (Number.isNaN(value) ? null : value)

const groupValues = (items: readonly Sample[], name: string): GroupValue[] =>
  items.map(({ groups }) => ownValue(groups, name) ?? null)

const numericColumnsCache = new WeakMap<readonly Sample[], ReadonlySet<string>>()

/** Returns the columns of numbers. If each shard decided for itself, one without any value would turn the column into text. */
function numericColumns(items: readonly Sample[], columns: readonly string[]): ReadonlySet<string> {
  const made =
    numericColumnsCache.get(items) ?? new Set(columns.filter(name => holdsNumbers(items, name)))
  numericColumnsCache.set(items, made)
  return made
}

/** Whether a column has a number, and no text. Stops at the first text, for a data set may have millions of samples. */
function holdsNumbers(items: readonly Sample[], name: string): boolean {
  let hasNumber = false
  for (const { groups } of items) {
    const value = ownValue(groups, name) ?? null
    if (typeof value === 'string') return false
    hasNumber ||= value !== null
  }
  return hasNumber
}

function groupColumn(name: string, values: readonly GroupValue[], numeric: boolean): ParquetColumn {
  if (numeric) return { name, type: 'DOUBLE', values: values as readonly (number | null)[] }
  return textColumn(name, values, value => (value === null ? null : String(value)))
}

const topPositions = Array.from({ length: topCount }, (_, k) => k)

/** `isComplete` says that every image has all first classes, with known probabilities. */
function projectionSql({
  columns,
  labels,
  status,
  isComplete,
}: {
  columns: readonly string[]
  labels: string
  status: string
  isComplete: boolean
}): string {
  const listed = (what: string): string =>
    `[${topPositions.map(k => quoteIdentifier(`${what} ${k}`)).join(', ')}]`
  const given = (what: string): string =>
    isComplete
      ? listed(what)
      : `list_filter(${listed(what)}, (x, i) -> ${listed('class')}[i] >= 0 AND x IS NOT NULL)`
  return [
    'id',
    'label',
    `${labels} AS labels`,
    `${given('class')}::INTEGER[] AS top5`,
    `${given('probability')}::FLOAT[] AS probabilities`,
    'rank',
    `${targetProbabilityColumn}::FLOAT AS ${targetProbabilityColumn}`,
    'correct1',
    'correct5',
    `${status} AS status`,
    ...columns.map((name, i) => `${quoteIdentifier(`group ${i}`)} AS ${quoteIdentifier(name)}`),
  ].join(', ')
}

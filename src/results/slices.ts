/*
 * A slice is a list of images, `slice.csv`, to relabel, to inspect, or to exclude from an analysis. To exclude images, filtered copies of the
 * rows are written to a temporary folder under a key of their own, which every analysis reads like stored results.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { groupByKey } from '../lib/tally.ts'
import { readTable } from '../datasets/readTable.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { unescapeFormula } from '../lib/table/text.ts'
import { tempDir } from '../lib/tempDir.ts'
import { sha256 } from '../lib/hash.ts'
import { copyQueryToParquet, quoteIdentifier, literalPath, parquetRows, query } from '../lib/sql.ts'
import { type DatasetRecord } from './records.ts'
import { failedSql, isOfCounts, type ResultKey } from './schema.ts'
import { type StoredEvaluation, hashResultKey, shardPaths } from './storedEvaluations.ts'

/** A row of `slice.csv`; its columns, in this order. */
export interface SliceRow {
  dataset: string
  id: string
  label: string
  /** The class that the model gave first, by name where the data set's classes are known. */
  prediction: string | null
  region: string | null
  country: string | null
  model: string
}

export interface SliceQuery {
  /** Only images whose first class was right, or wrong; images without an outcome are neither. */
  right?: boolean
  /** Values of grouping columns, or of `label`. */
  where?: Readonly<Record<string, string>>
}

/** The images of one evaluation that fit, by id. Errors: unknown-column. */
export async function selectSlice(
  entry: StoredEvaluation,
  note: DatasetRecord | undefined,
  { right, where = {} }: SliceQuery,
): Promise<SliceRow[]> {
  const { columns } = entry.shards[0]!
  if (isOfCounts(entry.identity))
    throw inputError(
      'no-images',
      `${entry.identity.model} on ${entry.identity.dataset} is counts by group, without single images to list`,
    )
  for (const column of Object.keys(where))
    if (column !== 'label' && !columns.includes(column))
      throw unknownNameError('column', column, ['label', ...columns])
  const place = (name: string): string =>
    columns.includes(name) ? `${quoteIdentifier(name)}::VARCHAR` : 'NULL::VARCHAR'
  const conditions = Object.keys(where).map(
    (column, i) => `${quoteIdentifier(column)}::VARCHAR = $${i + 2}`,
  )
  if (right !== undefined) conditions.push(right ? 'correct1' : 'NOT correct1')
  const found = await query<
    Omit<SliceRow, 'dataset' | 'prediction' | 'model'> & { first: number | null }
  >(
    `SELECT id, label, top5[1] AS first, ${place('region')} AS region, ${place('country')} AS country
     FROM ${parquetRows()} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY id`,
    [shardPaths(entry), ...Object.values(where)],
  )
  const { dataset, model } = entry.identity
  return found.map(({ id, label, first, region, country }) => ({
    dataset,
    id,
    label,
    prediction: first === null ? null : (note?.classes[first] ?? String(first)),
    region,
    country,
    model,
  }))
}

/** Every value of a grouping column, or of `label`, of the evaluations that have it. */
export async function distinctColumnValues(
  entries: readonly StoredEvaluation[],
  column: string,
): Promise<string[]> {
  const files = entries
    .filter(({ shards }) => column === 'label' || shards[0]!.columns.includes(column))
    .flatMap(shardPaths)
  const found = await query<{ value: string | null }>(
    `SELECT DISTINCT ${quoteIdentifier(column)}::VARCHAR AS value FROM ${parquetRows()} ORDER BY value`,
    [files],
  )
  return found.flatMap(({ value }) => value ?? [])
}

/** Images to leave out, by data set, and what the record says of them. */
export interface Exclusion {
  images: ReadonlyMap<string, readonly string[]>
  file: string
  /** First digits of the file's SHA-256. */
  hash: string
}

/** Reads `dataset` and `id` of a slice; a listed image is left out for every model. Errors: missing-file, bad-slice. */
export async function readExclusion(file: string): Promise<Exclusion> {
  const { columns, rows } = await readTable(file)
  if (!columns.includes('dataset') || !columns.includes('id'))
    throw inputError(
      'bad-slice',
      `not a slice: ${file} has no columns dataset and id but ${columns.join(', ')}`,
    )
  const listed = rows.map(({ dataset, id }) => ({
    dataset: unescapeFormula(String(dataset)),
    id: unescapeFormula(String(id)),
  }))
  const images = new Map(
    [...groupByKey(listed, row => row.dataset)].map(([name, own]) => [
      name,
      own.map(({ id }) => id),
    ]),
  )
  return { images, file, hash: sha256(await readFile(file), 16) }
}

/** The evaluations without the listed images. Errors: nothing-excluded, all-excluded. */
export async function excludeImages(
  entries: readonly StoredEvaluation[],
  exclusion: Exclusion,
): Promise<StoredEvaluation[]> {
  const folder = tempDir()
  const left: StoredEvaluation[] = []
  for (const [i, entry] of entries.entries())
    left.push(await excludeFromEvaluation(entry, exclusion, join(folder, String(i))))
  if (left.every((entry, i) => entry === entries[i]))
    throw inputError('nothing-excluded', `no image of ${exclusion.file} is among the results`)
  return left
}

/** What a reader has to know of images that were left out, a sentence a data set. */
export const exclusionNotes = (entries: readonly StoredEvaluation[]): string[] => [
  ...new Set(
    entries.flatMap(({ identity: { dataset, excluded } }) =>
      excluded === undefined ? [] : `Left out of ${dataset}: ${excluded}.`,
    ),
  ),
]

async function excludeFromEvaluation(
  entry: StoredEvaluation,
  exclusion: Exclusion,
  folder: string,
): Promise<StoredEvaluation> {
  const ids = exclusion.images.get(entry.identity.dataset)
  if (!ids) return entry
  const file = 'rows.parquet'
  const target = join(folder, file)
  await mkdir(folder)
  await copyQueryToParquet(
    target,
    `SELECT * FROM ${parquetRows()} WHERE NOT list_contains($2, id)`,
    [shardPaths(entry), ids],
  )
  const [counts] = await query<{ rows: number; errors: number }>(
    `SELECT count(*)::DOUBLE AS rows, count_if(${failedSql})::DOUBLE AS errors FROM ${parquetRows()}`,
    [literalPath(target)],
  )
  const { rows, errors } = counts!
  const gone = entry.rows - rows
  if (gone === 0) return entry
  if (rows === 0)
    throw inputError(
      'all-excluded',
      `${exclusion.file} lists every image of ${entry.identity.dataset}`,
    )
  const listed = new Set(ids).size
  const excluded = `${gone < listed ? `${gone} of ${listed}` : gone} images of a slice, SHA-256 ${exclusion.hash}`
  const identity: ResultKey = { ...entry.identity, images: entry.identity.images - gone, excluded }
  const shard = {
    ...entry.shards[0]!,
    identity,
    key: hashResultKey(identity),
    start: 0,
    end: rows,
    rows,
    errors,
    file,
  }
  return { ...entry, identity, key: shard.key, folder, shards: [shard], rows }
}

/** Finds shards that cannot be read although their files have the right size. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { predictionColumns, targetProbabilityColumn } from '../datasets/build.ts'
import { literalPath, query, quoteIdentifier } from '../lib/sql.ts'
import { rowsWithTarget } from './outcomeMetrics.ts'
import { type StoredEvaluation } from './storedEvaluations.ts'

/** Returns an evaluation without the shards that cannot be read, which count as damaged. Reads every value of every shard. */
export async function withoutUnreadableShards(entry: StoredEvaluation): Promise<StoredEvaluation> {
  const paths = entry.shards.map(({ file }) => join(entry.folder, file))
  const columns = entry.shards[0]?.columns ?? []
  if (paths.length === 0 || (await countReadableRows(paths, columns)) === entry.rows) return entry
  const shards: StoredEvaluation['shards'] = []
  const damaged = [...entry.damaged]
  for (const [i, shard] of entry.shards.entries()) {
    const path = paths[i]!
    const count = await countReadableRows([path], shard.columns)
    if (count === shard.rows) shards.push(shard)
    else {
      const reason =
        count === null
          ? `${path} cannot be read`
          : `${path} has ${count} rows instead of ${shard.rows}`
      damaged.push({ start: shard.start, end: shard.end, reason, manifest: shard })
    }
  }
  return { ...entry, shards, damaged, rows: shards.reduce((sum, { rows }) => sum + rows, 0) }
}

/**
 * Returns whether the files of all shards have the columns of their manifests. Reads the schemas of the files alone. Errors:
 * query-failed for a file that is not Parquet.
 */
export async function haveListedColumns(entries: readonly StoredEvaluation[]): Promise<boolean> {
  const shards = entries.flatMap(({ folder, shards }) =>
    shards.map(({ file, columns }) => ({ path: join(folder, file), columns })),
  )
  if (shards.length === 0) return true
  const rows = await query<{ file: string; names: string[] }>(
    'SELECT file_name AS file, list(name) AS names FROM parquet_schema($1) GROUP BY 1',
    [shards.map(({ path }) => literalPath(path))],
  )
  const names = new Map(rows.map(({ file, names }) => [file, names]))
  return shards.every(({ path, columns }) =>
    columns.every(column => names.get(path)?.includes(column)),
  )
}

/**
 * Returns the number of rows; null if their content cannot be decoded or lacks a column. A file that cannot be read at all is an
 * error.
 */
async function countReadableRows(
  paths: readonly string[],
  columns: readonly string[],
): Promise<number | null> {
  const read = [...predictionColumns, targetProbabilityColumn, ...columns]
    .map(quoteIdentifier)
    .join(', ')
  try {
    const [found] = await query<{ n: number }>(
      `SELECT count(*)::DOUBLE AS n, max(hash(${read})) FROM ${rowsWithTarget}`,
      [paths.map(literalPath)],
    )
    return found!.n
  } catch {
    for (const path of paths) await readFile(path)
    return null
  }
}

import { GeogapError } from './errors.ts'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'

/** A value bound to a query; a list of texts becomes VARCHAR[]. */
export type Bound = DuckDBValue | readonly string[]

let shared: Promise<DuckDBConnection> | undefined

/** One in-memory DuckDB for the process. Extensions are never downloaded or loaded from outside the library. */
async function connect(): Promise<DuckDBConnection> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const database = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  return database.connect()
}

/** Rows and column names (in order) of `sql`, with `params` bound to `$1`, `$2`, …; a failure carries the SQL. */
export async function select(
  sql: string,
  params: readonly Bound[] = [],
): Promise<{ columns: string[]; rows: Record<string, unknown>[] }> {
  const connection = await (shared ??= connect())
  const { listValue } = await import('@duckdb/node-api')
  const values = params.map(value => (Array.isArray(value) ? listValue(value as string[]) : (value as DuckDBValue)))
  try {
    const reader = await connection.runAndReadAll(sql, values)
    return { columns: reader.columnNames(), rows: reader.getRowObjectsJS() }
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split('\n')
    throw new GeogapError(
      'data',
      'query-failed',
      `${reason ?? 'query failed'} in: ${sql.replace(/\s+/g, ' ').trim()}`,
      {
        cause: error,
      },
    )
  }
}

/** The rows of `sql` alone; the caller states their type. */
export async function query<Row>(sql: string, params: readonly Bound[] = []): Promise<Row[]> {
  return (await select(sql, params)).rows as Row[]
}

/** A path as DuckDB's file readers take it: they expand `*`, `?` and `[`, which are plain characters in a file name. */
export const literalPath = (path: string): string => path.replace(/[*?[]/g, '[$&]')

export type Column =
  | { name: string; type: 'VARCHAR'; values: readonly (string | null)[] }
  | { name: string; type: 'DOUBLE' | 'INTEGER'; values: readonly (number | null)[] }
  | { name: string; type: 'BOOLEAN'; values: readonly (boolean | null)[] }

const chunkRows = 2048
let tables = 0

/**
 * Writes flat columns of equal length as a Parquet file through `projection`, a SELECT list over their names. Returns when
 * DuckDB has closed the file; making it durable is the caller's.
 */
export async function writeParquet(file: string, columns: readonly Column[], projection = '*'): Promise<void> {
  const { DuckDBDataChunk, BOOLEAN, DOUBLE, INTEGER, VARCHAR } = await import('@duckdb/node-api')
  const types = { VARCHAR, DOUBLE, INTEGER, BOOLEAN }
  const connection = await (shared ??= connect())
  const table = `columns_${process.pid}_${tables++}`
  const definition = columns.map(({ name, type }) => `${identifier(name)} ${type}`).join(', ')
  await select(`CREATE TEMP TABLE ${table} (${definition})`)
  try {
    const appender = await connection.createAppender(table)
    const rows = columns[0]?.values.length ?? 0
    for (let first = 0; first < rows; first += chunkRows) {
      const chunk = DuckDBDataChunk.create(
        columns.map(({ type }) => types[type]),
        Math.min(chunkRows, rows - first),
      )
      chunk.setColumns(columns.map(({ values }) => values.slice(first, first + chunkRows)))
      appender.appendDataChunk(chunk)
    }
    appender.closeSync()
    await select(`COPY (SELECT ${projection} FROM ${table}) TO ${text(file)} (FORMAT parquet, COMPRESSION zstd)`)
  } finally {
    await select(`DROP TABLE IF EXISTS ${table}`)
  }
}

/** A column or table name, quoted. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

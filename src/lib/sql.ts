import { GeogapError } from './errors.ts'
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api'

/** A value bound to a query; a list of texts becomes VARCHAR[]. */
export type SqlParameter = DuckDBValue | readonly string[]

let database: Promise<DuckDBInstance> | undefined

/** One in-memory DuckDB for the process. Extensions are never downloaded or loaded from outside the library. */
async function openDatabase(): Promise<DuckDBInstance> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  return DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
}

/** Gives `work` a connection of its own: queries that overlap on one connection close each other's results. */
async function withConnection<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const connection = await (await (database ??= openDatabase())).connect()
  try {
    return await work(connection)
  } finally {
    connection.closeSync()
  }
}

async function runQuery(
  connection: DuckDBConnection,
  sql: string,
  params: readonly SqlParameter[] = [],
) {
  const { listValue } = await import('@duckdb/node-api')
  const values = params.map(value =>
    Array.isArray(value) ? listValue(value as string[]) : (value as DuckDBValue),
  )
  try {
    return await connection.runAndReadAll(sql, values)
  } catch (cause) {
    const [reason = 'query failed'] = String(cause instanceof Error ? cause.message : cause).split(
      '\n',
    )
    const message = `${reason} in: ${sql.replace(/\s+/g, ' ').trim()}`
    throw new GeogapError('data', 'query-failed', message, { cause })
  }
}

/** Rows and column names (in order) of `sql`, with `params` bound to `$1`, `$2`, …; a failure carries the SQL. */
export function select(
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<{ columns: string[]; rows: Record<string, unknown>[] }> {
  return withConnection(async connection => {
    const reader = await runQuery(connection, sql, params)
    return { columns: reader.columnNames(), rows: reader.getRowObjectsJS() }
  })
}

/** The rows of `sql` alone; the caller states their type. */
export async function query<Row>(
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<Row[]> {
  return (await select(sql, params)).rows as Row[]
}

/** The values of `sql`, column by column in its order: cheaper than rows where there are many. */
export function queryColumns(
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<unknown[][]> {
  return withConnection(async connection =>
    (await runQuery(connection, sql, params)).getColumnsJS(),
  )
}

/** A path as DuckDB's file readers take it: they expand `*`, `?` and `[`, which are plain characters in a file name. */
export const literalPath = (path: string): string => path.replace(/[*?[]/g, '[$&]')

/**
 * The rows of the Parquet files that are bound to `$n`, with further options. Folders called `name=value` add no columns,
 * which DuckDB would let hide the files' own.
 */
export const parquetRows = (n = 1, ...options: string[]): string =>
  `read_parquet($${n}, ${['hive_partitioning = false', ...options].join(', ')})`

export type ParquetColumn =
  | { name: string; type: 'VARCHAR'; values: readonly (string | null)[] }
  | { name: string; type: 'DOUBLE' | 'INTEGER'; values: readonly (number | null)[] }
  | { name: string; type: 'BOOLEAN'; values: readonly (boolean | null)[] }

/** A column of texts, one a row. */
export const textColumn = <T>(
  name: string,
  rows: readonly T[],
  of: (row: T, i: number) => string | null,
): ParquetColumn => ({
  ...{ name, type: 'VARCHAR', values: rows.map(of) },
})

/** A column of numbers, one a row. */
export const numberColumn = <T>(
  name: string,
  rows: readonly T[],
  of: (row: T, i: number) => number | null,
): ParquetColumn => ({
  ...{ name, type: 'DOUBLE', values: rows.map(of) },
})

const chunkRows = 2048

/**
 * Writes flat columns of equal length as a Parquet file through `projection`, a SELECT list over their names. Returns when
 * DuckDB has closed the file; making it durable is the caller's.
 */
export async function writeParquet(
  file: string,
  columns: readonly ParquetColumn[],
  projection = '*',
): Promise<void> {
  const { DuckDBDataChunk, BOOLEAN, DOUBLE, INTEGER, VARCHAR } = await import('@duckdb/node-api')
  const types = { VARCHAR, DOUBLE, INTEGER, BOOLEAN }
  const definition = columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`).join(', ')
  await withConnection(async connection => {
    await runQuery(connection, `CREATE TEMP TABLE flat_columns (${definition})`)
    const appender = await connection.createAppender('flat_columns')
    const rows = columns[0]?.values.length ?? 0
    for (let first = 0; first < rows; first += chunkRows) {
      const size = Math.min(chunkRows, rows - first)
      const chunk = DuckDBDataChunk.create(
        columns.map(({ type }) => types[type]),
        size,
      )
      chunk.setColumns(columns.map(({ values }) => values.slice(first, first + size)))
      appender.appendDataChunk(chunk)
    }
    appender.closeSync()
    await copyToParquet(connection, file, `SELECT ${projection} FROM flat_columns`)
  })
}

/** Writes the rows of `sql`, with `params` bound, as a Parquet file. */
export const copyQueryToParquet = (
  file: string,
  sql: string,
  params: readonly SqlParameter[],
): Promise<void> => withConnection(connection => copyToParquet(connection, file, sql, params))

async function copyToParquet(
  connection: DuckDBConnection,
  file: string,
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<void> {
  const target = `'${file.replaceAll("'", "''")}'`
  await runQuery(
    connection,
    `COPY (${sql}) TO ${target} (FORMAT parquet, COMPRESSION zstd)`,
    params,
  )
}

/** A column or table name, quoted. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

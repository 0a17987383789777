import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dataError, firstLine, type GeogapError } from './errors.ts'
import { memoize } from './memoize.ts'
import type * as DuckDB from '@duckdb/node-api'
import type {
  DuckDBConnection,
  DuckDBInstance,
  DuckDBListVector,
  DuckDBResultReader,
  DuckDBValue,
} from '@duckdb/node-api'

const require = createRequire(import.meta.url)

/** Loads DuckDB's library. An import would parse its 120 CommonJS files once more for the names of their exports: 0.13 s. */
const loadDuckDB = (): Promise<typeof DuckDB> =>
  Promise.resolve(require('@duckdb/node-api') as typeof DuckDB)

/** A value bound to a query; a list of texts becomes VARCHAR[]. */
export type SqlParameter = DuckDBValue | readonly string[]

/** Opens an in-memory DuckDB for the life of the process. Extensions are never downloaded or loaded from outside the library. */
const openDatabase = memoize(async (threads: 'one' | 'all'): Promise<DuckDBInstance> => {
  const { DuckDBInstance } = await loadDuckDB()
  const settings = threads === 'one' ? { threads: '1' } : {}
  return DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...settings,
  })
})

/** Gives `work` a connection of its own: queries that overlap on one connection close each other's results. */
async function withConnection<T>(
  work: (connection: DuckDBConnection) => Promise<T>,
  threads: 'one' | 'all' = 'all',
): Promise<T> {
  const connection = await (await openDatabase(threads)).connect()
  try {
    return await work(connection)
  } finally {
    connection.closeSync()
  }
}

const runQuery = (
  connection: DuckDBConnection,
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<DuckDBResultReader> =>
  withSqlInErrors(sql, async () => connection.runAndReadAll(sql, await boundValues(params)))

async function boundValues(params: readonly SqlParameter[]): Promise<DuckDBValue[]> {
  const { listValue } = await loadDuckDB()
  return params.map(value =>
    Array.isArray(value) ? listValue(value as string[]) : (value as DuckDBValue),
  )
}

async function withSqlInErrors<T>(sql: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const message = `${firstLine(cause)} in: ${sql.replace(/\s+/g, ' ').trim()}`
    throw dataError('query-failed', message, cause)
  }
}

/** Returns rows and column names (in order) of `sql`, with `params` bound to `$1`, `$2`, …; an error carries the SQL. */
export function select(
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<{ columns: string[]; rows: Record<string, unknown>[] }> {
  return withConnection(async connection => {
    const reader = await runQuery(connection, sql, params)
    const columns = reader.columnNames()
    // The library assigns cells to a plain object, where a column called __proto__ is no property.
    const rows = columns.includes('__proto__')
      ? reader.getRowsJS().map(row => Object.fromEntries(columns.map((name, i) => [name, row[i]])))
      : reader.getRowObjectsJS()
    return { columns, rows }
  })
}

/** Returns the rows of `sql`; the caller states their type. */
export async function query<Row>(
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<Row[]> {
  return (await select(sql, params)).rows as Row[]
}

/**
 * Returns rows and column names of `sql` over a Parquet file that a person gave, bound to `$1`, with `more` from `$2` on.
 * @throws GeogapError `damaged-archive`, which says what to do
 */
export const selectFromFile = (
  file: string,
  sql: string,
  ...more: readonly SqlParameter[]
): Promise<{ columns: string[]; rows: Record<string, unknown>[] }> =>
  select(sql, [literalPath(file), ...more]).catch((error: unknown) => {
    throw fileError(file, (error as Error).cause)
  })

function fileError(file: string, cause: unknown): GeogapError {
  const reason = firstLine(cause)
  if (/^(IO|Out of Memory|Permission) Error/.test(reason))
    return dataError('query-failed', `cannot read ${file}: ${reason}`, cause)
  const fault = /encrypt/.test(reason)
    ? 'it is encrypted: write it again without a key'
    : /magic bytes|too small/.test(reason)
      ? 'it is cut off, or no Parquet file'
      : 'its content cannot be unpacked'
  const blob = realpathSync(file)
  const remedy = /\bblobs\b/.test(blob) ? `delete ${blob} and fetch it again` : 'get it again'
  return dataError('damaged-archive', `damaged Parquet file: ${file}: ${fault}; ${remedy}`, cause)
}

/** Returns the values of `sql`, column by column in its order, which is cheaper than many rows. */
export function queryColumns(
  sql: string,
  params: readonly SqlParameter[] = [],
): Promise<unknown[][]> {
  return withConnection(async connection =>
    (await runQuery(connection, sql, params)).getColumnsJS(),
  )
}

/**
 * Returns the values of all columns of `sql` but the last one, column by column, and gives the list of numbers in the last one to
 * `visit`, row after row. The array is used again for the next row, so that millions of numbers leave no garbage.
 */
export const queryListColumn = (
  sql: string,
  params: readonly SqlParameter[],
  visit: (row: number, list: readonly (number | null)[]) => void,
): Promise<unknown[][]> =>
  withConnection(connection =>
    withSqlInErrors(sql, async () => {
      const { JSDuckDBValueConverter } = await loadDuckDB()
      const result = await connection.stream(sql, await boundValues(params))
      const columns = Array.from({ length: result.columnCount - 1 }, (): unknown[] => [])
      const list: (number | null)[] = []
      let row = 0
      for await (const chunk of result) {
        for (const [c, column] of columns.entries())
          column.push(...chunk.convertColumnValues(c, JSDuckDBValueConverter))
        const vector = chunk.getColumnVector(columns.length) as DuckDBListVector
        for (let i = 0; i < chunk.rowCount; i++, row++) {
          list.length = vector.getEntryLength(i)
          const first = vector.getEntryOffset(i)
          for (let at = 0; at < list.length; at++)
            list[at] = vector.childVector.getItem(first + at) as number | null
          visit(row, list)
        }
      }
      return columns
    }),
  )

/** Escapes a path for DuckDB's file readers, which expand `*`, `?` and `[`. */
export const literalPath = (path: string): string => path.replace(/[*?[]/g, '[$&]')

/**
 * Returns the SQL of a table of the Parquet files that are bound to `$n`. Folders called `name=value` add no columns,
 * which would hide the files' own.
 */
export const parquetRows = (n = 1, ...options: string[]): string =>
  `read_parquet($${n}, ${['hive_partitioning = false', ...options].join(', ')})`

export type ParquetColumn =
  | { name: string; type: 'VARCHAR'; values: readonly (string | null)[] }
  | { name: string; type: 'DOUBLE' | 'INTEGER'; values: readonly (number | null)[] }
  | { name: string; type: 'BOOLEAN'; values: readonly (boolean | null)[] }

/** Returns a column with a text for each row. */
export const textColumn = <T>(
  name: string,
  rows: readonly T[],
  textOf: (row: T, i: number) => string | null,
): ParquetColumn => ({ name, type: 'VARCHAR', values: rows.map(textOf) })

/** Returns a column with a number for each row. */
export const numberColumn = <T>(
  name: string,
  rows: readonly T[],
  numberOf: (row: T, i: number) => number | null,
): ParquetColumn => ({ name, type: 'DOUBLE', values: rows.map(numberOf) })

const chunkRows = 2048

/**
 * Writes flat columns of equal length as a Parquet file through `projection`, a SELECT list over their names. Returns when
 * DuckDB has closed the file; making it durable is the caller's. One thread writes: sharing the work of a shard among threads takes
 * twice the processor time.
 */
export async function writeParquet(
  file: string,
  columns: readonly ParquetColumn[],
  projection = '*',
): Promise<void> {
  const { DuckDBDataChunk, BOOLEAN, DOUBLE, INTEGER, VARCHAR } = await loadDuckDB()
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
    await runQuery(connection, copyToParquet(file, `SELECT ${projection} FROM flat_columns`))
  }, 'one')
}

/** Writes the rows of `sql`, with `params` bound, as a Parquet file. */
export const copyQueryToParquet = (
  file: string,
  sql: string,
  params: readonly SqlParameter[],
): Promise<void> =>
  withConnection(async connection => {
    await runQuery(connection, copyToParquet(file, sql), params)
  })

const copyToParquet = (file: string, sql: string): string =>
  `COPY (${sql}) TO '${file.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd)`

/** Quotes a column or table name. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

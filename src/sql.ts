import { GeogapError } from './errors.ts'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'

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
  params: readonly DuckDBValue[] = [],
): Promise<{ columns: string[]; rows: Record<string, unknown>[] }> {
  const connection = await (shared ??= connect())
  try {
    const reader = await connection.runAndReadAll(sql, [...params])
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
export async function query<Row>(sql: string, params: readonly DuckDBValue[] = []): Promise<Row[]> {
  return (await select(sql, params)).rows as Row[]
}

/** A path as DuckDB's file readers take it: they expand `*`, `?` and `[`, which are plain characters in a file name. */
export const literalPath = (path: string): string => path.replace(/[*?[]/g, '[$&]')

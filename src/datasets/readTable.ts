import { access, readFile, writeFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { GeogapError, inputError, messageOf, quoteForMessage } from '../lib/errors.ts'
import { missingFileError } from './files.ts'
import { withTempDir } from '../lib/tempDir.ts'
import { parquetRows, quoteIdentifier, selectFromFile } from '../lib/sql.ts'
import { parseJson, repeatedKey } from '../lib/archive/json.ts'
import { readDelimited } from './delimited.ts'
import { readEntry } from './tree.ts'
import { type ArchiveMember } from '../lib/archive/member.ts'

/** A table of any kind, cells as the file writes them (text from CSV and TSV, typed from JSON and Parquet). */
export interface RawTable {
  columns: string[]
  rows: Record<string, unknown>[]
}

const tableReaders = new Map<string, (file: string) => Promise<RawTable>>([
  ['.csv', readDelimited],
  ['.tsv', readDelimited],
  ['.jsonl', readJsonLines],
  ['.ndjson', readJsonLines],
  ['.json', readJsonTable],
  ['.parquet', readParquetTable],
])

/** File endings of tables; all but Parquet may be gzipped (`.csv.gz`). */
export const manifestKinds: readonly string[] = [...tableReaders.keys()]

/** Returns the ending that tells a table's kind, in lower case: `.csv` of `a.CSV` and of `a.csv.gz`. */
export const tableKind = (file: string): string =>
  extname(file.replace(/(?<!\.parquet)\.gz$/i, '')).toLowerCase()

/** The largest number of columns of a table: each is one to group by, and read whole. */
export const maxColumns = 2000

/** Returns the error of a table with more columns than can be grouped by. */
export const tooManyColumnsError = (file: string, count: number): GeogapError =>
  inputError(
    'too-many-columns',
    `${count} columns in ${file}; at most ${maxColumns} are read: keep the columns that you group by`,
  )

/** Reads the rows of a table. A file that cannot be read as its kind is an error that names it. */
export async function readTable(file: string): Promise<RawTable> {
  const read = tableReaders.get(tableKind(file))
  if (!read) throw unknownTableError(file)
  try {
    await access(file)
    const table = await read(file)
    if (table.columns.length > maxColumns) throw tooManyColumnsError(file, table.columns.length)
    if (table.rows.length === 0)
      throw inputError('no-rows', `no rows in ${file}: it is empty, or has column names alone`)
    return table
  } catch (error) {
    throw tableReadError(file, error)
  }
}

const remedies: readonly (readonly [RegExp, string])[] = [
  [/\.(xlsx?|ods|numbers)$/i, 'save the sheet as CSV in UTF-8'],
  [
    /\.(txt|tab|dat)$/i,
    'if it is a table with a first line of column names, rename it to .csv or .tsv',
  ],
  [/\.(arrow|feather|h5|pkl|pickle|dta|sav|rds)$/i, 'write it as Parquet or CSV'],
  [/\.(gz|tgz|bz2|tbz2?|xz|txz|zst|lz4)$/i, 'uncompress it'],
  [/\.(7z|rar)$/i, 'unpack it, or pack it as .zip or .tar'],
]

/** Returns the error of a file that is no table of a known kind, with what to do. */
export function unknownTableError(file: string, others: readonly string[] = []): GeogapError {
  const remedy = remedies.find(([pattern]) => pattern.test(file))?.[1]
  const known = [...others, ...manifestKinds].join(', ')
  return inputError(
    'unknown-format',
    `unknown data set format: ${file}; known: ${known}${remedy === undefined ? '' : `; ${remedy}`}`,
  )
}

async function readParquetTable(file: string): Promise<RawTable> {
  const found = await selectFromFile(file, 'SELECT count(*) AS count FROM parquet_schema($1)')
  const count = Number(found.rows[0]?.['count'] ?? 0)
  if (count > 4 * maxColumns) throw tooManyColumnsError(file, count)
  const casts = wideIntegersAsText(await parquetColumns(file))
  return selectFromFile(file, `SELECT *${casts} FROM ${parquetRows()}`)
}

/**
 * Returns SQL after `SELECT *` that reads integers of more than 53 bits as texts, for as numbers different ids would become equal;
 * DuckDB's library does that itself for signed ones of 64 bits.
 */
export function wideIntegersAsText(columns: readonly TypedColumn[]): string {
  const casts = columns.flatMap(({ name, type }) =>
    /^(UBIGINT|DECIMAL\((1[6-9]|[23]\d),0\))$/.test(type)
      ? `CAST(${quoteIdentifier(name)} AS VARCHAR) AS ${quoteIdentifier(name)}`
      : [],
  )
  return casts.length === 0 ? '' : ` REPLACE (${casts.join(', ')})`
}

/** A column of a Parquet file with DuckDB's name of its type. */
export interface TypedColumn {
  name: string
  type: string
}

/** Returns the columns of a Parquet file. */
export async function parquetColumns(file: string): Promise<TypedColumn[]> {
  const sql = `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${parquetRows()})`
  return (await selectFromFile(file, sql)).rows as unknown as TypedColumn[]
}

/** Why a table's file could not be read, as one line that names it. */
function tableReadError(file: string, error: unknown): GeogapError {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return missingFileError(file)
  if (error instanceof GeogapError && error.code !== 'query-failed') return error
  const reason = messageOf(error)
  return inputError('unreadable-file', `unreadable manifest: ${file}: ${reason}`)
}

/** What R, pandas, Excel and people write where a value is missing. `NA` is a country and a continent too. */
export const missingPattern = /^(na|#?n\/a|n\.a\.?|#na|<na>|-?nan|null|none|unknown|[-–—]+|\?+|)$/i

/** The columns of a manifest that are no groups. */
export const reservedColumns: readonly string[] = ['id', 'image', 'label', 'labels']

/** Reads a text file, unpacked if its name ends in `.gz`. */
export async function readUnpacked(file: string): Promise<string> {
  const stored = await readFile(file)
  return (/\.gz$/i.test(file) ? gunzipSync(stored) : stored).toString('utf8')
}

async function readJsonLines(file: string): Promise<RawTable> {
  const lines = (await readUnpacked(file)).split('\n')
  return tableOfRows(
    lines.flatMap((line, i) =>
      line.trim() === '' ? [] : [jsonRow(parseRows(line, file), `${file}, line ${i + 1}`)],
    ),
  )
}

/**
 * Reads a JSON list of objects, or one of pandas' forms: `{"column": {"row": value}}`, `{"row": {"column": value}}`, `{"column": [value]}`, `{"columns", "data"}` and
 * `{"schema", "data"}`; objects one a line are JSON Lines. Errors: bad-json, coco-json.
 */
async function readJsonTable(file: string): Promise<RawTable> {
  const content = parseRows(await readUnpacked(file), file)
  const rows = Array.isArray(content) ? content : pandasRows(content)
  if (rows) return tableOfRows(rows.map((row, i) => jsonRow(row, `${file}, item ${i + 1}`)))
  if (content === undefined) return readJsonLines(file)
  const object = jsonRow(content, file)
  if (Array.isArray(object['images']) && Array.isArray(object['annotations']))
    throw inputError(
      'coco-json',
      `COCO annotations of objects, not a table of images: ${file}; write a CSV with a row an image: its file_name as image, and the names of its annotations' categories as labels, separated by ;`,
    )
  const keys = Object.keys(object)
  if (
    keys.length > 0 &&
    keys.every(key => /^\d+$/.test(key)) &&
    Object.values(object).every(hasColumns)
  )
    return tableOfRows(Object.values(object) as Record<string, unknown>[])
  const byColumn = Object.entries(object)
  const isByColumn = byColumn.every(([, cells]) => isCells(cells))
  const lengths = new Set(byColumn.map(([, cells]) => Array.isArray(cells) && cells.length))
  if (!isByColumn || lengths.size !== 1)
    throw inputError(
      'bad-json',
      `not a table: ${file}; expected a list of objects, one for each image: [{"image": …, "label": …}, …]`,
    )
  const cells = byColumn.map(
    ([column, values]) => [column, new Map(Object.entries(values as object))] as const,
  )
  const rowKeys = [...new Set(cells.flatMap(([, values]) => [...values.keys()]))]
  return tableOfRows(
    rowKeys.map(key =>
      Object.fromEntries(cells.map(([column, values]) => [column, values.get(key)])),
    ),
  )
}

/** Returns whether a value is a row that has a column which geogap uses. */
const hasColumns = (row: unknown): boolean =>
  typeof row === 'object' && reservedColumns.some(name => Object.hasOwn(row ?? {}, name))

/** Returns whether a value can be a column: a list or an object of values, none of which is an object itself. */
const isCells = (column: unknown): boolean =>
  typeof column === 'object' &&
  column !== null &&
  Object.values(column).every(
    cell => typeof cell !== 'object' || cell === null || Array.isArray(cell),
  )

/** Returns the rows of pandas' forms `split` and `table`; undefined for anything else. */
function pandasRows(content: unknown): unknown[] | undefined {
  const { columns, schema, data } = (content ?? {}) as Record<string, unknown>
  if (!Array.isArray(data)) return undefined
  if (typeof schema === 'object' && schema !== null) return data as unknown[]
  if (!Array.isArray(columns)) return undefined
  return data.map((row: unknown) =>
    Array.isArray(row)
      ? Object.fromEntries(columns.map((column, i) => [String(column), row[i] as unknown]))
      : row,
  )
}

const tableOfRows = (rows: Record<string, unknown>[]): RawTable => ({
  columns: [...new Set(rows.flatMap(row => Object.keys(row)))],
  rows,
})

/**
 * Parses JSON. `NaN`, which Python writes where a number is missing, is null; `Infinity` and integers that no double holds are texts,
 * so that masked logits and different ids stay what they are.
 */
function parseLooseJson(text: string): unknown {
  if (!/NaN|Infinity|\d{16}/.test(text)) return parseJson(text)
  return parseJson(
    text.replaceAll(
      /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g,
      token => {
        if (token.startsWith('"')) return token
        if (token.endsWith('NaN')) return 'null'
        if (token.endsWith('y')) return `"${token}"`
        return Number.isSafeInteger(Number(token)) ? token : `"${token}"`
      },
    ),
  )
}

/** Parses the JSON of a table. Errors: `duplicate-column` for an object that has a key twice. */
function parseRows(text: string, file: string): unknown {
  const content = parseLooseJson(text)
  const twice = content === undefined ? undefined : repeatedKey(text)
  if (twice === undefined) return content
  throw inputError(
    'duplicate-column',
    `an object of ${file} has ${quoteForMessage(twice)} twice: keep one, because readers of JSON silently take the last`,
  )
}

function jsonRow(row: unknown, where: string): Record<string, unknown> {
  if (typeof row === 'object' && row !== null && !Array.isArray(row))
    return row as Record<string, unknown>
  throw inputError('bad-json', `not a JSON object: ${where}`)
}

/** The table of an entry; a member of an archive is laid in a temporary file for the time of reading. */
export async function readTableEntry(entry: ArchiveMember): Promise<RawTable> {
  if (entry.source.kind === 'file') return readTable(entry.source.file)
  return withTempDir(async folder => {
    const file = join(folder, basename(entry.path))
    await writeFile(file, await readEntry(entry))
    return readTable(file)
  })
}

/**
 * Returns the items of a list as Python or NumPy prints it (`['tv', "baby's bed"]`, `[851]`, `[0. 1.]`, `[np.int64(3)]`), as
 * MLCommons' and pandas' CSV files write lists; null for `None` and `nan`.
 */
export function parsePythonItems(text: string): (string | null)[] {
  const tokens = text
    .replace(/^\s*[[({]|[\])}]\s*$/g, '')
    .replace(/\bnp\.u?(?:int|float)\d+\(([^()'"]*)\)/g, '$1')
    .matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s,'"][^,'"\s]*)/g)
  return [...tokens].map(([, single, double, bare]) => {
    if (bare !== undefined) return /^(None|NaN|nan)$/.test(bare) ? null : bare.replace(/\.$/, '.0')
    return (single ?? double!).replace(/\\(.)/g, '$1')
  })
}

/** Returns the items that are not missing of a list as Python prints it. */
export const parsePythonList = (text: string): string[] =>
  parsePythonItems(text).flatMap(item => item ?? [])

/** Returns a cell as text, null when it is empty or no finite number. Errors: deep-value. */
export function rawCellText(cell: unknown): string | null {
  if (cell === null || cell === undefined || cell === '') return null
  if (typeof cell === 'number' && !Number.isFinite(cell)) return null
  if (typeof cell === 'string') return cell
  if (cell instanceof Date) return cell.toISOString()
  if (typeof cell === 'bigint') return String(cell)
  // Old writers of Parquet have texts as bytes without saying so.
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString('utf8') || null
  try {
    return JSON.stringify(cell, (_, value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value,
    )
  } catch (cause) {
    throw inputError('deep-value', 'a value of the table nests too deeply to be a text', cause)
  }
}

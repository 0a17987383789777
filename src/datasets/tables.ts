import { access, open, readFile, writeFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { GeogapError, inputError, messageOf } from '../lib/errors.ts'
import { readFully } from '../lib/files.ts'
import { withTempDir } from '../lib/tempDir.ts'
import { literalPath, parquetRows, select } from '../lib/sql.ts'
import { parseJson } from '../lib/archive/json.ts'
import { readEntry } from './tree.ts'
import { type ArchiveMember } from '../lib/archive/member.ts'

/** A table of any kind, cells as the file writes them (text from CSV and TSV, typed from JSONL and Parquet). */
export interface RawTable {
  columns: string[]
  rows: Record<string, unknown>[]
}

const tableReaders: Record<string, (file: string) => Promise<RawTable>> = {
  '.csv': async file => readDelimited(file, await detectSeparator(file)),
  '.tsv': file => readDelimited(file, '\t'),
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.parquet': file => select(`SELECT * FROM ${parquetRows()}`, [literalPath(file)]),
}

export const manifestKinds: readonly string[] = Object.keys(tableReaders)

/** The rows of a CSV, TSV, JSONL or Parquet file; a file that cannot be read as its kind is an error that names it. */
export async function readTable(file: string): Promise<RawTable> {
  const read = tableReaders[extname(file).toLowerCase()]
  if (!read)
    throw inputError(
      'unknown-format',
      `unknown manifest format: ${file}; known: ${manifestKinds.join(', ')}`,
    )
  try {
    await access(file)
    return await read(file)
  } catch (error) {
    throw tableReadError(file, error)
  }
}

/** Why a table's file could not be read, as one line that names it. */
export function tableReadError(file: string, error: unknown): GeogapError {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT')
    return inputError('missing-file', `missing file: ${file}`)
  if (error instanceof GeogapError && error.code !== 'query-failed') return error
  const reason = messageOf(error)
  return inputError('unreadable-file', `unreadable manifest: ${file}: ${reason}`)
}

/** A comma, or what the first line has in its place: spreadsheets write semicolons where the comma is for decimals. */
async function detectSeparator(file: string): Promise<string> {
  const handle = await open(file)
  const start = Buffer.alloc(65536)
  const length = await readFully(handle, start, 0).finally(() => handle.close())
  if (/^(\xff\xfe|\xfe\xff)/.test(start.toString('latin1')))
    throw new Error('it is UTF-16; save it as UTF-8')
  const [header = ''] = start
    .toString('utf8', 0, length)
    .replaceAll(/"[^"]*"/g, '')
    .split('\n')
  return [',', ';', '\t'].find(separator => header.includes(separator)) ?? ','
}

/** What DuckDB would guess otherwise: that some lines are comments, or that the first ones are to be skipped. */
const csvOptions = `quote = '"', escape = '"', comment = '', skip = 0, header = true, all_varchar = true, nullstr = ''`

const readDelimited = (file: string, separator: string): Promise<RawTable> =>
  select(`SELECT * FROM read_csv($1, delim = $2, ${csvOptions}, hive_partitioning = false)`, [
    literalPath(file),
    separator,
  ]).catch(async (error: unknown) => {
    const text = await readFile(file, 'utf8')
    if (text.includes('\r\n') && /[^\r]\n/.test(text))
      throw new Error('some lines end in CR LF and some in LF; save it with one kind')
    const [first = '', ...reasons] = String((error as Error).cause).split('\n')
    const line = /on Line: (\d+)/.exec(first)?.[1]
    if (line === undefined)
      throw new Error(
        'some lines have another number of columns than the first one, or a quote is open',
      )
    throw new Error(
      `line ${line}: ${reasons.find(reason => /^(Expected|Invalid|Value)/.test(reason)) ?? first}`,
    )
  })

async function readJsonLines(file: string): Promise<RawTable> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  const rows = lines.flatMap((line, i) =>
    line.trim() === '' ? [] : [parseJsonRow(line, `${file}, line ${i + 1}`)],
  )
  return { columns: [...new Set(rows.flatMap(row => Object.keys(row)))], rows }
}

function parseJsonRow(line: string, where: string): Record<string, unknown> {
  const row = parseJson(line)
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
 * Returns the items of a list as Python or NumPy prints it (`['tv', "baby's bed"]`, `[851]`, `[0. 1.]`), as MLCommons' and
 * pandas' CSV files write lists. `None` and `nan` are no items.
 */
export function parsePythonList(text: string): string[] {
  const tokens = text
    .replace(/^\s*[[({]|[\])}]\s*$/g, '')
    .matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s,'"][^,'"\s]*)/g)
  return [...tokens].flatMap(([, single, double, bare]) => {
    if (bare !== undefined) return /^(None|nan)$/.test(bare) ? [] : bare.replace(/\.$/, '.0')
    return (single ?? double!).replace(/\\(.)/g, '$1')
  })
}

/** A cell as text, null when it is empty or no finite number. */
export function rawCellText(cell: unknown): string | null {
  if (cell === null || cell === undefined || cell === '') return null
  if (typeof cell === 'number' && !Number.isFinite(cell)) return null
  if (typeof cell === 'string') return cell
  if (cell instanceof Date) return cell.toISOString()
  if (typeof cell === 'bigint') return String(cell)
  return JSON.stringify(cell, (_, value: unknown) =>
    typeof value === 'bigint' ? Number(value) : value,
  )
}

/* Reads CSV and TSV files as people and programs write them, plain or gzipped. */
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { inputError } from '../lib/errors.ts'
import { literalPath, select } from '../lib/sql.ts'
import {
  maxColumns,
  tooManyColumnsError,
  type RawTable,
  readUnpacked,
  reservedColumns,
  missingPattern,
} from './readTable.ts'

const isGzipped = (file: string): boolean => /\.gz$/i.test(file)

/** Reads a CSV, whose separator its first line tells, or a TSV. */
export async function readDelimited(file: string): Promise<RawTable> {
  const { header, skipped, quote } = await readHeader(file)
  const isTsv = /\.tsv(\.gz)?$/i.test(file)
  const separator = isTsv ? '\t' : separatorOf(header)
  const count = header.split(separator).length
  if (count > maxColumns) throw tooManyColumnsError(file, count)
  const table = await readRows(file, { separator, skipped, quote })
  refuseRepeatedColumns(file, table.columns, header)
  return separator === ',' ? table : withDecimalPoints(table)
}

const maxHeaderBytes = 1 << 20

interface TableStart {
  /** The first line that is no comment, without quoted parts. */
  header: string
  /** Number of comment lines before it. */
  skipped: number
  quote: '"' | "'"
}

async function readHeader(file: string): Promise<TableStart> {
  const start = await readStart(file)
  if (/^(\xff\xfe|\xfe\xff)/.test(start.toString('latin1', 0, 2)))
    throw new Error('it is UTF-16; save it as UTF-8')
  const whole = start.toString('utf8').replace(/^\ufeff/, '')
  const quote = quoteOf(whole)
  const text = whole.replaceAll(quote === '"' ? /"[^"]*"/g : /'[^']*'/g, '')
  const lines = text.split('\n')
  const isComment = (line: string): boolean =>
    (/^\s*#/.test(line) && !/[,;\t]/.test(line)) || /^sep=.\r?$/i.test(line)
  const skipped = lines.findIndex(line => !isComment(line))
  const header = lines[Math.max(0, skipped)]!
  if (lines.length === 1 && start.length >= maxHeaderBytes)
    throw inputError(
      'too-many-columns',
      `the first line of ${file} is longer than 1 MB: keep the columns that you group by`,
    )
  return { header, skipped: Math.max(0, skipped), quote }
}

/** Returns a single quote if the text has no double quotes and every line but the first has a value in single quotes. */
function quoteOf(text: string): '"' | "'" {
  const lines = text.split(/\r?\n/).slice(0, 101)
  const first = lines.findIndex(line => !line.startsWith('#'))
  const rows = lines.slice(first + 1, 100).filter(line => line !== '')
  const hasQuoted = (line: string): boolean => /(^|[,;|\t])'[^']*'(?=$|[,;|\t])/.test(line)
  return rows.length > 0 && !text.includes('"') && rows.every(hasQuoted) ? "'" : '"'
}

/** Reads the first MB of a file, unpacked. */
async function readStart(file: string): Promise<Buffer> {
  const stored = createReadStream(file, isGzipped(file) ? {} : { end: maxHeaderBytes - 1 })
  const parts: Buffer[] = []
  let length = 0
  const bytes = isGzipped(file) ? stored.pipe(createGunzip()) : stored
  stored.on('error', error => bytes.destroy(error))
  for await (const part of bytes as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length >= maxHeaderBytes) break
  }
  stored.destroy()
  return Buffer.concat(parts)
}

const isCalled =
  (name: string) =>
  (column: string): boolean =>
    column.toLowerCase() === name.toLowerCase()

/** Refuses two columns whose names differ in case at most, of which DuckDB calls the second `NAME_1`. Quoted names are not looked at. */
function refuseRepeatedColumns(file: string, columns: readonly string[], header: string): void {
  const repeated = columns.find(column => {
    const [, name] = /^(.+)_\d+$/.exec(column) ?? []
    return name !== undefined && columns.some(isCalled(name)) && !header.includes(column)
  })
  if (repeated === undefined) return
  const second = repeated.replace(/_\d+$/, '')
  const first = columns.find(isCalled(second))!
  const names = first === second ? first : `${first} and ${second}, which differ in case alone`
  throw inputError('duplicate-column', `two columns of ${file} are called ${names}: rename one`)
}

/** Returns the separator that a first line has most often: spreadsheets write semicolons where commas are decimal. */
const separatorOf = (header: string): string => {
  const count = (separator: string): number => header.split(separator).length
  return [',', ';', '\t', '|'].reduce((most, one) => (count(one) > count(most) ? one : most))
}

/** Options that DuckDB would otherwise guess, such as which lines are comments. */
const csvOptions = `comment = '', header = true, all_varchar = true, nullstr = ''`

async function readRows(
  file: string,
  { separator, skipped, quote }: { separator: string } & Pick<TableStart, 'skipped' | 'quote'>,
): Promise<RawTable> {
  const compression = isGzipped(file) ? 'gzip' : 'none'
  try {
    return await select(
      `SELECT * FROM read_csv($1, delim = $2, skip = ${skipped}, quote = $3, escape = $3, compression = '${compression}', ${csvOptions}, hive_partitioning = false)`,
      [literalPath(file), separator, quote],
    )
  } catch (error) {
    throw await csvError(file, error)
  }
}

/** Returns DuckDB's failure in words. */
async function csvError(file: string, error: unknown): Promise<Error> {
  const text = await readUnpacked(file)
  if (text.includes('\r\n') && /[^\r]\n/.test(text))
    return new Error('some lines end in CR LF and some in LF; save it with one kind')
  const [first = '', ...reasons] = String((error as Error).cause).split('\n')
  const line = /on Line: (\d+)/.exec(first)?.[1]
  if (line === undefined)
    return new Error(
      'some lines have another number of columns than the first one, or a quote is open',
    )
  if (reasons.some(text => text.startsWith('Invalid unicode')))
    return new Error(`line ${line} is not UTF-8; save it as UTF-8`)
  const limit = /Maximum line size of (\d+) bytes exceeded/.exec(reasons.join('\n'))?.[1]
  if (limit !== undefined)
    return new Error(`a line is longer than ${limit} bytes, or a quote in it is open`)
  const reason = reasons.find(text => /^(Expected|Invalid|Value)/.test(text)) ?? first
  return new Error(`line ${line}: ${reason}`)
}

/**
 * Writes decimal commas as points in columns that hold nothing but numbers with them (`100,0`), as spreadsheets write files
 * with semicolons, and drops points between thousands (`1.100,5`). A column in which every comma stands before three digits may
 * mean thousands and stays as it is.
 */
function withDecimalPoints({ columns, rows }: RawTable): RawTable {
  const decimal = new Set(
    columns.filter(column => {
      if (reservedColumns.includes(column.toLowerCase())) return false
      const values = rows
        .map(row => row[column])
        .map(cell => (typeof cell === 'string' || typeof cell === 'number' ? String(cell) : ''))
        .filter(value => value !== '' && !missingPattern.test(value))
      return (
        values.every(value => /^-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$/.test(value)) &&
        values.some(value => /,(\d{1,2}|\d{4,})$/.test(value))
      )
    }),
  )
  if (decimal.size === 0) return { columns, rows }
  const cell = (column: string, value: unknown): unknown =>
    decimal.has(column) && typeof value === 'string'
      ? value.replaceAll('.', '').replace(',', '.')
      : value
  return {
    columns,
    rows: rows.map(row =>
      Object.fromEntries(columns.map(column => [column, cell(column, row[column])])),
    ),
  }
}

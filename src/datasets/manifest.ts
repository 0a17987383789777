import { readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { GeogapError, inputError, unknownName } from '../errors.ts'
import { literalPath, select } from '../sql.ts'
import type { Draft } from './build.ts'
import type { GroupValue, Item } from './dataset.ts'
import { fileSizes } from './files.ts'
import { imagenetSpace, ownSpace, writtenLabels, type LabelSpace } from './labels.ts'

export interface ManifestOptions {
  /** Folder that relative image paths start from; the manifest's own by default. */
  data?: string
  /** Column of the file for each of our names: `{ image: 'photo', label: 'sku', country: 'cc' }`. */
  map?: Readonly<Record<string, string>>
  /** File with an own label set: one name a line, or a JSON list. */
  classes?: string
}

/** A table of any kind, cells as the file writes them (text from CSV and TSV, typed from JSONL and Parquet). */
export interface Table {
  columns: string[]
  rows: Record<string, unknown>[]
}

const readers: Record<string, (file: string) => Promise<Table>> = {
  '.csv': file => readDelimited(file, ','),
  '.tsv': file => readDelimited(file, '\t'),
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.parquet': file => select('SELECT * FROM read_parquet($1)', [literalPath(file)]),
}

export const manifestKinds: readonly string[] = Object.keys(readers)

/** The rows of a CSV, TSV, JSONL or Parquet file; a file that cannot be read as its kind is an error that names it. */
export async function readTable(file: string): Promise<Table> {
  const read = readers[extname(file).toLowerCase()]
  if (!read) throw inputError('unknown-format', `unknown manifest format: ${file}; known: ${manifestKinds.join(', ')}`)
  return read(file).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw inputError('missing-file', `missing file: ${file}`)
    if (error instanceof GeogapError && error.code !== 'query-failed') throw error
    throw inputError(
      'unreadable-file',
      `unreadable manifest: ${file}: ${error instanceof Error ? error.message : String(error)}`,
    )
  })
}

const readDelimited = (file: string, separator: string): Promise<Table> =>
  select(
    `SELECT * FROM read_csv($1, delim = $2, quote = '"', escape = '"', header = true, all_varchar = true, nullstr = '')`,
    [literalPath(file), separator],
  )

async function readJsonLines(file: string): Promise<Table> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  const rows = lines.flatMap((line, i) => (line.trim() === '' ? [] : [jsonRow(line, `${file}, line ${i + 1}`)]))
  return { columns: [...new Set(rows.flatMap(row => Object.keys(row)))], rows }
}

function jsonRow(line: string, where: string): Record<string, unknown> {
  try {
    const row: unknown = JSON.parse(line)
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Record<string, unknown>
  } catch {
    throw inputError('bad-json', `not JSON: ${where}`)
  }
  throw inputError('bad-json', `not a JSON object: ${where}`)
}

/** An own label set: a JSON list of names, or one name a line. */
export async function readClasses(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw inputError('missing-file', `missing file: ${file}`)
  })
  if (!text.trimStart().startsWith('[')) return text.split('\n').flatMap(line => line.trim() || [])
  const list: unknown = JSON.parse(text)
  if (Array.isArray(list) && list.every(name => typeof name === 'string')) return list
  throw inputError('bad-classes', `not a list of class names: ${file}`)
}

/** Renames columns as `map` says; a column that the file lacks, or a name taken twice, is an error. */
export function renameColumns({ columns, rows }: Table, map: Readonly<Record<string, string>>): Table {
  for (const column of Object.values(map)) {
    if (!columns.includes(column)) throw unknownName('column', column, columns)
  }
  const ours = new Map(Object.entries(map).map(([name, column]) => [column, name]))
  const renamed = columns.map(column => ours.get(column) ?? column)
  const twice = renamed.find((name, i) => renamed.indexOf(name) !== i)
  if (twice !== undefined)
    throw inputError('duplicate-column', `column ${twice} is both in the file and mapped from ${map[twice]}`)
  return { columns: renamed, rows: rows.map(row => Object.fromEntries(columns.map((c, i) => [renamed[i]!, row[c]]))) }
}

const reserved = ['id', 'image', 'label', 'labels']

/**
 * A manifest's items. `labels` holds the accepted classes and `label` the name shown; either may stand for both. Every
 * further column is kept for grouping, as a number where all its values are numbers.
 */
export async function readManifest(file: string, table: Table, options: ManifestOptions = {}): Promise<Draft> {
  const { columns, rows } = renameColumns(table, options.map ?? {})
  const space = options.classes === undefined ? imagenetSpace : ownSpace(await readClasses(options.classes))
  requireColumns(file, columns)
  const base = options.data ?? dirname(file)
  const groups = groupColumns(
    rows,
    columns.filter(column => !reserved.includes(column)),
  )
  const images = rows.map((row, i) => requiredText(row['image'], `no image in row ${i + 1} of ${file}`))
  const files = images.map(image => resolve(base, image))
  const bytes = await fileSizes(files)
  const resolveLabels = labelsOf(space, columns)
  const items = rows.map((row, i): Item => ({
    id: text(row['id']) ?? images[i]!,
    image: { kind: 'file', file: files[i]! },
    ...resolveLabels(row, `row ${i + 1} of ${file}`),
    groups: groups[i]!,
    bytes: bytes[i]!,
  }))
  return { name: file, items, space, columns: columns.filter(column => !reserved.includes(column)) }
}

function requireColumns(file: string, columns: readonly string[]): void {
  const exist = `columns: ${columns.join(', ')}`
  if (!columns.includes('label') && !columns.includes('labels')) {
    throw inputError(
      'no-label-column',
      `manifest without a label column: ${file}; ${exist} (map one with label=COLUMN)`,
    )
  }
  if (!columns.includes('image')) {
    throw inputError(
      'no-image-column',
      `manifest without an image column: ${file}; ${exist} (map one with image=COLUMN)`,
    )
  }
}

function labelsOf(space: LabelSpace, columns: readonly string[]) {
  const accepted = columns.includes('labels') ? 'labels' : 'label'
  const known = new Map<string, readonly number[]>()
  const one = (written: string): readonly number[] => {
    const found = known.get(written) ?? space.resolve(written)
    known.set(written, found)
    return found
  }
  return (row: Record<string, unknown>, where: string): { labels: number[]; label: string } => {
    const written = writtenLabels(row[accepted])
    if (written.length === 0) throw inputError('no-label', `no label in ${where}`)
    const labels = [...new Set(written.flatMap(one))]
    return { labels, label: text(columns.includes('label') ? row['label'] : undefined) ?? space.classes[labels[0]!]! }
  }
}

/** One record of grouping values a row; a column is numeric when every value it has is written as a plain number. */
export function groupColumns(
  rows: readonly Record<string, unknown>[],
  columns: readonly string[],
): Record<string, GroupValue>[] {
  const numeric = new Set(columns.filter(column => rows.every(row => isNumber(text(row[column])))))
  return rows.map(row =>
    Object.fromEntries(
      columns.map(column => {
        const value = text(row[column])
        return [column, value !== null && numeric.has(column) ? Number(value) : value]
      }),
    ),
  )
}

const isNumber = (value: string | null): boolean =>
  value === null || (String(Number(value)) === value && value !== 'NaN')

/** A cell as text, null when it is empty. */
export function text(cell: unknown): string | null {
  if (cell === null || cell === undefined || cell === '') return null
  if (cell instanceof Date) return cell.toISOString()
  if (typeof cell === 'string') return cell
  return typeof cell === 'bigint' ? String(cell) : JSON.stringify(cell)
}

function requiredText(cell: unknown, message: string): string {
  const value = text(cell)
  if (value === null) throw inputError('no-image', message)
  return value
}

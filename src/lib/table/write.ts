/** Tables on standard output or in a file, in any format. */
import { extname } from 'node:path'
import { z } from 'zod'
import { inputError } from '../errors.ts'
import { writeError, writeDurably, writeOutput } from '../files.ts'
import { type ParquetColumn, writeParquet } from '../sql.ts'
import { version } from '../version.ts'
import { type Table } from './table.ts'
import { type TableFormat, type CellValue } from './columns.ts'
import { jsonText, stripControlCharacters } from './text.ts'

export type OutputFormat = TableFormat | 'parquet'

const cellSchema = z.union([z.string(), z.number(), z.null()])

/** What `--format json` writes; docs/schema/tables-1.json is this as a JSON Schema. */
export const tablesSchema = z
  .object({
    schema: z.literal('geogap-tables-1'),
    /** `geogap` with its version. */
    generator: z.string(),
    tables: z.array(
      z.object({
        name: z.string(),
        title: z.string(),
        notes: z.array(z.string()),
        columns: z.array(z.object({ name: z.string(), heading: z.string() })),
        rows: z.array(z.record(z.string(), cellSchema)),
      }),
    ),
  })
  .meta({
    title: 'Tables exported by geogap',
    description:
      'Shares are 0 … 1 unless a row has its own unit; null is a value that could not be computed.',
  })
/** The content of a JSON file of exported tables. */
export type TablesJson = z.infer<typeof tablesSchema>

const formatByExtension: Readonly<Record<string, OutputFormat>> = {
  '.csv': 'csv',
  '.json': 'json',
  '.md': 'markdown',
  '.tex': 'latex',
  '.parquet': 'parquet',
  '.txt': 'text',
}

/** The format asked for, else that of the file's ending, else text. Errors: bad-option where Parquet has no file. */
export function chooseFormat(
  format: OutputFormat | undefined,
  file: string | undefined,
): OutputFormat {
  const chosen = format ?? formatByExtension[extname(file ?? '').toLowerCase()] ?? 'text'
  if (chosen === 'parquet' && file === undefined)
    throw inputError('bad-option', '--format parquet takes -o FILE')
  return chosen
}

/** Formats that hold one table only. */
export const isSingleTableFormat = (format: OutputFormat): boolean =>
  ['csv', 'latex', 'parquet'].includes(format)

/** Prints the tables, or writes them to `file` and prints its name. */
export async function writeTables(
  tables: readonly Table[],
  format: OutputFormat,
  file: string | undefined,
): Promise<void> {
  if (isSingleTableFormat(format) && tables.length !== 1)
    throw inputError(
      'many-tables',
      `${format} holds one table, not ${tables.length}: ${tables.map(t => t.name).join(', ')}`,
    )
  if (format === 'parquet') await writeParquetTable(tables[0]!, file!)
  else if (file === undefined) process.stdout.write(tablesText(tables, format))
  else await writeOutput(file, tablesText(tables, format))
  if (file !== undefined) process.stdout.write(`${file}\n`)
}

function tablesText(tables: readonly Table[], format: Exclude<OutputFormat, 'parquet'>): string {
  if (format === 'json') return jsonText(tablesJson(tables))
  return tables.map(table => tableText(table, format)).join('\n')
}

/**
 * Returns the tables as the content of a JSON file.
 *
 * @example
 * const json = tablesJson([await paperComparison(run, '2')])
 */
export const tablesJson = (tables: readonly Table[]): TablesJson => ({
  schema: 'geogap-tables-1',
  generator: `geogap ${version}`,
  tables: tables.map(({ name, title, notes, columns, values }) => ({
    name,
    title,
    notes: [...notes],
    columns: columns.map(column => ({ ...column })),
    rows: values.map(row => Object.fromEntries(columns.map((column, i) => [column.name, row[i]!]))),
  })),
})

function tableText({ title, notes, text }: Table, format: TableFormat): string {
  const body = text(format)
  if (format === 'csv') return body
  const [head, ...lines] = [title, ...notes].map(stripControlCharacters)
  if (format === 'latex') return [head, ...lines].map(line => `% ${line}\n`).join('') + body
  const ending =
    lines.length === 0
      ? ''
      : `\n${lines.map(line => `${format === 'markdown' ? '- ' : ''}${line}\n`).join('')}`
  return `${format === 'markdown' ? `### ${head!}\n` : head!}\n${body}${ending}`
}

async function writeParquetTable({ columns, values }: Table, file: string): Promise<void> {
  const flat = columns.map(({ name }, i) =>
    parquetColumn(
      name,
      values.map(row => row[i]!),
    ),
  )
  await writeDurably(file, temporary => writeParquet(temporary, flat)).catch((error: unknown) => {
    throw writeError(file, error)
  })
}

function parquetColumn(name: string, values: readonly CellValue[]): ParquetColumn {
  const numeric =
    values.some(value => typeof value === 'number') &&
    values.every(value => typeof value !== 'string')
  if (numeric) return { name, type: 'DOUBLE', values }
  return {
    name,
    type: 'VARCHAR',
    values: values.map(value => (value === null ? null : String(value))),
  }
}

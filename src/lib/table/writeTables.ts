/** Tables on standard output or in a file, in any format. */
import { extname } from 'node:path'
import { z } from 'zod'
import { inputError } from '../errors.ts'
import { writeError, writeDurably, writeOutput } from '../files.ts'
import { writeParquet, numberColumn, textColumn } from '../sql.ts'
import { ownValue } from '../ownValue.ts'
import { version } from '../version.ts'
import { type Table } from './table.ts'
import { withoutTextWidth, wrapToTerminal } from './fitToTerminal.ts'
import { type TableFormat } from './formats.ts'
import { escapeHtml, jsonText, stripControlCharacters } from './text.ts'

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
  '.tsv': 'tsv',
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.html': 'html',
  '.md': 'markdown',
  '.tex': 'latex',
  '.parquet': 'parquet',
  '.txt': 'text',
}

const tableEndings = Object.keys(formatByExtension)

/** Returns the format asked for, else that of the file's ending, else text. Errors: bad-option for an unknown ending, or Parquet without a file. */
export function chooseFormat(
  format: OutputFormat | undefined,
  file: string | undefined,
): OutputFormat {
  const ending = extname(file ?? '').toLowerCase()
  const chosen = format ?? (ending === '' ? 'text' : ownValue(formatByExtension, ending))
  if (chosen === undefined)
    throw inputError(
      'bad-option',
      `a table takes a file ending in ${tableEndings.join(', ')}, not ${file}; --format writes its format under any name`,
    )
  if (chosen === 'parquet' && file === undefined)
    throw inputError('bad-option', '--format parquet takes -o FILE')
  return chosen
}

/** Whether a format holds one table only. */
export const isSingleTableFormat = (format: OutputFormat): boolean =>
  ['csv', 'tsv', 'jsonl', 'latex', 'parquet'].includes(format)

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
  else
    await writeOutput(
      file,
      withoutTextWidth(() => tablesText(tables, format)),
    )
  if (file !== undefined) process.stdout.write(`${file}\n`)
}

function tablesText(tables: readonly Table[], format: Exclude<OutputFormat, 'parquet'>): string {
  if (format === 'json') return jsonText(tablesJson(tables))
  if (format === 'html') return htmlDocument(tables)
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
  tables: tables.map(({ name, title, sentences = [], notes, columns, values }) => ({
    name,
    title,
    notes: [...sentences, ...notes],
    columns: columns.map(({ name, heading }) => ({ name, heading })),
    rows: values.map(row => Object.fromEntries(columns.map((column, i) => [column.name, row[i]!]))),
  })),
})

function tableText({ title, sentences = [], notes, text }: Table, format: TableFormat): string {
  const body = text(format)
  if (format === 'csv' || format === 'tsv' || format === 'jsonl') return body
  const [head, ...lines] = [title, ...notes].map(stripControlCharacters)
  const lead = sentences.map(stripControlCharacters)
  if (format === 'latex')
    return [...lead, head, ...lines].map(line => `% ${line}\n`).join('') + body
  const ending =
    lines.length === 0
      ? ''
      : `\n${lines.map(line => `${format === 'markdown' ? '- ' : ''}${line}\n`).join('')}`
  const start = lead.length === 0 ? '' : `${lead.join(format === 'markdown' ? '\n\n' : '\n')}\n\n`
  if (format === 'text')
    return `${wrapToTerminal(`${start}${head!}`)}\n${body}${wrapToTerminal(ending)}`
  return `${start}### ${head!}\n${body}${ending}`
}

function htmlDocument(tables: readonly Table[]): string {
  const title = escapeHtml(tables.map(({ title }) => title).join(', '))
  const sections = tables.map(table => {
    const paragraphs = (texts: readonly string[]): string =>
      texts.map(text => `<p>${escapeHtml(text)}</p>\n`).join('')
    const { title, sentences = [], notes } = table
    return `<h1>${escapeHtml(title)}</h1>\n${paragraphs(sentences)}${table.text('html')}${paragraphs(notes)}`
  })
  return `<!doctype html>\n<meta charset="utf-8">\n<title>${title}</title>\n${sections.join('')}`
}

/** Writes one table as CSV if the file's name ends in .csv, else as Parquet. */
export const writeTableFile = (table: Table, file: string): Promise<void> =>
  /\.csv$/i.test(file) ? writeOutput(file, table.text('csv')) : writeParquetTable(table, file)

async function writeParquetTable({ columns, values }: Table, file: string): Promise<void> {
  const flat = columns.map(({ name, type }, i) =>
    type === 'number'
      ? numberColumn(name, values, row => row[i] as number | null)
      : textColumn(name, values, row => row[i]?.toString() ?? null),
  )
  await writeDurably(file, temporary => writeParquet(temporary, flat)).catch((error: unknown) => {
    throw writeError(file, error)
  })
}

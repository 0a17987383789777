import { cellText, type CellValue, type TableColumn } from './columns.ts'
import {
  columnGap,
  columnWidths,
  type FittedTable,
  fitTable,
  type TableCells,
  textWidthLimit,
  wrapToTerminal,
} from './fitToTerminal.ts'
import { escapeFormula, escapeHtml, jsonText, stripControlCharacters } from './text.ts'
import { padText } from './wrapText.ts'

export const tableFormats = [
  'text',
  'markdown',
  'csv',
  'tsv',
  'json',
  'jsonl',
  'html',
  'latex',
] as const
export type TableFormat = (typeof tableFormats)[number]

/**
 * Returns rows in one of the formats. Text, Markdown, HTML and LaTeX show the columns with a heading as readers see them; CSV, TSV,
 * JSON and JSONL have all values.
 */
export function formatTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  format: TableFormat,
): string {
  if (format === 'csv') return delimitedText(columns, rows, ',')
  if (format === 'tsv') return delimitedText(columns, rows, '\t')
  if (format === 'json' || format === 'jsonl') {
    const records = rows.map(row =>
      Object.fromEntries(columns.map(({ name, value }) => [name, value(row)])),
    )
    return format === 'json'
      ? jsonText(records)
      : records.map(record => `${JSON.stringify(record)}\n`).join('')
  }
  const readable = columns.filter(({ heading }) => heading !== '')
  const heads = readable.map(({ heading }) => heading)
  const lines = [heads, ...rows.map(row => readable.map(column => cellText(column, row)))].map(
    line => line.map(stripControlCharacters),
  )
  const numeric = readable.map(({ value }) => rows.some(row => typeof value(row) === 'number'))
  if (format === 'latex') return latex(lines, numeric)
  if (format === 'html') return html(lines, numeric)
  const table = { cells: lines, numeric }
  return format === 'markdown' ? markdownTable(table) : textTable(table)
}

/** Aligns the lines of a table, the headings first, within the width of the terminal that the text goes to. */
function textTable(all: TableCells): string {
  const width = textWidthLimit()
  const { cells, numeric, headLines, note }: FittedTable =
    width === null ? { ...all, headLines: 1, note: null } : fitTable(all, width)
  const widths = columnWidths({ cells, numeric })
  const lines = cells.map(row => paddedCells(row, widths, numeric).join(columnGap))
  const rule = widths.map(each => '─'.repeat(each)).join(columnGap)
  const text = [...lines.slice(0, headLines), rule, ...lines.slice(headLines)]
  const table = `${text.map(line => line.trimEnd()).join('\n')}\n`
  return note === null ? table : `${table}${wrapToTerminal(note)}\n`
}

function markdownTable({ cells, numeric }: TableCells): string {
  const escaped = cells.map(row => row.map(cell => cell.replace(/[\\|<>*_`[\]]/g, '\\$&')))
  const widths = columnWidths({ cells: escaped, numeric })
  const [head, ...lines] = escaped.map(row => paddedCells(row, widths, numeric).join(' | '))
  const rule = widths
    .map((width, i) => (numeric[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
    .join(' | ')
  return `${[head!, rule, ...lines].map(text => `| ${text} |`).join('\n')}\n`
}

/** Pads the cells of a line to the widths of their columns. */
const paddedCells = (
  row: readonly string[],
  widths: readonly number[],
  numeric: readonly boolean[],
): string[] => row.map((cell, i) => padText(cell, widths[i]!, numeric[i]!))

/** Delimited values by RFC 4180: a text with a delimiter, a quote or a line end is quoted. */
function delimitedText<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  delimiter: ',' | '\t',
): string {
  const line = (values: readonly CellValue[]): string =>
    `${values.map(value => delimitedCell(value, delimiter)).join(delimiter)}\n`
  return [
    line(columns.map(({ name }) => name)),
    ...rows.map(row => line(columns.map(({ value }) => value(row)))),
  ].join('')
}

function delimitedCell(value: CellValue, delimiter: string): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = escapeFormula(value)
  return /["\n\r]/.test(safe) || safe.includes(delimiter) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function html(cells: readonly string[][], numeric: readonly boolean[]): string {
  const [head, ...lines] = cells.map((row, i) => {
    const tag = i === 0 ? 'th' : 'td'
    const parts = row.map(
      (cell, at) =>
        `<${tag}${numeric[at] ? ' style="text-align:right"' : ''}>${escapeHtml(cell)}</${tag}>`,
    )
    return `<tr>${parts.join('')}</tr>\n`
  })
  return `<table>\n<thead>\n${head!}</thead>\n<tbody>\n${lines.join('')}</tbody>\n</table>\n`
}

const latexNames: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '–': '--',
  '−': '$-$',
  '×': '$\\times$',
}

/** Escapes what LaTeX reads as a command. */
export const latexText = (text: string): string =>
  text.replace(/[\\~^–−×&%$#_{}]/g, found => latexNames[found] ?? `\\${found}`)

function latex(cells: readonly string[][], numeric: readonly boolean[]): string {
  const [head, ...lines] = cells.map(row => `${row.map(latexText).join(' & ')} \\\\`)
  const spec = numeric.map(is => (is ? 'r' : 'l')).join('')
  const start = [`\\begin{tabular}{${spec}}`, '\\toprule', head!, '\\midrule']
  return [...start, ...lines, '\\bottomrule', '\\end{tabular}', ''].join('\n')
}

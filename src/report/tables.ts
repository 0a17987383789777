import { guarded, pad, percent, printable, textWidth } from './text.ts'

export type Value = string | number | null

/** A column: its name for machines, its heading for people, and how a value reads. */
export interface Column<Row> {
  name: string
  heading: string
  value: (row: Row) => Value
  /** What people see; the value itself by default. */
  show?: (row: Row) => string
}

/** A column of a field of the rows. */
export const field = <Name extends string>(
  name: Name,
  heading: string = name,
): Column<Readonly<Record<Name, Value>>> => ({ name, heading, value: row => row[name] })

/** Columns of several fields by their headings. */
export const fields = <Name extends string>(
  headings: Readonly<Record<Name, string>>,
): Column<Readonly<Record<Name, Value>>>[] =>
  (Object.entries(headings) as [Name, string][]).map(([name, heading]) => field(name, heading))

/** A field that is a share and reads as percent. */
export const share = <Name extends string>(
  name: Name,
  heading: string,
): Column<Readonly<Record<Name, number | null>>> => ({
  ...{ name, heading, value: row => row[name], show: row => percent(row[name]) },
})

export const formats = ['text', 'markdown', 'csv', 'json', 'latex'] as const
export type Format = (typeof formats)[number]

/** Rows in one of the formats; text, Markdown and LaTeX show what people see, CSV and JSON the values. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], format: Format): string {
  if (format === 'json')
    return `${JSON.stringify(
      rows.map(row => record(columns, row)),
      null,
      2,
    )}\n`
  if (format === 'csv') return csv(columns, rows)
  const heads = columns.map(({ heading }) => heading)
  const cells = rows.map(row => columns.map(column => printable(shown(column, row))))
  const numeric = columns.map(({ value }) => rows.some(row => typeof value(row) === 'number'))
  if (format === 'latex') return latex(heads, cells, numeric)
  return aligned(heads, cells, numeric, format === 'markdown')
}

function record<Row>(columns: readonly Column<Row>[], row: Row): Record<string, Value> {
  return Object.fromEntries(columns.map(({ name, value }) => [name, value(row)]))
}

function shown<Row>({ value, show }: Column<Row>, row: Row): string {
  if (show) return show(row)
  const plain = value(row)
  return plain === null ? '–' : String(plain)
}

function aligned(
  heads: readonly string[],
  cells: readonly string[][],
  numeric: readonly boolean[],
  markdown: boolean,
): string {
  const escaped = markdown ? cells.map(row => row.map(cell => cell.replace(/[\\|<>*_`[\]]/g, '\\$&'))) : cells
  const widths = heads.map((head, i) => Math.max(textWidth(head), ...escaped.map(row => textWidth(row[i]!)), 3))
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => pad(cell, widths[i]!, numeric[i]!)).join(markdown ? ' | ' : '  ')
  if (!markdown) {
    const rule = widths.map(width => '─'.repeat(width)).join('  ')
    return `${[line(heads), rule, ...escaped.map(line)].map(text => text.trimEnd()).join('\n')}\n`
  }
  const rule = widths.map((width, i) => (numeric[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')
  return `${[line(heads), rule, ...escaped.map(line)].map(text => `| ${text} |`).join('\n')}\n`
}

function csv<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = rows.map(row => columns.map(({ value }) => csvCell(value(row))).join(','))
  return `${[columns.map(({ name }) => csvCell(name)).join(','), ...lines].join('\n')}\n`
}

function csvCell(value: Value): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = guarded(value)
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const latexNames: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '–': '--',
  '−': '$-$',
  '×': '$\\times$',
}

const latexText = (text: string): string =>
  text.replace(/[\\~^–−×&%$#_{}]/g, found => latexNames[found] ?? `\\${found}`)

function latex(heads: readonly string[], cells: readonly string[][], numeric: readonly boolean[]): string {
  const line = (row: readonly string[]): string => `${row.map(latexText).join(' & ')} \\\\`
  const spec = numeric.map(is => (is ? 'r' : 'l')).join('')
  return [
    `\\begin{tabular}{${spec}}`,
    '\\toprule',
    line(heads),
    '\\midrule',
    ...cells.map(line),
    '\\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n')
}

import { guarded, jsonText, pad, percent, percentRange, printable, textWidth } from './text.ts'

export type Value = string | number | null

/** A column: its name for machines, its heading for people (without one they do not see it), and how a value reads. */
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

/** An interval of shares: one column for people, its two ends for machines. */
export const intervalColumns = <Row>(
  of: (row: Row) => readonly [low: number | null, high: number | null],
  heading = '95 % interval',
): Column<Row>[] => [
  { name: 'low', heading, value: row => of(row)[0], show: row => percentRange(...of(row)) },
  { name: 'high', heading: '', value: row => of(row)[1] },
]

export const formats = ['text', 'markdown', 'csv', 'json', 'latex'] as const
export type Format = (typeof formats)[number]

/** Rows in one of the formats: text, Markdown and LaTeX show what people see of the columns with a heading, CSV and JSON all values. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], format: Format): string {
  if (format === 'json') return jsonText(records(columns, rows))
  if (format === 'csv') return csv(columns, rows)
  const readable = columns.filter(({ heading }) => heading !== '')
  const heads = readable.map(({ heading }) => heading)
  const lines = [heads, ...rows.map(row => readable.map(column => shown(column, row)))].map(line => line.map(printable))
  const numeric = readable.map(({ value }) => rows.some(row => typeof value(row) === 'number'))
  return format === 'latex' ? latex(lines, numeric) : aligned(lines, numeric, format === 'markdown')
}

const records = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Record<string, Value>[] =>
  rows.map(row => Object.fromEntries(columns.map(({ name, value }) => [name, value(row)])))

/** A value as people see it. */
export function shown<Row>({ value, show }: Column<Row>, row: Row): string {
  if (show) return show(row)
  const plain = value(row)
  return plain === null ? '–' : String(plain)
}

/** Lines of cells, the headings first. */
function aligned(cells: readonly string[][], numeric: readonly boolean[], markdown: boolean): string {
  const escaped = markdown ? cells.map(row => row.map(cell => cell.replace(/[\\|<>*_`[\]]/g, '\\$&'))) : cells
  const widths = numeric.map((_, i) => escaped.reduce((most, row) => Math.max(most, textWidth(row[i]!)), 3))
  const [head, ...lines] = escaped.map(row =>
    row.map((cell, i) => pad(cell, widths[i]!, numeric[i]!)).join(markdown ? ' | ' : '  '),
  )
  if (!markdown) {
    const rule = widths.map(width => '─'.repeat(width)).join('  ')
    return `${[head!, rule, ...lines].map(text => text.trimEnd()).join('\n')}\n`
  }
  const rule = widths.map((width, i) => (numeric[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')
  return `${[head!, rule, ...lines].map(text => `| ${text} |`).join('\n')}\n`
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

function latex(cells: readonly string[][], numeric: readonly boolean[]): string {
  const [head, ...lines] = cells.map(row => `${row.map(latexText).join(' & ')} \\\\`)
  const spec = numeric.map(is => (is ? 'r' : 'l')).join('')
  return [
    ...[`\\begin{tabular}{${spec}}`, '\\toprule', head!, '\\midrule'],
    ...[...lines, '\\bottomrule', '\\end{tabular}', ''],
  ].join('\n')
}

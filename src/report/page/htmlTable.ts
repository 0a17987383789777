/** The one renderer of tables in pages: the report writes its markup, the dashboard puts it into its views. */
import { groupByKey } from '../../lib/tally.ts'
import { countText, withUnbrokenSpaces } from '../../lib/table/text.ts'
import { markup, type Markup } from './markup.ts'
import { type TableColumn, cellText as textOf, type CellValue } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'

/** A column of a table in a page. */
export interface PageColumn<Row> extends TableColumn<Row> {
  /** The address that a cell leads to. */
  link?: (row: Row) => string
  /** Shown when the pointer rests on a cell: the code behind a name. */
  hint?: (row: Row) => string | undefined
  /** Whether a cell is set in bold. */
  isMarked?: (row: Row) => boolean
  /** Hidden until a reader chooses it. */
  isHidden?: boolean
}

export interface HtmlTable<Row> {
  /** Name of the downloaded file, without ending. */
  name: string
  caption: string
  columns: readonly PageColumn<Row>[]
  rows: readonly Row[]
  /** Rows that the page shows; by default all. The download has all. */
  shownRows?: readonly Row[]
  /** Returns the heading under which a row stands, or '' for no headings. */
  groupOf?: ((row: Row) => string) | undefined
  /** Address of the download; by default a `data:` address with all rows. */
  address?: string
}

/** A table with a caption, row and column headings, exact values for sorting, and all rows as a CSV download. */
export function htmlTable<Row>({
  name,
  caption,
  columns,
  rows,
  shownRows: shown = rows,
  groupOf = () => '',
  address = csvAddress(columns, rows),
}: HtmlTable<Row>): Markup {
  const readable = columns
    .filter(({ heading }) => heading !== '')
    .map(column => ({ column, isNumeric: isNumericColumn(column, rows) }))
  const head = readable.map(
    ({ column: { heading, isHidden }, isNumeric }) =>
      markup`<th scope="col"${isNumeric && markup` class="number"`}${isHidden && markup` data-hidden`}>${withUnbrokenSpaces(heading)}</th>`,
  )
  const groups = groupByKey(rows, groupOf)
  const bodies = [...groupByKey(shown, groupOf)].map(([group, own]) => {
    const heading =
      group !== '' &&
      markup`<tr class="group"><th scope="rowgroup" colspan="${readable.length}">${group} <span>${groups.get(group)!.length}</span></th></tr>`
    return markup`<tbody>${heading}${own.map(row => tableRow(row, readable))}</tbody>`
  })
  const note =
    shown.length < rows.length
      ? `${caption.endsWith('.') ? '' : '.'} Shown: ${shown.length} of ${rows.length} rows; the CSV file has all.`
      : ''
  return markup`<div class="table">
    <div class="tools">${csvLink(name, rows.length, address)}</div>
    <div class="scroll" tabindex="0" role="region" aria-label="${caption}">
      <table>
        <caption><span>${withUnbrokenSpaces(caption)}${note}</span></caption>
        <thead>
          <tr>
            ${head}
          </tr>
        </thead>
        ${bodies}
      </table>
    </div>
  </div> `
}

const isNumericColumn = <Row>({ type, value }: TableColumn<Row>, rows: readonly Row[]): boolean =>
  type === 'number' || rows.some(row => typeof value(row) === 'number')

interface ReadableColumn<Row> {
  column: PageColumn<Row>
  isNumeric: boolean
}

function tableRow<Row>(row: Row, columns: readonly ReadableColumn<Row>[]): Markup {
  const [first, ...rest] = columns
  return markup`<tr>${first && rowHeading(first.column, row)}${rest.map(column => tableCell(column, row))}</tr>`
}

/** Longer names of rows get a column that is wide enough to read them. */
const longNameLength = 16

const rowHeading = <Row>(column: PageColumn<Row>, row: Row): Markup =>
  markup`<th scope="row"${textOf(column, row).length > longNameLength && markup` class="named"`}>${cellContent(column, row)}</th>`

function tableCell<Row>({ column, isNumeric }: ReadableColumn<Row>, row: Row): Markup {
  const content = cellContent(column, row)
  const text = textOf(column, row)
  if (!isNumeric)
    return text.length > longTextLength
      ? markup`<td class="long">${content}</td>`
      : markup`<td>${content}</td>`
  const exact = toSevenDigits(column.value(row))
  return String(exact) === text
    ? markup`<td data-v>${content}</td>`
    : markup`<td data-v="${exact}">${content}</td>`
}

function cellContent<Row>(column: PageColumn<Row>, row: Row): Markup {
  const text = textOf(column, row)
  const hint = column.hint?.(row)
  const shown = breakable(text)
  const named =
    hint === undefined || hint === text ? shown : markup`<span title="${hint}">${shown}</span>`
  if (column.link && text !== '–') return markup`<a href="${column.link(row)}">${named}</a>`
  return column.isMarked?.(row) ? markup`<b>${named}</b>` : named
}

/** A text whose long words may break after their signs, as names of models have them. */
export const breakable = (text: string): Markup =>
  markup`${text.split(/(?<=\S{6}[_./:-])(?=\S{2})/).map((part, i) => markup`${i > 0 && markup`<wbr>`}${part}`)}`

/** Longer texts get a wide column. */
const longTextLength = 40

const toSevenDigits = (value: CellValue): CellValue =>
  typeof value === 'number' ? Number(value.toPrecision(7)) : value

/** A link that saves the rows as CSV, numbers to seven digits, without a script. */
export const csvDownload = <Row>(
  name: string,
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
): Markup => csvLink(name, rows.length, csvAddress(columns, rows))

const csvLink = (name: string, rows: number, address: string): Markup =>
  markup`<a download="${name}.csv" href="${address}">CSV of ${countText(rows, 'row')}</a>`

/** Returns a `data:` address of rows as CSV, numbers to seven digits. */
export function csvAddress<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
): string {
  const short = columns.map(column => ({
    ...column,
    value: (row: Row) => toSevenDigits(column.value(row)),
  }))
  const data = encodeURI(withoutSurrogates(formatTable(short, rows, 'csv'))).replaceAll('#', '%23')
  return `data:text/csv;charset=utf-8,${data}`
}

/** Replaces lone surrogates, which `encodeURI` rejects. */
const withoutSurrogates = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd')

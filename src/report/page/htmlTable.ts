import { markup, type Markup } from './markup.ts'
import {
  type TableColumn,
  formatTable,
  cellText as textOf,
  type CellValue,
} from '../../lib/table/columns.ts'

export interface HtmlTable<Row> {
  /** Name of the downloaded file, without ending. */
  name: string
  caption: string
  columns: readonly TableColumn<Row>[]
  rows: readonly Row[]
  /** Rows that the page shows, where it does not show all; the download has all. */
  shownRows?: readonly Row[]
}

/** A table with a caption, row and column headings, exact values for sorting, and all rows as a CSV download. */
export function htmlTable<Row>({
  name,
  caption,
  columns,
  rows,
  shownRows: shown = rows,
}: HtmlTable<Row>): Markup {
  const readable = columns.filter(({ heading }) => heading !== '')
  const numeric = readable.map(({ value }) => rows.some(row => typeof value(row) === 'number'))
  const head = readable.map(
    ({ heading }, i) =>
      markup`<th scope="col" ${numeric[i] && markup` class="number"`}>${heading}</th>`,
  )
  const body = shown.map(row => {
    const [first, ...rest] = readable
    const cells = rest.map((column, i) => tableCell(column, row, numeric[i + 1]!))
    return markup`<tr>${first && markup`<th scope="row">${textOf(first, row)}</th>`}${cells}</tr>`
  })
  const note =
    shown.length < rows.length
      ? ` Shown: ${shown.length} of ${rows.length} rows; the CSV file has all.`
      : ''
  return markup`<div class="table">
    <div class="tools">${csvDownload(name, columns, rows)}</div>
    <div class="scroll" tabindex="0" role="region" aria-label="${caption}">
      <table>
        <caption><span>${caption}${note}</span></caption>
        <thead>
          <tr>
            ${head}
          </tr>
        </thead>
        <tbody>
          ${body}
        </tbody>
      </table>
    </div>
  </div> `
}

function tableCell<Row>(column: TableColumn<Row>, row: Row, numeric: boolean): Markup {
  const text = textOf(column, row)
  if (!numeric)
    return text.length > longTextLength
      ? markup`<td class="long">${text}</td>`
      : markup`<td>${text}</td>`
  const exact = toSevenDigits(column.value(row))
  return String(exact) === text
    ? markup`<td data-v>${text}</td>`
    : markup`<td data-v="${exact}">${text}</td>`
}

/** Longer texts get a wide column. */
const longTextLength = 40

const toSevenDigits = (value: CellValue): CellValue =>
  typeof value === 'number' ? Number(value.toPrecision(7)) : value

/** A link that saves the rows as CSV, numbers to seven digits, without a script. */
export function csvDownload<Row>(
  name: string,
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
): Markup {
  const short = columns.map(column => ({
    ...column,
    value: (row: Row) => toSevenDigits(column.value(row)),
  }))
  const data = encodeURI(withoutSurrogates(formatTable(short, rows, 'csv'))).replaceAll('#', '%23')
  return markup`<a download="${name}.csv" href="data:text/csv;charset=utf-8,${data}">CSV of ${rows.length} rows</a>`
}

/** Replaces lone surrogates, which `encodeURI` rejects. */
const withoutSurrogates = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd')

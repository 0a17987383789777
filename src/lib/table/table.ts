import { type TableColumn, type TableFormat, formatTable, type CellValue } from './columns.ts'

/** Named columns and rows, ready for any format. */
export interface Table {
  /** For machines: `accuracy`, `paper-2`. */
  name: string
  title: string
  /** What to know before reading a number. */
  notes: readonly string[]
  columns: readonly { name: string; heading: string }[]
  /** Row by row in the order of `columns`. */
  values: readonly (readonly CellValue[])[]
  text: (format: TableFormat) => string
}

export function createTable<Row>(
  about: Pick<Table, 'name' | 'title'> & Partial<Pick<Table, 'notes'>>,
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
): Table {
  return {
    notes: [],
    ...about,
    columns: columns.map(({ name, heading }) => ({ name, heading: heading || name })),
    values: rows.map(row => columns.map(({ value }) => value(row))),
    text: format => formatTable(columns, rows, format),
  }
}

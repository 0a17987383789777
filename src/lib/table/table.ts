import { type TableColumn, type TableFormat, formatTable, type CellValue } from './columns.ts'

/** Named columns and rows, ready for any format. */
export interface Table {
  /** The name for programs: `accuracy`, `paper-2`. */
  name: string
  title: string
  /** What the table shows, in words, which text and documents have before it. */
  sentences?: readonly string[]
  /** Sentences that a reader needs to interpret the numbers. */
  notes: readonly string[]
  columns: readonly Required<Pick<TableColumn<never>, 'name' | 'heading' | 'type'>>[]
  /** The rows, each in the order of `columns`. */
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
    columns: columns.map(({ name, heading, type = 'text' }) => ({
      name,
      heading: heading || name,
      type,
    })),
    values: rows.map(row => columns.map(({ value }) => value(row))),
    text: format => formatTable(columns, rows, format),
  }
}

import { type Column, type Format, formatTable, type Value } from './columns.ts'

/** A table ready for any format, its rows' type forgotten. */
export interface Exported {
  /** For machines: `accuracy`, `paper-2`. */
  name: string
  title: string
  /** What to know before reading a number. */
  notes: readonly string[]
  columns: readonly { name: string; heading: string }[]
  /** Row by row in the order of `columns`. */
  values: readonly (readonly Value[])[]
  text: (format: Format) => string
}

export function exported<Row>(
  about: Pick<Exported, 'name' | 'title'> & Partial<Pick<Exported, 'notes'>>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Exported {
  return {
    notes: [],
    ...about,
    columns: columns.map(({ name, heading }) => ({ name, heading: heading || name })),
    values: rows.map(row => columns.map(({ value }) => value(row))),
    text: format => formatTable(columns, rows, format),
  }
}

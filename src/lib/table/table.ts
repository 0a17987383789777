import { unknownNameError } from '../errors.ts'
import { type TableColumn, type CellValue } from './columns.ts'
import { type TableFormat, formatTable } from './formats.ts'

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
  /** Returns the table with some columns, in their order, and its rows in another order. Errors: unknown-column. */
  arrange: (arrangement: TableArrangement) => Table
}

/** A choice of columns, by name or heading, and a column to sort by; a minus before it turns the order around. */
export interface TableArrangement {
  columns?: readonly string[] | undefined
  sort?: string | undefined
  /** Only the rows that have one of these texts in a column of this name. */
  only?: Readonly<Record<string, readonly string[]>> | undefined
}

export function createTable<Row>(
  about: Pick<Table, 'name' | 'title'> & Partial<Pick<Table, 'notes' | 'sentences'>>,
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
    arrange: arrangement => {
      const arranged = arrangeRows(columns, rows, arrangement)
      return createTable(about, arranged.columns, arranged.rows)
    },
  }
}

/** Returns some columns, in their order, and some rows in another order. Errors: unknown-column. */
export function arrangeRows<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  { columns: asked, sort, only = {} }: TableArrangement,
): { columns: readonly TableColumn<Row>[]; rows: readonly Row[] } {
  const kept = rows.filter(row =>
    Object.entries(only).every(([name, values]) =>
      values.includes(String(findColumn(columns, name).value(row))),
    ),
  )
  return {
    columns: asked?.map(name => shownColumn(findColumn(columns, name))) ?? columns,
    rows: sort === undefined ? kept : sortRows(columns, kept, sort),
  }
}

function findColumn<Row>(columns: readonly TableColumn<Row>[], name: string): TableColumn<Row> {
  const found = columns.find(column => isNamed(column, name))
  if (found) return found
  throw unknownNameError(
    'column',
    name,
    columns.map(column => column.name),
  )
}

/** Returns whether a column has this name, or this heading in any case. */
const isNamed = (column: Readonly<Record<'name' | 'heading', string>>, asked: string): boolean =>
  column.name === asked || column.heading.toLowerCase() === asked.toLowerCase()

/** Returns a column that readers see, as it was asked for. */
const shownColumn = <Row>(column: TableColumn<Row>): TableColumn<Row> => ({
  ...column,
  heading: column.heading || column.name,
})

/** Sorts numbers from low to high and texts by the alphabet, or the other way round after a minus; missing values come last. */
function sortRows<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  sort: string,
): Row[] {
  const sign = sort.startsWith('-') ? -1 : 1
  const { value } = findColumn(columns, sort.replace(/^-/, ''))
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    const order =
      typeof a === 'number' && typeof b === 'number'
        ? a - b
        : String(a).localeCompare(String(b), 'en', { numeric: true })
    return sign * order
  })
}

/**
 * Returns the tables that have all of the columns, or else those that have some, with these alone and sorted where they have the
 * column to sort by. Errors: unknown-column for one that no table has.
 */
export function arrangeTables(
  tables: readonly Table[],
  { columns, sort, only = {} }: TableArrangement,
): Table[] {
  const has = (table: Table, name: string): boolean =>
    table.columns.some(column => isNamed(column, name))
  const key = sort?.replace(/^-/, '')
  for (const name of [...(columns ?? []), ...(key === undefined ? [] : [key])]) {
    if (tables.some(table => has(table, name))) continue
    const names = tables.flatMap(table => table.columns.map(column => column.name))
    throw unknownNameError('column', name, [...new Set(names)])
  }
  const complete = tables.filter(table => columns?.every(name => has(table, name)) ?? true)
  const some = tables.filter(table => columns?.some(name => has(table, name)))
  return (complete.length > 0 ? complete : some).map(table => ({
    ...table.arrange({
      columns: columns?.filter(name => has(table, name)),
      sort: key !== undefined && has(table, key) ? sort : undefined,
      only: Object.fromEntries(Object.entries(only).filter(([name]) => has(table, name))),
    }),
    notes: table.notes,
  }))
}

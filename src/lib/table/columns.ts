import { percent, percentRange } from './text.ts'

export type CellValue = string | number | null

/** A column: its name for programs, its heading for readers (hidden from them if empty), and its values. */
export interface TableColumn<Row> {
  name: string
  heading: string
  value: (row: Row) => CellValue
  /** The type of the values, some of which may be null; text by default. */
  type?: 'number' | 'text'
  /** The text of a cell; the value itself by default. */
  show?: (row: Row) => string
}

/** Returns the column of a field of the rows; `show` gives the text of a value, by default the value itself. */
export function fieldColumn<Name extends string>(
  name: Name,
  heading?: string,
): TableColumn<Readonly<Record<Name, CellValue>>>
export function fieldColumn<Name extends string, Value extends CellValue>(
  name: Name,
  heading: string,
  show: (value: Value) => string,
): TableColumn<Readonly<Record<Name, Value>>>
export function fieldColumn<Name extends string>(
  name: Name,
  heading: string = name,
  show: (value: never) => string = plainText,
): TableColumn<Readonly<Record<Name, never>>> {
  return { name, heading, value: row => row[name], show: row => show(row[name]) }
}

const plainText = (value: CellValue): string =>
  value === null ? '–' : typeof value === 'number' ? String(value).replace(/^-/, '−') : value

/** Returns columns of several fields with their headings. */
export const fieldColumns = <Name extends string>(
  headings: Readonly<Record<Name, string>>,
): TableColumn<Readonly<Record<Name, CellValue>>>[] =>
  (Object.entries(headings) as [Name, string][]).map(([name, heading]) =>
    fieldColumn(name, heading),
  )

/** Returns columns of several fields that are numbers. */
export const numericColumns = <Name extends string>(
  headings: Readonly<Record<Name, string>>,
): TableColumn<Readonly<Record<Name, number | null>>>[] =>
  fieldColumns(headings).map(column => ({ ...column, type: 'number' as const }))

/** Returns the column of a field that is a share, shown in percent. */
export const shareColumn = <Name extends string>(
  name: Name,
  heading: string,
): TableColumn<Readonly<Record<Name, number | null>>> => ({
  ...fieldColumn(name, heading, (share: number | null) => percent(share)),
  type: 'number',
})

/** Returns the columns of an interval of shares: one for readers, both ends for programs. */
export const intervalColumns = <Row>(
  of: (row: Row) => readonly [low: number | null, high: number | null],
  heading = '95 % interval',
): TableColumn<Row>[] => [
  {
    name: 'low',
    heading,
    type: 'number',
    value: row => of(row)[0],
    show: row => percentRange(...of(row)),
  },
  { name: 'high', heading: '', type: 'number', value: row => of(row)[1] },
]

/** Returns the text of a cell. */
export function cellText<Row>({ value, show }: TableColumn<Row>, row: Row): string {
  return show ? show(row) : plainText(value(row))
}

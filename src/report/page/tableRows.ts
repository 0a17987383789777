/** Chooses the rows that a table shows. */
import { groupByKey } from '../../lib/tally.ts'
import { cellText, type TableColumn } from '../../lib/table/columns.ts'
import { compareCells, type TableState } from './tables.js'

export interface ChosenRows<Row> {
  /** At most `state.most` rows, those of a group together. */
  shown: readonly Row[]
  /** The number of rows that have all words of the search. */
  found: number
}

/** Returns the rows that a reader searched for, in the order of the column that they chose; groups stay in the order of `rows`. */
export function chooseRows<Row>(
  rows: readonly Row[],
  columns: readonly TableColumn<Row>[],
  {
    sort,
    search = '',
    most = Infinity,
    groupOf = () => '',
  }: TableState & { groupOf?: ((row: Row) => string) | undefined },
): ChosenRows<Row> {
  const readable = columns.filter(({ heading }) => heading !== '')
  const words = search.toLowerCase().split(/\s+/)
  const isFound = (row: Row): boolean => {
    const text = readable.map(column => cellText(column, row)).join(' ')
    return words.every(word => text.toLowerCase().includes(word))
  }
  const found = search === '' ? rows : rows.filter(isFound)
  const groups = [...groupByKey(found, groupOf).values()]
  const column = sort && readable[sort.column]
  const sorted = column ? groups.map(own => sortRows(own, column, sort.isRising ? 1 : -1)) : groups
  return { shown: sorted.flat().slice(0, most), found: found.length }
}

function sortRows<Row>(rows: readonly Row[], column: TableColumn<Row>, order: 1 | -1): Row[] {
  const keyed = rows.map(row => {
    const value = column.value(row)
    return { row, key: typeof value === 'string' ? cellText(column, row) : (value ?? '') }
  })
  return keyed.sort((a, b) => compareCells(a.key, b.key, order)).map(({ row }) => row)
}

import type { GroupValue } from '../dataset.ts'
import { missingPattern, rawCellText } from '../readTable.ts'

type TableRows = readonly Record<string, unknown>[]

/**
 * A number as programs write one: `120`, `120.50`, pandas' `120.0`, R's `1e+05`. `01234` is a code, and `2.400` may be German for
 * 2,400: with three decimals the last is no zero, or the number is below 1.
 */
const isNumber = (value: string): boolean =>
  (String(Number(value)) === value && Number.isFinite(Number(value))) ||
  (/^-?(0|[1-9]\d{0,14})\.\d*0$/.test(value) && !/[1-9]\d*\.\d\d0$/.test(value)) ||
  /^-?\d(\.\d+)?e[+-]\d+$/i.test(value)

/** Returns a cell as a text without spaces around it, which tell no groups apart; null when it is empty. */
const cellText = (row: Readonly<Record<string, unknown>>, column: string): string | null =>
  rawCellText(row[column])?.trim() || null

/** Words for a missing number; no double holds infinity as an income. */
const isMissingNumber = (value: string): boolean =>
  missingPattern.test(value) || /^[+-]?inf(inity)?$/i.test(value)

/** The texts of a column that has some value, counted by what they are. */
function classifyCells(rows: TableRows, column: string): { numbers: number; others: string[] } {
  const values = rows.flatMap(row => cellText(row, column) ?? [])
  const others = values.filter(value => !isNumber(value))
  return {
    numbers: values.length - others.length,
    others: others.filter(value => !isMissingNumber(value)),
  }
}

/**
 * One record of grouping values a row. A column is numeric when it has numbers and nothing else but words for a missing one, which
 * then are null.
 */
export function groupColumns(
  rows: TableRows,
  columns: readonly string[],
): Record<string, GroupValue>[] {
  const numeric = new Set(
    columns.filter(column => {
      const { numbers, others } = classifyCells(rows, column)
      return numbers > 0 && others.length === 0
    }),
  )
  const valueOf = (column: string, value: string | null): GroupValue =>
    value === null || !numeric.has(column) ? value : isNumber(value) ? Number(value) : null
  return rows.map(row =>
    Object.fromEntries(columns.map(column => [column, valueOf(column, cellText(row, column))])),
  )
}

/** A number with separators, a sign or a unit: `1,200`, `$1200`, `1 200 €`, `1'200`, `12 %`, `+12`. */
const isMarkedNumber = (value: string): boolean =>
  /^[-+]?(\p{Sc}|[A-Z]{3}\b)?\s?\d+([.,'’\s]\d+)*\s?(\p{Sc}|%|[A-Z]{3})?$/u.test(value) &&
  !/^[\d.]+$/.test(value)

/** Columns that would be numbers but for marks in them or a few values, in words. */
export const nearlyNumericNotes = (rows: TableRows, columns: readonly string[]): string[] =>
  columns.flatMap(column => {
    const { numbers, others } = classifyCells(rows, column)
    if (others.length === 0) return []
    const shown = [...new Set(others)].slice(0, 5).join('; ')
    if (others.length > numbers && others.every(isMarkedNumber))
      return `its column ${column} is taken as text, for its numbers have ${others.every(value => /^-?\d+(,\d+)+$/.test(value)) ? 'commas' : 'separators, signs or units'}: ${shown}`
    if (others.length > numbers) return []
    return `its column ${column} is taken as text, for ${others.length} of ${others.length + numbers} values are not plain numbers: ${shown}`
  })

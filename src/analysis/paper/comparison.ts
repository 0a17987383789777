import { type Interval } from '../../metrics/intervals.ts'
import { paperTable } from './published.ts'
import { type Column, fields } from '../../lib/table/columns.ts'
import { pText } from '../../lib/table/text.ts'

/** One number of ours beside the paper's, both in the paper's unit. */
export interface Comparison {
  table: string
  /** Models that the number speaks of. */
  set: string
  row: string
  quantity: string
  /** `percent` and `points` are on the scale 0 … 100. */
  unit: string
  ours: number | null
  low: number | null
  high: number | null
  /** Models behind the number. */
  n: number | null
  /** `measured`, `imported`, or how many of the accuracies were imported. */
  from: string
  paper: number | null
  /** The ± that the paper prints. */
  paperError: number | null
  /** Ours minus the paper's. */
  difference: number | null
  /** Why ours is null, or what to know about it. */
  note: string | null
}

/** Our side of a comparison, as metrics give it: shares, not percent. */
export interface Ours {
  value: number | null
  interval?: Interval | null
  n?: number | null
  from?: string
  note?: string | null
}

type Place = Pick<Comparison, 'table' | 'set' | 'row' | 'quantity' | 'unit'>
type Printed = { value: number; error?: number | null } | null | undefined

/** Percent and points are 100 times the share that a metric gives. */
const scaleOf = (unit: string): number => (unit === 'percent' || unit === 'points' ? 100 : 1)

export function compare(place: Place, { value, interval, n, from, note }: Ours, printed: Printed): Comparison {
  const scale = scaleOf(place.unit)
  const ours = value === null ? null : value * scale
  const paper = printed?.value ?? null
  return {
    ...place,
    ours,
    low: interval ? interval[0] * scale : null,
    high: interval ? interval[1] * scale : null,
    n: n ?? null,
    from: ours === null ? '' : (from ?? 'measured'),
    paper,
    paperError: printed?.error ?? null,
    difference: ours === null || paper === null ? null : ours - paper,
    note: note ?? null,
  }
}

/** What a table of the paper prints, by row and column; undefined where it prints nothing. */
export function printedIn(table: string): (row: string, column: string) => (Printed & object) | undefined {
  const { values } = paperTable(table)
  return (row, column) => values.find(value => value.row === row && value.column === column)
}

const digits = (unit: string): number => (scaleOf(unit) === 100 ? 1 : 2)

export function shownNumber(value: number | null, unit: string): string {
  if (value === null) return '–'
  if (unit === 'p') return pText(value)
  return value.toFixed(digits(unit))
}

const signed = (value: number | null, unit: string): string =>
  value === null || unit === 'p' ? '–' : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits(unit))}`

const range = ({ low, high, unit }: Comparison): string =>
  low === null || high === null ? '–' : `${shownNumber(low, unit)} … ${shownNumber(high, unit)}`

export const comparisonColumns = (rowHeading: string, oursHeading = 'ours'): Column<Comparison>[] => [
  ...fields({ set: 'models', row: rowHeading, quantity: 'quantity', unit: 'unit' }),
  { name: 'ours', heading: oursHeading, value: one => one.ours, show: one => shownNumber(one.ours, one.unit) },
  { name: 'low', heading: '95 % interval', value: one => one.low, show: range },
  ...fields({ high: '', n: 'n' }),
  {
    name: 'paper',
    heading: 'paper',
    value: one => one.paper,
    show: ({ paper, paperError }) =>
      paper === null ? '–' : `${paper}${paperError === null ? '' : ` ± ${paperError}`}`,
  },
  { name: 'paper_error', heading: '', value: one => one.paperError },
  {
    name: 'difference',
    heading: 'difference',
    value: one => one.difference,
    show: one => signed(one.difference, one.unit),
  },
  { name: 'from', heading: 'from', value: one => one.from, show: one => one.from || '–' },
  { name: 'note', heading: 'note', value: one => one.note, show: one => one.note ?? '' },
]

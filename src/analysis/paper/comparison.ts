import { type Interval } from '../../metrics/intervals.ts'
import { paperTable } from './printedNumbers.ts'
import { type TableColumn, fieldColumns } from '../../lib/table/columns.ts'
import { pValueText } from '../../lib/table/text.ts'

/** One number of ours beside the paper's, both in the paper's unit. */
export interface PaperComparison {
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
export interface MeasuredValue {
  value: number | null
  interval?: Interval | null
  n?: number | null
  from?: string
  note?: string | null
}

type PaperCell = Pick<PaperComparison, 'table' | 'set' | 'row' | 'quantity' | 'unit'>
type PrintedValue = { value: number; error?: number | null } | null | undefined

/** Percent and points are 100 times the share that a metric gives. */
const scaleOf = (unit: string): number => (unit === 'percent' || unit === 'points' ? 100 : 1)

export function compareWithPaper(
  place: PaperCell,
  { value, interval, n, from, note }: MeasuredValue,
  printed: PrintedValue,
): PaperComparison {
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
export function printedValues(
  table: string,
): (row: string, column: string) => (PrintedValue & object) | undefined {
  const { values } = paperTable(table)
  return (row, column) => values.find(value => value.row === row && value.column === column)
}

const decimalsOf = (unit: string): number => (scaleOf(unit) === 100 ? 1 : 2)

export function paperNumberText(value: number | null, unit: string): string {
  if (value === null) return '–'
  if (unit === 'p') return pValueText(value)
  return value.toFixed(decimalsOf(unit))
}

const signedDifference = (value: number | null, unit: string): string =>
  value === null || unit === 'p'
    ? '–'
    : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(decimalsOf(unit))}`

const paperIntervalText = ({ low, high, unit }: PaperComparison): string =>
  low === null || high === null
    ? '–'
    : `${paperNumberText(low, unit)} … ${paperNumberText(high, unit)}`

export const comparisonColumns = (
  rowHeading: string,
  oursHeading = 'ours',
): TableColumn<PaperComparison>[] => [
  ...fieldColumns({ set: 'models', row: rowHeading, quantity: 'quantity', unit: 'unit' }),
  {
    name: 'ours',
    heading: oursHeading,
    value: one => one.ours,
    show: one => paperNumberText(one.ours, one.unit),
  },
  { name: 'low', heading: '95 % interval', value: one => one.low, show: paperIntervalText },
  ...fieldColumns({ high: '', n: 'n' }),
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
    show: one => signedDifference(one.difference, one.unit),
  },
  { name: 'from', heading: 'from', value: one => one.from, show: one => one.from || '–' },
  { name: 'note', heading: 'note', value: one => one.note, show: one => one.note ?? '' },
]

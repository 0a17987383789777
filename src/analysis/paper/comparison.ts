import { type Interval } from '../../metrics/intervals.ts'
import { paperTable } from './printedNumbers.ts'
import { type TableColumn, fieldColumns, numericColumns } from '../../lib/table/columns.ts'
import { pValueText } from '../../lib/table/text.ts'

/** A measured number beside the paper's, both in the unit of the paper. */
export interface PaperComparison {
  table: string
  /** The models of the number. */
  set: string
  row: string
  quantity: string
  /** `percent` and `points` are on the scale 0 … 100. */
  unit: string
  ours: number | null
  low: number | null
  high: number | null
  /** Number of models, or of seeds. */
  n: number | null
  /** `measured`, `imported`, or the number of imported accuracies. */
  from: string
  paper: number | null
  /** The ± that the paper prints. */
  paperError: number | null
  /** The measured number minus the paper's. */
  difference: number | null
  /** Why `ours` is null, or a remark. */
  note: string | null
}

/** A measured number as metrics return it: a share, not percent. */
export interface MeasuredValue {
  value: number | null
  interval?: Interval | null
  n?: number | null
  from?: string
  note?: string | null
}

type PaperCell = Pick<PaperComparison, 'table' | 'set' | 'row' | 'quantity' | 'unit'>
export type PrintedValue = { value: number; error?: number | null } | null | undefined

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

/** Accuracies are in percent, their differences in points. */
const unitOf = (quantity: string): string =>
  /accuracy$|^imagenet-1k$|^ood average$/.test(quantity) ? 'percent' : 'points'

/** Returns a function that creates rows of a table of accuracies and differences; `column` is the paper's, by default the quantity. */
export function comparisonRow(table: string) {
  const printed = printedValues(table)
  return (
    { column, ...place }: Pick<PaperCell, 'set' | 'row' | 'quantity'> & { column?: string },
    ours: MeasuredValue,
  ): PaperComparison =>
    compareWithPaper(
      { table, ...place, unit: unitOf(place.quantity) },
      ours,
      printed(place.row, column ?? place.quantity),
    )
}

/** Returns a function that finds the printed value of a table by row and column, or undefined if nothing is printed. */
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
    type: 'number',
    value: one => one.ours,
    show: one => paperNumberText(one.ours, one.unit),
  },
  {
    name: 'low',
    heading: '95 % interval',
    type: 'number',
    value: one => one.low,
    show: paperIntervalText,
  },
  ...numericColumns({ high: '', n: 'n' }),
  {
    name: 'paper',
    heading: 'paper',
    type: 'number',
    value: one => one.paper,
    show: ({ paper, paperError }) =>
      paper === null ? '–' : `${paper}${paperError === null ? '' : ` ± ${paperError}`}`,
  },
  { name: 'paper_error', heading: '', type: 'number', value: one => one.paperError },
  {
    name: 'difference',
    heading: 'difference',
    type: 'number',
    value: one => one.difference,
    show: one => signedDifference(one.difference, one.unit),
  },
  { name: 'from', heading: 'from', value: one => one.from, show: one => one.from || '–' },
  { name: 'note', heading: 'note', value: one => one.note, show: one => one.note ?? '' },
]

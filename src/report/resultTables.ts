import { type AccuracyRow, type DisparityRow, type Run } from '../run.ts'
import { type Column, type Format, formatTable } from './tables.ts'
import { percent, percentRange } from './text.ts'

/** Columns of an accuracy table; `by` heads the group column. */
export const accuracyColumns = (by: readonly string[]): Column<AccuracyRow>[] => [
  { name: 'model', heading: 'model', value: row => row.model },
  { name: 'dataset', heading: 'data set', value: row => row.dataset },
  { name: 'preprocessing', heading: 'preprocessing', value: row => row.preprocessing },
  ...(by.length === 0 ? [] : [{ name: 'group', heading: by.join(' × '), value: (row: AccuracyRow) => row.group }]),
  { name: 'n', heading: 'n', value: row => row.n },
  { name: 'top1', heading: 'top-1 %', value: row => row.top1, show: row => percent(row.top1) },
  { name: 'low', heading: '95 % interval', value: row => row.low, show: row => percentRange(row.low, row.high) },
  { name: 'high', heading: '', value: row => row.high },
  { name: 'top5', heading: 'top-5 %', value: row => row.top5, show: row => percent(row.top5) },
  { name: 'errors', heading: 'errors', value: row => row.errors },
]

export const disparityColumns: Column<DisparityRow>[] = [
  { name: 'model', heading: 'model', value: row => row.model },
  { name: 'dataset', heading: 'data set', value: row => row.dataset },
  { name: 'preprocessing', heading: 'preprocessing', value: row => row.preprocessing },
  { name: 'by', heading: 'by', value: row => row.by },
  {
    name: 'disparity',
    heading: 'disparity (points)',
    value: row => row.disparity,
    show: row => percent(row.disparity),
  },
  { name: 'best', heading: 'best', value: row => row.best, show: row => named(row.best, row.bestAccuracy) },
  { name: 'worst', heading: 'worst', value: row => row.worst, show: row => named(row.worst, row.worstAccuracy) },
  {
    name: 'europe_minus_africa',
    heading: 'Europe − Africa',
    value: row => row.europeMinusAfrica,
    show: row => percent(row.europeMinusAfrica),
  },
  { name: 'groups', heading: 'groups', value: row => row.groups },
  { name: 'left_out', heading: 'left out (n)', value: row => leftOut(row), show: row => leftOut(row) || '–' },
]

const named = (group: string | null, share: number | null): string =>
  group === null ? '–' : `${group} ${percent(share)}`

function leftOut({ leftOut }: DisparityRow): string {
  const shown = leftOut.slice(0, 4).map(({ group, n }) => `${group} (${n})`)
  return [...shown, ...(leftOut.length > 4 ? [`${leftOut.length - 4} more`] : [])].join(', ')
}

/** People see the interval in one column, machines get its two ends. */
const forReading = (columns: readonly Column<AccuracyRow>[], format: Format) =>
  format === 'csv' || format === 'json' ? columns : columns.filter(({ name }) => name !== 'high')

export const accuracyTable = (run: Run, by: readonly string[], format: Format): string =>
  formatTable(forReading(accuracyColumns(by), format), run.accuracy({ by }), format)

export const disparityTable = (run: Run, by: string, minN: number, format: Format): string =>
  formatTable(disparityColumns, run.disparity({ by, minN }), format)

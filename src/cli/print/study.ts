import { type StudySummaryRow } from '../../experiments/study.ts'
import { type TableColumn, fieldColumn, shareColumn } from '../../lib/table/columns.ts'
import { type TableFormat, formatTable } from '../../lib/table/formats.ts'
import { percent } from '../../lib/table/text.ts'

/** Returns mean ± standard deviation over the seeds: percent and points for people, shares for programs. */
export function studyTable(
  rows: readonly StudySummaryRow[],
  setting: string,
  format: TableFormat,
): string {
  const columns: TableColumn<StudySummaryRow>[] = [
    fieldColumn('setting', setting, (share: number) => `${percent(share, 0)} %`),
    fieldColumn('metric', 'figure'),
    shareColumn('mean', 'mean (%)'),
    shareColumn('deviation', '±'),
    { name: 'seeds', heading: 'seeds', value: row => row.values.length },
  ]
  return formatTable(columns, rows, format)
}

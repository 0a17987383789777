import { type StudyRow } from '../../experiments/study.ts'
import { type Column, field, type Format, formatTable, share } from '../../lib/table/columns.ts'
import { percent } from '../../lib/table/text.ts'

/** Mean ± deviation over the seeds of every figure; percent and points for people, shares for machines. */
export function studyTable(rows: readonly StudyRow[], setting: string, format: Format): string {
  const columns: Column<StudyRow>[] = [
    { name: 'setting', heading: setting, value: row => row.setting, show: row => `${percent(row.setting, 0)} %` },
    field('metric', 'figure'),
    share('mean', 'mean (%)'),
    share('deviation', '±'),
    { name: 'seeds', heading: 'seeds', value: row => row.values.length },
  ]
  return formatTable(columns, rows, format)
}

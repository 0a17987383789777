import { type RecordedRun, tagsText } from '../../results/runRecords.ts'
import { type ResultStatus, type RunStatus } from '../../results/status.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
import { type TableColumn, fieldColumns } from '../../lib/table/columns.ts'

const columns: TableColumn<ResultStatus>[] = [
  ...fieldColumns({
    model: 'model',
    dataset: 'data set',
    preprocessing: 'preprocessing',
    state: 'state',
    rows: 'rows',
    images: 'images',
    errors: 'errors',
  }),
  { name: 'why', heading: 'why', value: reasonOf, show: row => reasonOf(row) ?? '' },
  ...fieldColumns({ key: '', written: '' }),
]

function reasonOf({ message, differs }: ResultStatus): string | null {
  if (message !== null) return message
  return differs.length === 0 ? null : `differs in ${differs.join(', ')}`
}

/** Returns the stored results as a table, and a line for every recorded evaluation. */
export function statusTable({ dir, results, runs }: RunStatus): Table {
  const counts = [...new Set(results.map(({ state }) => state))]
    .map(state => `${results.filter(result => result.state === state).length} ${state}`)
    .join(', ')
  return createTable(
    { name: 'status', title: `${dir}: ${counts}`, notes: runs.map(runLine) },
    columns,
    results,
  )
}

function runLine({ state, host, pid, started, ended, asked, message, tags }: RecordedRun): string {
  if (state === 'damaged') return message!
  const until = ended === undefined ? '' : ` until ${ended}`
  const reason = message === undefined ? '' : `: ${message}`
  const named = tags === undefined ? '' : ` (${tagsText(tags)})`
  return `evaluation${named} of ${asked.length} results from ${started}${until} (process ${pid} on ${host}): ${state}${reason}`
}

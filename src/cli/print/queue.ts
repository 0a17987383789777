import { quoteForMessage } from '../../lib/errors.ts'
import type { ClusterState, RunState, WorkerState } from '../../evaluate/queue/redis.ts'
import { type TableColumn, fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'
import { durationText, stripControlCharacters } from '../../lib/table/text.ts'

const runColumns: TableColumn<RunState>[] = [
  { name: 'run', heading: 'run', value: ({ id }) => id },
  ...fieldColumns({ state: 'state', units: 'units', done: 'done', active: 'at work' }),
  { name: 'waiting', heading: 'waiting', value: ({ waiting, delayed }) => waiting + delayed },
  { name: 'apart', heading: 'set apart', value: ({ apart }) => apart.length },
  fieldColumn('left', 'left', (seconds: number | null) =>
    seconds === null ? '–' : durationText(seconds),
  ),
  fieldColumn('place'),
]

const workerColumns: TableColumn<WorkerState>[] = [
  { name: 'worker', heading: 'worker', value: ({ id }) => id },
  { name: 'at', heading: 'at', value: ({ unit }) => unit ?? null },
  fieldColumn('done', 'units'),
  fieldColumn('rate', 'images/s', (rate: number | null) => rate?.toFixed(1) ?? '–'),
  ...fieldColumns({ cores: 'cores', machine: 'machine' }),
]

export function clusterText({ runs, workers, unreadable }: ClusterState): string {
  const apart = runs.flatMap(({ id, apart }) =>
    apart.map(({ unit, tries, error }) =>
      stripControlCharacters(`set apart in ${id}: ${unit} after ${tries} tries: ${error}`),
    ),
  )
  return [
    runs.length === 0 ? 'no run\n' : formatTable(runColumns, runs, 'text'),
    workers.length === 0 ? 'no worker\n' : formatTable(workerColumns, workers, 'text'),
    ...apart.map(line => `${line}\n`),
    ...unreadable.map(
      ({ key, reason }) =>
        `unreadable record ${quoteForMessage(key)}: ${reason}; geogap queue cancel removes that of a run\n`,
    ),
  ].join('\n')
}

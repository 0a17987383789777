import type { ClusterState, RunState, WorkerState } from '../../evaluate/queue/queue.ts'
import { type TableColumn, formatTable } from '../../lib/table/columns.ts'
import { durationText, stripControlCharacters } from '../../lib/table/text.ts'

const runColumns: TableColumn<RunState>[] = [
  { name: 'run', heading: 'run', value: ({ id }) => id },
  { name: 'state', heading: 'state', value: ({ state }) => state },
  { name: 'units', heading: 'units', value: ({ units }) => units },
  { name: 'done', heading: 'done', value: ({ done }) => done },
  { name: 'active', heading: 'at work', value: ({ active }) => active },
  { name: 'waiting', heading: 'waiting', value: ({ waiting, delayed }) => waiting + delayed },
  { name: 'apart', heading: 'set apart', value: ({ apart }) => apart.length },
  {
    name: 'left',
    heading: 'left',
    value: run => run.left,
    show: ({ left }) => (left === null ? '–' : durationText(left)),
  },
  { name: 'place', heading: 'place', value: ({ place }) => place },
]

const workerColumns: TableColumn<WorkerState>[] = [
  { name: 'worker', heading: 'worker', value: ({ id }) => id },
  { name: 'at', heading: 'at', value: ({ unit }) => unit ?? null },
  { name: 'done', heading: 'units', value: ({ done }) => done },
  {
    name: 'rate',
    heading: 'images/s',
    value: worker => worker.rate,
    show: ({ rate }) => rate?.toFixed(1) ?? '–',
  },
  { name: 'cores', heading: 'cores', value: ({ cores }) => cores },
  { name: 'machine', heading: 'machine', value: ({ machine }) => machine },
]

export function clusterText({ runs, workers }: ClusterState): string {
  const apart = runs.flatMap(({ id, apart }) =>
    apart.map(({ unit, tries, error }) =>
      stripControlCharacters(`set apart in ${id}: ${unit} after ${tries} tries: ${error}`),
    ),
  )
  return [
    runs.length === 0 ? 'no run\n' : formatTable(runColumns, runs, 'text'),
    workers.length === 0 ? 'no worker\n' : formatTable(workerColumns, workers, 'text'),
    ...apart.map(line => `${line}\n`),
  ].join('\n')
}

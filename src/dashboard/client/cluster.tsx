import type { ClusterState, RunState } from '../../evaluate/queue/redis.ts'
import { fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { durationText } from '../../lib/table/text.ts'
import { pollMs, useView } from './useView.ts'
import { WhenLoaded, DataTable, wholeNumberText } from './parts.tsx'

const maxApartRows = 200

/** The runs and workers at a queue. */
export function ClusterView() {
  const cluster = useView('cluster', {}, pollMs)
  return (
    <>
      <h1 tabIndex={-1}>Cluster</h1>
      <WhenLoaded of={cluster}>{data => <ClusterSection cluster={data} />}</WhenLoaded>
    </>
  )
}

function ClusterSection({ cluster }: { cluster: ClusterState }) {
  const { runs, workers, unreadable } = cluster
  const busy = workers.filter(({ unit }) => unit !== undefined)
  const rate = busy.reduce((sum, worker) => sum + (worker.rate ?? 0), 0)
  const apart = runs.flatMap(({ id, apart }) => apart.map(one => ({ run: id, ...one })))
  return (
    <>
      <p role="status">
        {wholeNumberText(busy.length)} of {wholeNumberText(workers.length)} workers are at work
        {rate > 0 && `, ${rate.toFixed(1)} images a second together`}.
      </p>
      {runs.length === 0 && <p class="quiet">No run is at the queue.</p>}
      {runs.map(run => (
        <RunSection key={run.id} run={run} />
      ))}
      {workers.length > 0 && (
        <DataTable
          caption="Workers"
          rows={workers}
          columns={[
            { name: 'host', heading: 'host', value: ({ host, pid }) => `${host}, process ${pid}` },
            {
              name: 'unit',
              heading: 'at work on',
              value: ({ run, unit }) => (unit === undefined ? null : [run, unit].join(' ')),
            },
            fieldColumn('done', 'units'),
            { ...fieldColumn('rate', 'images/s'), show: ({ rate }) => rate?.toFixed(1) ?? '–' },
            fieldColumn('cores'),
            {
              name: 'machine',
              heading: 'machine',
              value: ({ machine, instructions }) => `${machine} (${instructions})`,
            },
            fieldColumn('version', 'geogap'),
          ]}
        />
      )}
      {unreadable.length > 0 && (
        <DataTable
          caption="Records at the queue that cannot be read"
          rows={unreadable}
          columns={fieldColumns({ key: 'record', reason: 'reason' })}
        />
      )}
      {apart.length > 0 && (
        <DataTable
          caption={`Units set apart${apart.length > maxApartRows ? `, the first ${maxApartRows} of ${wholeNumberText(apart.length)}` : ''}`}
          rows={apart.slice(0, maxApartRows)}
          columns={fieldColumns({ run: 'run', unit: 'unit', tries: 'tries', error: 'error' })}
        />
      )}
    </>
  )
}

/** The states of units in the order of the bar; the name gives the CSS class too. */
const unitStates: { name: string; of: (run: RunState) => number }[] = [
  { name: 'done', of: ({ done }) => done },
  { name: 'at work', of: ({ active }) => active },
  { name: 'to be tried again', of: ({ delayed }) => delayed },
  { name: 'set apart', of: ({ apart }) => apart.length },
  { name: 'waiting', of: ({ waiting }) => waiting },
]

function RunSection({ run }: { run: RunState }) {
  const { id, place, state, units, left } = run
  const shares = unitStates
    .map(({ name, of }) => ({ name, count: of(run) }))
    .filter(({ count }) => count > 0)
  const words = shares.map(({ name, count }) => `${wholeNumberText(count)} ${name}`).join(', ')
  return (
    <section aria-label={`Run ${id}`}>
      <h2>
        Run {id}: {state}
        {left !== null && `, about ${durationText(left)} left`}
      </h2>
      <svg
        class="units"
        viewBox={`0 0 ${Math.max(1, units)} 1`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words}
      >
        {shares.map(({ name, count }, i) => (
          <rect
            key={name}
            class={name.replaceAll(' ', '-')}
            x={shares.slice(0, i).reduce((sum, part) => sum + part.count, 0)}
            width={count}
            height="1"
          />
        ))}
      </svg>
      <p>
        Of {wholeNumberText(units)} units:{' '}
        {shares.map(({ name, count }) => (
          <span key={name} class={`key ${name.replaceAll(' ', '-')}`}>
            {wholeNumberText(count)} {name}
          </span>
        ))}
      </p>
      <p class="quiet">
        in {place}, priority {run.priority}
      </p>
    </section>
  )
}

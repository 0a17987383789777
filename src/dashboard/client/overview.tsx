import { type Finding } from '../findings.ts'
import { type DatasetFact, type Overview, type DashboardProgress } from '../views.ts'
import { fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { durationText, percent, percentRange } from '../../lib/table/text.ts'
import { pollMs, useView } from './useView.ts'
import { DataTable, type ViewColumn, WhenLoaded, wholeNumberText } from './parts.tsx'
import { linkTo } from './route.ts'

/** The data sets with their findings, the progress of evaluations, and the failures. */
export function OverviewView({ overview }: { overview: Overview }) {
  const progress = useView('progress', {}, pollMs)
  return (
    <>
      <h1 tabIndex={-1}>Overview</h1>
      <WhenLoaded of={progress}>{data => <ProgressSection progress={data} />}</WhenLoaded>
      <FindingsTable overview={overview} />
      <DataTable caption="Data sets" rows={overview.datasets} columns={datasetColumns} />
      <WhenLoaded of={progress}>{data => <ProblemTables progress={data} />}</WhenLoaded>
    </>
  )
}

const countColumn = (
  heading: string,
  list: (dataset: DatasetFact) => readonly unknown[],
): ViewColumn<DatasetFact> => ({
  name: heading,
  heading,
  value: dataset => list(dataset).length || null,
})

const datasetColumns: ViewColumn<DatasetFact>[] = [
  {
    ...fieldColumn('title', 'data set'),
    link: ({ name }) => linkTo('models', { y: name }),
  },
  fieldColumn('images'),
  countColumn('models', ({ models }) => models),
  countColumn('regions', ({ values }) => values.region),
  countColumn('countries', ({ values }) => values.country),
  countColumn('labels', ({ values }) => values.label),
]

type FindingRow = DatasetFact & { finding: Finding }

/** The finding of each data set: its best model, and how that differs between regions. */
function FindingsTable({ overview }: { overview: Overview }) {
  const rows = overview.datasets.flatMap(dataset =>
    dataset.finding === null ? [] : [{ ...dataset, finding: dataset.finding }],
  )
  const standard = overview.datasets.find(({ reference }) => reference)
  const lacking = rows.some(({ finding: { rate } }) => rate.top1 !== null && rate.low === null)
    ? '. There is no interval where all or most images are of one household'
    : ''
  return (
    <DataTable
      caption={`What the best model of each data set reaches: top-1 accuracy in percent with its 95 % interval, and the disparity between its regions of at least 30 images in points${lacking}`}
      rows={rows}
      columns={[...findingColumns(standard?.title), bestModelColumn]}
    />
  )
}

const findingColumns = (standard: string | undefined): ViewColumn<FindingRow>[] => [
  fieldColumn('title', 'data set'),
  {
    name: 'accuracy',
    heading: 'accuracy',
    value: ({ finding }) => finding.rate.top1,
    show: ({ finding }) => percent(finding.rate.top1),
  },
  {
    name: 'low',
    heading: '95 %',
    value: ({ finding }) => finding.rate.low,
    show: ({ finding: { rate } }) => percentRange(rate.low, rate.high),
  },
  {
    name: 'disparity',
    heading: 'disparity',
    value: ({ finding }) => disparityOf(finding),
    show: ({ finding }) => percent(disparityOf(finding)),
  },
  {
    name: 'highest',
    heading: 'highest',
    value: ({ finding: { regions } }) =>
      regions && `${regions.highest} ${percent(regions.accuracies[0])}`,
  },
  {
    name: 'lowest',
    heading: 'lowest',
    value: ({ finding: { regions } }) =>
      regions && `${regions.lowest} ${percent(regions.accuracies[1])}`,
  },
  {
    name: 'gain',
    heading: standard === undefined ? '' : `gained per point on ${standard}`,
    value: ({ finding }) => finding.gain?.slope ?? null,
    show: ({ finding }) => gainText(finding.gain),
  },
]

const bestModelColumn: ViewColumn<FindingRow> = {
  name: 'best',
  heading: 'best model',
  value: ({ finding }) => finding.best,
  link: ({ name, finding }) => linkTo('model', { model: finding.best, dataset: name }),
}

const disparityOf = ({ regions }: Finding): number | null =>
  regions && regions.accuracies[0] - regions.accuracies[1]

const gainText = (gain: Finding['gain']): string => {
  if (!gain) return '–'
  const [slope, ...ends] = [gain.slope, ...(gain.interval ?? [])].map(value => value.toFixed(2))
  return ends.length === 2 ? `${slope} (${ends.join(' – ')})` : slope!
}

function ProgressSection({ progress }: { progress: DashboardProgress }) {
  const { done, asked, complete, evaluations, errors, running } = progress
  return (
    <section aria-label="Progress">
      <p>
        {wholeNumberText(complete)} of {wholeNumberText(evaluations)} evaluations are complete:{' '}
        {wholeNumberText(done)} of {wholeNumberText(asked)} predictions
        {errors > 0 && `, ${wholeNumberText(errors)} of them failed images`}.
      </p>
      {done < asked && <progress max={asked} value={done} aria-label="Predictions stored" />}
      {running && (
        <p role="status">
          Running: {running.rate.toFixed(1)} predictions a second
          {running.left !== null && `, about ${durationText(running.left)} left`}.
        </p>
      )}
    </section>
  )
}

function ProblemTables({ progress: { unfinished, failures } }: { progress: DashboardProgress }) {
  return (
    <>
      {unfinished.length > 0 && (
        <DataTable
          caption="Evaluations that are not complete"
          rows={unfinished}
          columns={fieldColumns({
            model: 'model',
            dataset: 'data set',
            state: 'state',
            rows: 'predictions',
            images: 'of',
            message: 'reason',
          })}
        />
      )}
      {failures.length > 0 && (
        <DataTable
          caption="Models that could not be evaluated"
          rows={failures}
          columns={fieldColumns({ model: 'model', dataset: 'data set', message: 'reason' })}
        />
      )}
    </>
  )
}

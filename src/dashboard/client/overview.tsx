import { type Finding } from '../findings.ts'
import { type DatasetFact, type Overview, type DashboardProgress } from '../views.ts'
import { durationText, percent } from '../../lib/table/text.ts'
import { pollMs, useView } from './useView.ts'
import { WhenLoaded, rateIntervalText, DataTable, wholeNumberText } from './parts.tsx'
import { linkTo } from './route.ts'

/** The data sets with their findings, the progress of evaluations, and the failures. */
export function OverviewView({ overview }: { overview: Overview }) {
  const progress = useView('progress', {}, pollMs)
  return (
    <>
      <h1 tabIndex={-1}>Overview</h1>
      <WhenLoaded of={progress}>{data => <ProgressSection progress={data} />}</WhenLoaded>
      <FindingsTable overview={overview} />
      <DataTable
        caption="Data sets"
        rows={overview.datasets}
        columns={[
          {
            heading: 'data set',
            cell: ({ name, title, reference }) =>
              reference ? title : <a href={linkTo('models', { y: name })}>{title}</a>,
          },
          { heading: 'images', numeric: true, cell: ({ images }) => wholeNumberText(images) },
          {
            heading: 'models',
            numeric: true,
            cell: ({ models }) => wholeNumberText(models.length),
          },
          {
            heading: 'regions',
            numeric: true,
            cell: ({ values }) => valueCountText(values.region),
          },
          {
            heading: 'countries',
            numeric: true,
            cell: ({ values }) => valueCountText(values.country),
          },
          { heading: 'classes', numeric: true, cell: ({ values }) => valueCountText(values.label) },
        ]}
      />
      <WhenLoaded of={progress}>{data => <ProblemTables progress={data} />}</WhenLoaded>
    </>
  )
}

const valueCountText = (values: readonly string[]): string =>
  values.length === 0 ? '–' : wholeNumberText(values.length)

type DatasetWithFinding = DatasetFact & { finding: Finding }

/** The finding of each data set: its best model, and how that differs between regions. */
function FindingsTable({ overview }: { overview: Overview }) {
  const found = overview.datasets.filter(
    (dataset): dataset is DatasetWithFinding => dataset.finding !== null,
  )
  const standard = overview.datasets.find(({ reference }) => reference)
  return (
    <DataTable
      caption="What the best model of each data set reaches: top-1 accuracy in percent with its 95 % interval, and the disparity between its regions of at least 30 images in points"
      rows={found}
      columns={[
        { heading: 'data set', cell: ({ title }) => title },
        { heading: 'accuracy', numeric: true, cell: ({ finding: { rate } }) => percent(rate.top1) },
        { heading: '95 %', numeric: true, cell: ({ finding: { rate } }) => rateIntervalText(rate) },
        {
          heading: 'disparity',
          numeric: true,
          cell: ({ finding: { regions } }) =>
            regions ? percent(regions.accuracies[0] - regions.accuracies[1]) : '–',
        },
        { heading: 'highest', cell: ({ finding: { regions } }) => regionText(regions, 0) },
        { heading: 'lowest', cell: ({ finding: { regions } }) => regionText(regions, 1) },
        ...(standard
          ? [
              {
                heading: `gained per point on ${standard.title}`,
                numeric: true,
                cell: ({ finding: { gain } }: DatasetWithFinding) => gainText(gain),
              },
            ]
          : []),
        {
          heading: 'best model',
          cell: ({ name, finding: { best } }) => (
            <a href={linkTo('model', { model: best, dataset: name })}>{best}</a>
          ),
        },
      ]}
    />
  )
}

const regionText = (regions: Finding['regions'], side: 0 | 1): string =>
  regions
    ? `${side === 0 ? regions.highest : regions.lowest} ${percent(regions.accuracies[side])}`
    : '–'

const gainText = (gain: Finding['gain']): string => {
  if (!gain) return '–'
  const [slope, ...ends] = [gain.slope, ...(gain.interval ?? [])].map(value => value.toFixed(2))
  return ends.length === 2 ? `${slope} (${ends.join(' – ')})` : slope!
}

function ProgressSection({
  progress: { done, asked, complete, evaluations, errors, running },
}: {
  progress: DashboardProgress
}) {
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

const evaluationColumns = [
  { heading: 'model', cell: (row: { model: string }) => row.model },
  { heading: 'data set', cell: (row: { dataset: string }) => row.dataset },
]

function ProblemTables({ progress: { unfinished, failures } }: { progress: DashboardProgress }) {
  return (
    <>
      {unfinished.length > 0 && (
        <DataTable
          caption="Evaluations that are not complete"
          rows={unfinished}
          columns={[
            ...evaluationColumns,
            { heading: 'state', cell: row => row.state },
            { heading: 'predictions', numeric: true, cell: row => wholeNumberText(row.rows) },
            {
              heading: 'of',
              numeric: true,
              cell: row => (row.images === null ? '–' : wholeNumberText(row.images)),
            },
            { heading: 'reason', cell: row => row.message ?? '' },
          ]}
        />
      )}
      {failures.length > 0 && (
        <DataTable
          caption="Models that could not be evaluated"
          rows={failures}
          columns={[...evaluationColumns, { heading: 'reason', cell: row => row.message }]}
        />
      )}
    </>
  )
}

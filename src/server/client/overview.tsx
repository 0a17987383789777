import { type Overview, type Progress } from '../views.ts'
import { durationText } from '../../report/text.ts'
import { useView } from './data.ts'
import { Answer, Table, whole } from './parts.tsx'
import { linkTo } from './route.ts'

const pollMs = 2000

/** What there is, what is being made, and what failed. */
export function OverviewView({ overview }: { overview: Overview }) {
  const progress = useView('progress', {}, pollMs)
  return (
    <>
      <h1 tabIndex={-1}>Overview</h1>
      <Answer of={progress}>{data => <Running progress={data} />}</Answer>
      <Table
        caption="Data sets"
        rows={overview.datasets}
        columns={[
          {
            heading: 'data set',
            cell: ({ name, title, reference }) =>
              reference ? title : <a href={linkTo('models', { y: name })}>{title}</a>,
          },
          { heading: 'images', numeric: true, cell: ({ images }) => whole(images) },
          { heading: 'models', numeric: true, cell: ({ models }) => whole(models.length) },
          { heading: 'regions', numeric: true, cell: ({ values }) => whole(values.region.length) },
          { heading: 'countries', numeric: true, cell: ({ values }) => whole(values.country.length) },
          { heading: 'classes', numeric: true, cell: ({ values }) => whole(values.label.length) },
        ]}
      />
      <Answer of={progress}>{data => <Problems progress={data} />}</Answer>
    </>
  )
}

function Running({ progress: { done, asked, complete, evaluations, errors, running } }: { progress: Progress }) {
  return (
    <section aria-label="Progress">
      <p>
        {whole(complete)} of {whole(evaluations)} evaluations are complete: {whole(done)} of {whole(asked)} predictions
        {errors > 0 && `, ${whole(errors)} of them failed images`}.
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

function Problems({ progress: { unfinished, failures } }: { progress: Progress }) {
  return (
    <>
      {unfinished.length > 0 && (
        <Table
          caption="Evaluations that are not complete"
          rows={unfinished}
          columns={[
            { heading: 'model', cell: row => row.model },
            { heading: 'data set', cell: row => row.dataset },
            { heading: 'state', cell: row => row.state },
            { heading: 'predictions', numeric: true, cell: row => whole(row.rows) },
            { heading: 'of', numeric: true, cell: row => (row.images === null ? '–' : whole(row.images)) },
            { heading: 'reason', cell: row => row.message ?? '' },
          ]}
        />
      )}
      {failures.length > 0 && (
        <Table
          caption="Models that could not be evaluated"
          rows={failures}
          columns={[
            { heading: 'model', cell: row => row.model },
            { heading: 'data set', cell: row => row.dataset },
            { heading: 'reason', cell: row => row.message },
          ]}
        />
      )}
    </>
  )
}

import { type Finding } from '../findings.ts'
import { type DatasetFact, type Overview, type DashboardProgress } from '../views.ts'
import { fieldColumn, fieldColumns, intervalColumns } from '../../lib/table/columns.ts'
import { countText, durationText, percent } from '../../lib/table/text.ts'
import { signedText } from '../../lib/table/values.ts'
import { pollMs, useView } from './useView.ts'
import { choiceOf } from './choice.ts'
import { DataTable, inPreprocessing, nameOf, WhenLoaded, wholeNumberText } from './parts.tsx'
import { type PageColumn } from '../../report/page/htmlTable.ts'
import { linkTo, type Route } from './route.ts'
import { AnswerScreen } from './answerScreen.tsx'

/** The first screen: what the chosen model reaches and where, and how far evaluations are. */
export function OverviewView({ overview, route }: { overview: Overview; route: Route }) {
  const progress = useView('progress', {}, pollMs)
  return (
    <>
      {overview.datasets.length === 0 ? (
        <h1 tabIndex={-1}>Overview</h1>
      ) : (
        <AnswerScreen overview={overview} route={route} />
      )}
      <WhenLoaded of={progress}>{data => <ProgressSection progress={data} />}</WhenLoaded>
      {overview.datasets.length > 0 && <FindingsTable overview={overview} route={route} />}
      <WhenLoaded of={progress}>{data => <ProblemTables progress={data} />}</WhenLoaded>
    </>
  )
}

/** The finding of each data set: its best model, and how that differs between places. */
function FindingsTable({ overview, route }: { overview: Overview; route: Route }) {
  const { dataset } = choiceOf(overview, route)
  const ofHouseholds = useView('bestDisparities', {})
  const rows = inPreprocessing(overview.datasets, dataset.preprocessing).map(fact => {
    const disparity = ofHouseholds.data?.get(fact.name) ?? fact.finding?.disparity ?? null
    return { ...fact, finding: fact.finding && { ...fact.finding, disparity } }
  })
  const standard = overview.datasets.find(({ reference }) => reference)
  return (
    <div class="datasets" aria-busy={ofHouseholds.data === undefined}>
      <DataTable
        name="data-sets"
        caption="Data sets: the best model’s top-1 accuracy in percent, and its disparity between places of at least 30 images in points, with 95 % intervals"
        rows={rows}
        columns={findingColumns(overview, standard?.title)}
      />
    </div>
  )
}

const findingColumns = (
  { names }: Overview,
  standard: string | undefined,
): PageColumn<DatasetFact>[] => [
  { ...fieldColumn('title', 'data set'), link: ({ name }) => linkTo('', { dataset: name }) },
  { ...fieldColumn('images'), isHidden: true },
  {
    name: 'models',
    heading: 'models',
    value: ({ models }) => models.length,
    link: ({ name }) => linkTo('models', { y: name }),
  },
  {
    name: 'best',
    heading: 'best model',
    value: ({ finding }) => finding?.best ?? null,
    link: ({ name, finding }) => linkTo('', { model: finding?.best, dataset: name }),
  },
  shareOf('accuracy', 'accuracy', ({ finding }) => finding?.rate.top1 ?? null),
  ...intervalColumns<DatasetFact>(({ finding }) => [
    finding?.rate.low ?? null,
    finding?.rate.high ?? null,
  ]),
  shareOf('disparity', 'disparity', ({ finding }) => finding?.disparity?.disparity ?? null),
  ...intervalColumns<DatasetFact>(
    ({ finding }) => finding?.disparity?.interval ?? [null, null],
    'its 95 % interval',
  ),
  {
    name: 'highest',
    heading: 'highest',
    value: ({ finding }) =>
      placeText(names, finding?.disparity?.best, finding?.disparity?.bestAccuracy),
  },
  {
    name: 'lowest',
    heading: 'lowest',
    value: ({ finding }) =>
      placeText(names, finding?.disparity?.worst, finding?.disparity?.worstAccuracy),
  },
  {
    name: 'gain',
    isHidden: true,
    heading: standard === undefined ? '' : `gained per point on ${standard}`,
    type: 'number',
    value: ({ finding }) => finding?.gain?.slope ?? null,
    show: ({ finding }) => gainText(finding?.gain ?? null),
  },
]

const shareOf = (
  name: string,
  heading: string,
  value: (dataset: DatasetFact) => number | null,
): PageColumn<DatasetFact> => ({
  name,
  heading,
  type: 'number',
  value,
  show: dataset => percent(value(dataset)),
})

const placeText = (
  names: Overview['names'],
  place: string | null = null,
  accuracy: number | null = null,
): string | null => place && `${nameOf(names, place)} ${percent(accuracy)}`

const gainText = (gain: Finding['gain']): string => {
  if (!gain) return '–'
  const [slope, ...ends] = [gain.slope, ...(gain.interval ?? [])].map(value => signedText(value, 2))
  return ends.length === 2 ? `${slope} (${ends.join(' – ')})` : slope!
}

function ProgressSection({ progress }: { progress: DashboardProgress }) {
  const { done, asked, complete, evaluations, stale, errors, running } = progress
  if (evaluations === 0) return null
  return (
    <section aria-label="Evaluations">
      <p>
        {wholeNumberText(complete)} of {wholeNumberText(evaluations)} evaluations are complete:{' '}
        {wholeNumberText(done)} of {wholeNumberText(asked)} predictions
        {errors > 0 && `, ${wholeNumberText(errors)} of them failed images`}.
        {stale > 0 &&
          ` ${countText(stale, 'evaluation')} of another version or other settings ${stale === 1 ? 'is' : 'are'} shown and not counted here (geogap status lists them).`}
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

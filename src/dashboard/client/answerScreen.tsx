/** The dashboard's first screen: a sentence, the map, places, progress and photographs of one model on one data set. */
import { type GroupAccuracyEstimate } from '../../analysis/datasetCounts.ts'
import { accuracyPercent } from '../../lib/table/values.ts'
import { findMarked } from '../marks.ts'
import { AnswerText } from './answerText.tsx'
import { choiceOf, choiceQuery, type ScreenProps, toggleLink } from './choice.ts'
import { Figure } from './figure.tsx'
import { CountryMap } from './worldMap.tsx'
import { DatasetSelect, emptyFilter, Filters, Name, nameOf, Select, WhenLoaded } from './parts.tsx'
import { Photographs } from './photographs.tsx'
import { ProgressFigure } from './progressFigure.tsx'
import { linkTo } from './route.ts'
import { useView } from './useView.ts'

export function AnswerScreen({ overview, route }: Pick<ScreenProps, 'overview' | 'route'>) {
  const choice = choiceOf(overview, route)
  const view = useView('screen', choiceQuery(choice))
  return (
    <>
      <h1 tabIndex={-1}>
        <Name text={choice.model} /> on {choice.dataset.title}
      </h1>
      <WhenLoaded of={view}>
        {screen => {
          const props = { overview, route, choice, screen }
          return (
            <>
              <AnswerText {...props} />
              <ChoiceForm {...props} />
              <div class="screen">
                <CountryMap {...props} />
                <PlacesFigure {...props} />
                <ProgressFigure {...props} />
                <Photographs {...props} />
              </div>
            </>
          )
        }}
      </WhenLoaded>
    </>
  )
}

function ChoiceForm({ overview, route, choice }: ScreenProps) {
  const { model, dataset, filter } = choice
  const { names } = overview
  const chosen = Object.entries(filter) as [keyof typeof filter, string][]
  return (
    <form class="filters">
      <Select route={route} name="model" value={model} options={dataset.models} />
      <DatasetSelect
        route={route}
        name="dataset"
        dataset={dataset}
        datasets={overview.datasets}
        reset={{ ...emptyFilter, model: '' }}
      />
      <Filters overview={overview} route={route} dataset={dataset} />
      {chosen.length > 0 && (
        <p class="chips">
          {chosen.map(([dimension, value]) => (
            <a
              key={dimension}
              href={toggleLink(route, dimension, value)}
              aria-label={`Remove the filter ${nameOf(names, value)}`}
            >
              {nameOf(names, value)} ×
            </a>
          ))}
        </p>
      )}
    </form>
  )
}

/** Regions as intervals, and a country that is filtered for below them; a click filters everything. */
function PlacesFigure({ overview, route, choice, screen }: ScreenProps) {
  const { model, dataset, filter } = choice
  const { by, places } = screen
  if (by === null) return null
  const known = places[by].filter(({ top1 }) => top1 !== null)
  const country = places.country.find(({ group }) => group === filter.country)
  const rows = by === 'region' && country ? [...byAccuracy(known), country] : byAccuracy(known)
  const shown = rows.slice(0, maxPlaces)
  const points = shown.map(({ group, n, errors, ...row }) => ({
    model,
    region: nameOf(overview.names, group),
    n,
    errors,
    ...accuracyPercent(row),
  }))
  if (points.length === 0) return null
  const pick = (about: string): void => {
    const row = findMarked(
      about,
      shown,
      ({ group }) => `${model}, ${nameOf(overview.names, group)}: `,
    )
    if (row) location.hash = toggleLink(route, row === country ? 'country' : by, row.group)
  }
  return (
    <section class="places" aria-labelledby="places-title">
      <h2 id="places-title">By {by}</h2>
      <Figure
        id={JSON.stringify([dataset.name, points])}
        label={`Accuracy of ${model} by ${by}`}
        caption={`Top-1 accuracy in percent${known.some(({ low }) => low !== null) ? ' with 95 % intervals' : ''}. A click filters everything.`}
        drawing={width => ['regions', [points, points.map(({ region }) => region), width]]}
        onPick={pick}
      />
      <p class="quiet">
        <a href={linkTo('model', { ...choiceQuery(choice), by })}>All groups as tables</a>
        {' · '}
        <a href={linkTo('compare', { first: model, dataset: dataset.name, by })}>
          Compare with another model
        </a>
      </p>
    </section>
  )
}

/** Most places that are drawn as rows. */
const maxPlaces = 24

const byAccuracy = (rows: readonly GroupAccuracyEstimate[]): GroupAccuracyEstimate[] =>
  [...rows].sort((a, b) => (b.top1 ?? 0) - (a.top1 ?? 0))

import { defaultMinN } from '../../metrics/disparity.ts'
import { accuracyPercent } from '../../lib/table/values.ts'
import { fieldColumn } from '../../lib/table/columns.ts'
import { percent, percentRange } from '../../lib/table/text.ts'
import {
  type Dimension,
  dimensions,
  type AccuracyEstimate,
  type GroupAccuracyEstimate,
} from '../../analysis/datasetCounts.ts'
import { type DatasetFact, type ModelView as Data, type Overview } from '../views.ts'
import { findMarked } from '../marks.ts'
import { choiceOf, choiceQuery } from './choice.ts'
import { useView } from './useView.ts'
import { Figure } from './figure.tsx'
import { HeatTable } from './heat.tsx'
import {
  WhenLoaded,
  DatasetSelect,
  Filters,
  emptyFilter,
  nameOf,
  rateColumns,
  Select,
  DataTable,
  wholeNumberText,
} from './parts.tsx'
import { linkTo, type Route } from './route.ts'

/** One model on one data set: where it fails. */
export function ModelView({ overview, route }: { overview: Overview; route: Route }) {
  const model = route.query['model'] ?? overview.models[0]!.name
  const choice = choiceOf(overview, { ...route, query: { ...route.query, model } })
  const { dataset } = choice
  const view = useView('model', choiceQuery(choice))
  const link = (more: Partial<Record<Dimension, string>>): string =>
    linkTo('gallery', { ...choiceQuery(choice), ...more })
  return (
    <>
      <h1 tabIndex={-1}>
        {model} on {dataset.title}
      </h1>
      <form class="filters">
        <Select
          route={route}
          name="model"
          value={model}
          options={overview.models.map(({ name }) => name)}
        />
        <DatasetSelect
          route={route}
          name="dataset"
          dataset={dataset}
          datasets={overview.datasets.filter(({ models }) => models.includes(model))}
          reset={{ ...emptyFilter, by: '' }}
        />
        <Filters overview={overview} route={route} dataset={dataset} />
      </form>
      <WhenLoaded of={view}>
        {data => (
          <>
            <p>
              Top-1 accuracy <strong>{percent(data.overall.top1)} %</strong> (
              <span class={data.overall.low === null ? undefined : 'whole'}>
                {overallIntervalText(data.overall)}
              </span>
              ), top-5 {percent(data.overall.top5)} %,{' '}
              <span class="whole">n = {wholeNumberText(data.overall.n)}</span>
              {data.overall.errors > 0 && `, ${wholeNumberText(data.overall.errors)} images failed`}
              . <a href={link({})}>See its images</a>, or{' '}
              <a href={linkTo('compare', { first: model, dataset: dataset.name })}>
                compare it with another model
              </a>
              .
            </p>
            <GroupsSection
              data={data}
              route={route}
              link={link}
              dataset={dataset}
              overview={overview}
              model={model}
            />
          </>
        )}
      </WhenLoaded>
    </>
  )
}

interface GroupsProps {
  data: Data
  route: Route
  link: (more: Partial<Record<Dimension, string>>) => string
  dataset: DatasetFact
  overview: Overview
  model: string
}

function GroupsSection({ data, route, link, dataset, overview, model }: GroupsProps) {
  const present = dimensions.filter(dimension => data.groups[dimension] !== undefined)
  const by = present.find(dimension => dimension === route.query['by']) ?? present[0]!
  const rows = data.groups[by]!
  const named = rows.map(row => ({ ...row, name: nameOf(overview.names, row.group) }))
  const id = JSON.stringify([model, dataset.name, by, route.query])
  const pick = (about: string): void => {
    const row =
      findMarked(about, named, ({ name }) => `${model}, ${name}: `) ??
      findMarked(about, named, ({ name }) => `${name}: `)
    if (row) location.hash = link({ [by]: row.group })
  }
  return (
    <>
      <nav class="tabs" aria-label="Groups">
        {present.map(dimension => (
          <a
            key={dimension}
            href={linkTo(route.view, { ...route.query, by: dimension })}
            aria-current={dimension === by ? 'true' : undefined}
          >
            by {dimension}
          </a>
        ))}
      </nav>
      <div class="beside">
        <div>
          {by === 'country' && (
            <CountryMapFigure rows={named} countries={overview.countries} id={id} pick={pick} />
          )}
          {by !== 'label' && (
            <IntervalFigure rows={named} model={model} by={by} id={id} pick={pick} />
          )}
          {by === 'label' && data.cells.length > 0 && (
            <HeatTable names={overview.names} cells={data.cells} link={link} />
          )}
        </div>
        <DataTable
          caption={`Accuracy by ${by}; each leads to its images`}
          rows={by === 'label' ? [...rows].sort((a, b) => (a.top1 ?? 2) - (b.top1 ?? 2)) : rows}
          columns={[
            {
              name: 'group',
              heading: by,
              value: ({ group }) => nameOf(overview.names, group),
              hint: ({ group }) => group,
              link: ({ group }) => link({ [by]: group }),
            },
            ...rateColumns,
            fieldColumn('errors', 'failed'),
          ]}
        />
      </div>
    </>
  )
}

const overallIntervalText = ({ low, high, reason }: AccuracyEstimate): string =>
  low === null ? (reason ?? 'no interval') : `95 % interval ${percentRange(low, high)}`

interface GroupFigureProps {
  rows: readonly (GroupAccuracyEstimate & { name: string })[]
  id: string
  pick: (about: string) => void
}

interface IntervalFigureProps extends GroupFigureProps {
  model: string
  by: Dimension
}

function IntervalFigure({ rows, model, by, id, pick }: IntervalFigureProps) {
  const known = rows
    .filter(({ top1 }) => top1 !== null)
    .map(({ name, n, errors, ...row }) => ({
      model,
      region: name,
      n,
      errors,
      ...accuracyPercent(row),
    }))
  if (known.length === 0) return null
  const best = [...known].sort((a, b) => b.accuracy - a.accuracy).map(({ region }) => region)
  const order = by === 'income' ? known.map(({ region }) => region) : best
  return (
    <Figure
      id={id}
      label={`Accuracy of ${model} by ${by}; the table below has the numbers`}
      caption={`Top-1 accuracy in percent${rows.some(({ low }) => low !== null) ? ' with 95 % intervals' : ''} by ${by}. A click opens the images.`}
      drawing={width => ['regions', [known, order, width]]}
      onPick={pick}
    />
  )
}

interface CountryMapProps extends GroupFigureProps, Pick<Overview, 'countries'> {}

function CountryMapFigure({ rows, countries, id, pick }: CountryMapProps) {
  const codes = new Map(Object.entries(countries))
  const known = rows.flatMap(row => {
    const id = codes.get(row.group)
    return row.top1 === null || id === undefined
      ? []
      : [{ country: row.name, id, n: row.n, ...accuracyPercent(row) }]
  })
  if (!known.some(({ n }) => n >= defaultMinN)) return null
  return (
    <Figure
      id={`map ${id}`}
      label="World map of accuracy by country; the table below has the numbers"
      caption={`Top-1 accuracy in percent on each country’s images; hatched: fewer than ${defaultMinN} images; pale: none. Equal Earth projection; outlines by Natural Earth.`}
      drawing={width => ['map', [known, defaultMinN, { width }]]}
      onPick={pick}
    />
  )
}

import { type ComponentChildren } from 'preact'
import { type GroupChange, significanceLevel } from '../../analysis/compare.ts'
import { pValueText, percent } from '../../lib/table/text.ts'
import { type Dimension, dimensions, groupFilter } from '../../analysis/datasetCounts.ts'
import { type Change, changes, type CompareView as Data } from '../pages.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { useView } from './useView.ts'
import { ImageGrid } from './gallery.tsx'
import {
  WhenLoaded,
  datasetOf,
  DatasetSelect,
  dimensionNames,
  Filters,
  emptyFilter,
  Select,
  DataTable,
  type ViewColumn,
  wholeNumberText,
} from './parts.tsx'
import { linkTo, type Route } from './route.ts'

interface ModelPair {
  dataset: DatasetFact
  first: string
  second: string
}

interface PairProps {
  overview: Overview
  route: Route
  pair: ModelPair
}

/** The two models of a route: the ones it names, else the data set's first two. */
function pairOf(overview: Overview, { query }: Route): ModelPair {
  const dataset = datasetOf(overview, query['dataset'])
  const first = query['first'] ?? dataset.models[0]!
  const second = query['second'] ?? dataset.models.find(model => model !== first) ?? first
  return { dataset, first, second }
}

const signedPointsText = (share: number): string =>
  `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`.replace('-', '−')

/** Compares two models on the same images. */
export function CompareView({ overview, route }: { overview: Overview; route: Route }) {
  const pair = pairOf(overview, route)
  const { dataset, first, second } = pair
  const present = dimensions.filter(dimension => dataset.values[dimension].length > 0)
  const by = present.find(dimension => dimension === route.query['by']) ?? present[0]!
  const view = useView('compare', {
    dataset: dataset.name,
    first,
    second,
    by,
    ...groupFilter(route.query),
  })
  return (
    <>
      <h1 tabIndex={-1}>Two models on {dataset.title}</h1>
      <ModelPairForm {...{ overview, route, pair }}>
        <Select
          {...{
            route,
            name: 'by',
            value: by,
            options: present.map(name => [name, dimensionNames[name]]),
          }}
        />
      </ModelPairForm>
      <WhenLoaded of={view}>{data => <Changes {...{ data, by, route, pair }} />}</WhenLoaded>
    </>
  )
}

function ModelPairForm({
  overview,
  route,
  pair,
  children,
}: PairProps & { children: ComponentChildren }) {
  const { dataset, first, second } = pair
  const options = dataset.models
  return (
    <form class="filters">
      <Select
        {...{
          route,
          name: 'first',
          label: 'first model',
          value: first,
          options,
          reset: { second },
        }}
      />
      <Select
        {...{
          route,
          name: 'second',
          label: 'second model',
          value: second,
          options,
          reset: { first },
        }}
      />
      <DatasetSelect
        {...{ route, name: 'dataset', dataset, datasets: overview.datasets }}
        reset={{ ...emptyFilter, first: '', second: '', by: '' }}
      />
      <Filters route={route} dataset={dataset} />
      {children}
    </form>
  )
}

interface ChangesProps extends Pick<PairProps, 'route' | 'pair'> {
  data: Data
  by: Dimension
}

/** The change of accuracy over all images in a sentence, and by group in a table. */
function Changes({ data, by, route, pair }: ChangesProps) {
  const [overall] = data.rows
  if (!overall) return <p>No image has an outcome of both models.</p>
  const link = (row: GroupChange, change: Change): string =>
    linkTo('flips', {
      dataset: pair.dataset.name,
      first: pair.first,
      second: pair.second,
      change,
      ...groupFilter(route.query),
      ...(row.by === 'overall' ? {} : { [by]: row.group }),
    })
  return (
    <>
      <p>
        With {pair.second} in place of {pair.first}, accuracy changes by{' '}
        <strong>{signedPointsText(overall.change)} points</strong> (95 % interval{' '}
        {intervalText(overall)}, p {pValueText(overall.p)}): {wholeNumberText(overall.gained)}{' '}
        images gained, {wholeNumberText(overall.lost)} lost, of {wholeNumberText(overall.n)}.
      </p>
      <DataTable
        caption={changesCaption(data, by)}
        rows={data.rows}
        columns={changeColumns(by, link)}
      />
    </>
  )
}

const intervalText = ({ interval: [low, high] }: GroupChange): string =>
  `${signedPointsText(low)} to ${signedPointsText(high)}`

function changesCaption({ tested, leftOut, minN, households }: Data, by: Dimension): string {
  const test =
    households === null
      ? 'McNemar’s exact test'
      : 'an exact test in which the images of one household change together'
  const note = leftOut > 0 ? `; ${leftOut} groups of fewer than ${minN} images are left out` : ''
  return `By ${dimensionNames[by]}, the largest loss first; p from ${test}, adjusted over ${tested} groups${note}`
}

const changeColumns = (
  by: Dimension,
  link: (row: GroupChange, change: Change) => string,
): ViewColumn<GroupChange>[] => [
  {
    heading: dimensionNames[by],
    cell: row => (row.by === 'overall' ? 'all images' : row.group),
  },
  { heading: 'first %', numeric: true, cell: row => percent(row.first) },
  { heading: 'second %', numeric: true, cell: row => percent(row.second) },
  { heading: 'change', numeric: true, cell: row => signedPointsText(row.change) },
  { heading: '95 % interval', numeric: true, cell: intervalText },
  {
    heading: 'adjusted p',
    numeric: true,
    cell: row => (
      <span class={row.adjusted < significanceLevel ? 'shown' : ''}>
        {pValueText(row.adjusted)}
      </span>
    ),
  },
  {
    heading: 'gained',
    numeric: true,
    cell: row => <a href={link(row, 'gained')}>{wholeNumberText(row.gained)}</a>,
  },
  {
    heading: 'lost',
    numeric: true,
    cell: row => <a href={link(row, 'lost')}>{wholeNumberText(row.lost)}</a>,
  },
  { heading: 'n', numeric: true, cell: row => wholeNumberText(row.n) },
]

const changeNames = { gained: 'right only with the second', lost: 'right only with the first' }

/** The images that one of two models has right and the other wrong. */
export function FlipsView({ overview, route }: { overview: Overview; route: Route }) {
  const pair = pairOf(overview, route)
  const { dataset, first, second } = pair
  const { change: which = 'lost', page = '0' } = route.query
  const view = useView('flips', {
    dataset: dataset.name,
    first,
    second,
    change: which,
    page,
    ...groupFilter(route.query),
  })
  return (
    <>
      <h1 tabIndex={-1}>Where two models differ on {dataset.title}</h1>
      <ModelPairForm {...{ overview, route, pair }}>
        <Select
          {...{ route, name: 'change', label: 'images', value: which }}
          options={changes.map(name => [name, changeNames[name]])}
        />
      </ModelPairForm>
      <p>
        <a
          href={linkTo('compare', {
            dataset: dataset.name,
            first,
            second,
            ...groupFilter(route.query),
          })}
        >
          Back to the comparison
        </a>
      </p>
      <ImageGrid view={view} route={route} dataset={dataset} />
    </>
  )
}

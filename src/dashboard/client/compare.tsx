import { type ComponentChildren } from 'preact'
import {
  changeColumns,
  changeRangeText,
  type PairedGroupChange,
  significanceLevel,
} from '../../analysis/compare.ts'
import { pNumber, pointsText } from '../../lib/table/text.ts'
import { inPoints } from '../../lib/table/values.ts'
import { ink, seriesColor } from '../../report/figures/theme.ts'
import { type Dimension, groupFilter } from '../../analysis/datasetCounts.ts'
import { type Change, changes, type CompareView as Data } from '../pages.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { useView } from './useView.ts'
import { Figure } from './figure.tsx'
import { ImageGrid } from './gallery.tsx'
import {
  WhenLoaded,
  datasetOf,
  DatasetSelect,
  emptyFilter,
  Filters,
  nameOf,
  presentDimensions,
  Select,
  DataTable,
  wholeNumberText,
} from './parts.tsx'
import { type PageColumn } from '../../report/page/htmlTable.ts'
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

/** Returns the two models that a route names, by default the data set's first two. */
function pairOf(overview: Overview, { query }: Route): ModelPair {
  const dataset = datasetOf(overview, query['dataset'])
  const first = query['first'] ?? dataset.models[0]!
  const second = query['second'] ?? dataset.models.find(model => model !== first) ?? first
  return { dataset, first, second }
}

/** Compares two models on the same images. */
export function CompareView({ overview, route }: { overview: Overview; route: Route }) {
  const pair = pairOf(overview, route)
  const { dataset, first, second } = pair
  const present = presentDimensions(dataset)
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
      <ModelPairForm overview={overview} route={route} pair={pair}>
        <Select route={route} name="by" value={by} options={present} />
      </ModelPairForm>
      <WhenLoaded of={view}>
        {data => <Changes data={data} by={by} route={route} pair={pair} names={overview.names} />}
      </WhenLoaded>
    </>
  )
}

interface ModelPairFormProps extends PairProps {
  children: ComponentChildren
}

function ModelPairForm({ overview, route, pair, children }: ModelPairFormProps) {
  const { dataset, first, second } = pair
  const models = { route, options: dataset.models }
  return (
    <form class="filters">
      <Select {...models} name="first" label="first model" value={first} reset={{ second }} />
      <Select {...models} name="second" label="second model" value={second} reset={{ first }} />
      <DatasetSelect
        route={route}
        name="dataset"
        dataset={dataset}
        datasets={overview.datasets}
        reset={{ ...emptyFilter, first: '', second: '', by: '' }}
      />
      <Filters overview={overview} route={route} dataset={dataset} />
      {children}
    </form>
  )
}

interface ChangesProps extends Pick<PairProps, 'route' | 'pair'>, Pick<Overview, 'names'> {
  data: Data
  by: Dimension
}

/** The change of accuracy over all images in a sentence, and by group in a table. */
function Changes({ data, by, route, pair, names }: ChangesProps) {
  const [overall] = data.rows
  if (!overall) return <p>No image has an outcome of both models.</p>
  const { dataset, first, second } = pair
  const query = { dataset: dataset.name, first, second, ...groupFilter(route.query) }
  const flips = (row: PairedGroupChange, change: Change): string =>
    linkTo('flips', { ...query, change, [by]: row.by === 'overall' ? query[by] : row.group })
  const columns: PageColumn<PairedGroupChange>[] = [
    {
      name: by,
      heading: by,
      value: row => (row.by === 'overall' ? 'all images' : nameOf(names, row.group)),
      hint: row => row.group,
    },
    ...changeColumns,
  ]
  const changeOf = (name: string): Change | undefined => changes.find(change => change === name)
  return (
    <>
      <p>
        With {second} in place of {first}, accuracy changes by{' '}
        <strong>{pointsText(overall.change)} points</strong> (
        <span class="whole">95 % interval {changeRangeText(overall.interval)}</span>, p{' '}
        {pNumber(overall.p)}): {wholeNumberText(overall.gained)} images gained,{' '}
        {wholeNumberText(overall.lost)} lost, of {wholeNumberText(overall.n)}.
      </p>
      <div class="changes">
        <DataTable
          caption={changesCaption(data, by)}
          rows={data.rows}
          columns={columns.map((column): PageColumn<PairedGroupChange> => {
            const change = changeOf(column.name)
            if (change) return { ...column, link: row => flips(row, change) }
            return column.name === 'adjusted'
              ? { ...column, isMarked: ({ adjusted }) => adjusted < significanceLevel }
              : column
          })}
        />
        <ChangesFigure
          rows={data.rows.map(row => ({ ...row, group: nameOf(names, row.group) }))}
          by={by}
          pair={pair}
          onPick={i =>
            (location.hash = flips(data.rows[i]!, data.rows[i]!.change < 0 ? 'lost' : 'gained'))
          }
        />
      </div>
    </>
  )
}

/** Most groups that are drawn, beside all images. */
const maxGroups = 24

interface ChangesFigureProps extends Pick<ChangesProps, 'by' | 'pair'> {
  rows: readonly PairedGroupChange[]
  /** Called with the position of the row that was clicked. */
  onPick: (row: number) => void
}

/** The change in each group with its interval. */
function ChangesFigure({ rows, by, pair: { dataset, first, second }, onPick }: ChangesFigureProps) {
  const drawn = rows.slice(0, 1 + maxGroups).map(row => {
    const [low, high] = row.interval ? inPoints(row.interval) : [null, null]
    const name = row.by === 'overall' ? 'all images' : row.group
    return {
      name,
      value: 100 * row.change,
      low,
      high,
      color: row.by === 'overall' ? ink : seriesColor(0),
      fact: `n ${wholeNumberText(row.n)}`,
      about: `${name}: ${pointsText(row.change)} points, 95 % interval ${changeRangeText(row.interval)}, n = ${row.n}`,
    }
  })
  const leftOut = rows.length - drawn.length
  return (
    <Figure
      id={JSON.stringify([dataset.name, first, second, by, drawn])}
      label={`Change of accuracy by ${by} with ${second} in place of ${first}`}
      caption={`Change of accuracy in points with 95 % intervals${leftOut > 0 ? `; ${leftOut} groups that lose less or gain are in the table only` : ''}. A click opens the images that changed.`}
      drawing={width => [
        'changes',
        [drawn, { title: 'change (points)', unit: 1, mark: { at: 0, text: 'no change' }, width }],
      ]}
      onPick={about => {
        const row = drawn.findIndex(one => one.about === about)
        if (row >= 0) onPick(row)
      }}
    />
  )
}

function changesCaption({ tested, leftOut, minN, households }: Data, by: Dimension): string {
  const test =
    households === null
      ? 'McNemar’s exact test'
      : 'an exact test in which the images of one household change together'
  const note = leftOut > 0 ? `; ${leftOut} groups of fewer than ${minN} images are left out` : ''
  return `By ${by}, the largest loss first; p from ${test}, adjusted over ${tested} groups${note}`
}

const changeNames = { gained: 'right only with the second', lost: 'right only with the first' }

/** The images that one of two models has right and the other wrong. */
export function FlipsView({ overview, route }: { overview: Overview; route: Route }) {
  const pair = pairOf(overview, route)
  const { dataset, first, second } = pair
  const { change: which = 'lost', page = '0' } = route.query
  const query = { dataset: dataset.name, first, second, ...groupFilter(route.query) }
  const view = useView('flips', { ...query, change: which, page })
  return (
    <>
      <h1 tabIndex={-1}>Where two models differ on {dataset.title}</h1>
      <ModelPairForm overview={overview} route={route} pair={pair}>
        <Select
          route={route}
          name="change"
          label="images"
          value={which}
          options={changes.map(name => [name, changeNames[name]])}
        />
      </ModelPairForm>
      <p>
        <a href={linkTo('compare', query)}>Back to the comparison</a>
      </p>
      <ImageGrid view={view} route={route} dataset={dataset} names={overview.names} query={query} />
    </>
  )
}

import { type ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import { fitLine } from '../../metrics/regression.ts'
import { panelLine } from '../../report/figures/linePanel.ts'
import { type PanelPoint } from '../../report/figures/panel.ts'
import { seriesColor } from '../../report/figures/theme.ts'
import { fieldColumn, intervalColumns } from '../../lib/table/columns.ts'
import { percent } from '../../lib/table/text.ts'
import { signedText } from '../../lib/table/values.ts'
import { type InferredDisparity } from '../../metrics/disparityInference.ts'
import { type PageColumn } from '../../report/page/htmlTable.ts'
import { findMarked } from '../marks.ts'
import { placeDimension } from '../screen.ts'
import { groupFilter } from '../../analysis/datasetCounts.ts'
import { type DatasetFact, type ModelFact, type Overview, type ScatterRow } from '../views.ts'
import { useView, type ViewState } from './useView.ts'
import { Figure } from './figure.tsx'
import {
  WhenLoaded,
  datasetOf,
  DatasetSelect,
  inPreprocessing,
  nameOf,
  Filters,
  Select,
  DataTable,
} from './parts.tsx'
import { linkTo, type Route } from './route.ts'

interface DatasetAxes {
  x: DatasetFact
  y: DatasetFact
}

/** Whether both axes show the accuracy on all images of one data set. */
const isSameAxis = ({ x, y }: DatasetAxes, route: Route): boolean =>
  x.name === y.name && Object.keys(groupFilter(route.query)).length === 0

/** All models, one benchmark against another. */
export function ModelsView({ overview, route }: { overview: Overview; route: Route }) {
  const y = datasetOf(overview, route.query['y'])
  const chosen =
    overview.datasets.find(({ name }) => name === route.query['x']) ??
    overview.datasets.find(({ reference }) => reference) ??
    y
  const x = inPreprocessing(overview.datasets, y.preprocessing).find(
    ({ dataset }) => dataset === chosen.dataset,
  )!
  const view = useView('scatter', { x: x.name, y: y.name, ...groupFilter(route.query) })
  // Hundreds of rows are written anew when the data of the choice have arrived, and not before.
  const section = useRef<ComponentChildren>(null)
  if (view.isCurrent || view.data === undefined)
    section.current = (
      <WhenLoaded of={view}>
        {data => <ModelsSection data={data} overview={overview} route={route} axes={{ x, y }} />}
      </WhenLoaded>
    )
  return (
    <>
      <h1 tabIndex={-1}>
        {isSameAxis({ x, y }, route)
          ? `Models on ${y.title}`
          : `Models: ${y.title} against ${x.title}`}
      </h1>
      <AxesForm overview={overview} route={route} axes={{ x, y }} />
      <div aria-busy={!view.isCurrent}>{section.current}</div>
    </>
  )
}

interface AxesFormProps {
  overview: Overview
  route: Route
  axes: DatasetAxes
}

function AxesForm({ overview, route, axes: { x, y } }: AxesFormProps) {
  const { models, datasets } = overview
  const families = [...new Set(models.map(({ family }) => family))].sort()
  const axis = { route, datasets }
  return (
    <form class="filters">
      <DatasetSelect
        {...axis}
        name="x"
        label="x axis"
        dataset={x}
        datasets={inPreprocessing(datasets, y.preprocessing)}
        reset={{}}
      />
      <DatasetSelect {...axis} name="y" label="y axis" dataset={y} />
      <Select
        route={route}
        name="family"
        value={route.query['family'] ?? ''}
        options={[['', 'all'], ...families]}
      />
      <Select
        route={route}
        name="group"
        label="group by"
        value={route.query['group'] ?? ''}
        options={[['', 'nothing'], ...groupings]}
      />
      <Filters overview={overview} route={route} dataset={y} />
    </form>
  )
}

interface ModelsProps extends AxesFormProps {
  data: readonly ScatterRow[]
}

/** What the list of models can be grouped by. */
const groupings = ['family', 'pretraining', 'year'] as const

interface ListedModel extends ScatterRow, Omit<ModelFact, 'name' | 'file'> {
  disparity: InferredDisparity | undefined
}

function ModelsSection({ data, overview, route, axes: { x, y } }: ModelsProps) {
  const { family = '', group = '' } = route.query
  const filter = groupFilter(route.query)
  const disparities = useView('disparities', { dataset: y.name, ...filter })
  const facts = new Map(overview.models.map(model => [model.name, model]))
  const rows = data
    .map((row): ListedModel => {
      const { family, pretraining, year, zeroShot } = facts.get(row.model)!
      const disparity = disparities.isCurrent ? disparities.data?.get(row.model) : undefined
      return { ...row, family, pretraining, year, zeroShot, disparity }
    })
    .filter(row => family === '' || row.family === family)
  const link = (model: string): string => linkTo('', { model, dataset: y.name, ...filter })
  const same = isSameAxis({ x, y }, route)
  const grouping = groupings.find(name => name === group)
  return (
    <div class={same ? '' : 'beside'} aria-busy={!disparities.isCurrent}>
      {!same && (
        <ScatterFigure
          rows={rows}
          overview={overview}
          link={link}
          axes={[x.title, y.title]}
          id={JSON.stringify([x.name, y.name, family, filter])}
        />
      )}
      <DataTable
        name="models"
        caption={`${rows.length} models, the best on ${y.title} first; ${disparityNote(disparities)}`}
        rows={rows}
        columns={modelColumns({ link, names: overview.names, y, x: same ? null : x })}
        groupOf={
          grouping && ((row: ListedModel) => String(row[grouping] ?? `${grouping} not known`))
        }
      />
    </div>
  )
}

function disparityNote({ isCurrent, error }: ViewState<unknown>): string {
  if (!isCurrent) return 'disparities are being computed'
  return error === undefined ? 'disparity in points' : `no disparities: ${error}`
}

interface ModelColumnsOptions extends Pick<Overview, 'names'> {
  link: (model: string) => string
  /** Null if both axes show the same. */
  x: DatasetFact | null
  y: DatasetFact
}

function modelColumns({ link, names, x, y }: ModelColumnsOptions): PageColumn<ListedModel>[] {
  const hasPlaces = placeDimension(y) !== null
  const placeOf = (place: string | null = null): string | null => place && nameOf(names, place)
  return [
    { ...fieldColumn('model'), link: row => link(row.model) },
    {
      name: 'y',
      heading: `${y.title} %`,
      type: 'number',
      value: row => row.y.top1,
      show: row => percent(row.y.top1),
    },
    ...intervalColumns<ListedModel>(({ y }) => [y.low, y.high]),
    {
      name: 'disparity',
      heading: hasPlaces ? 'disparity' : '',
      type: 'number',
      value: ({ disparity }) => disparity?.disparity ?? null,
      show: ({ disparity }) => percent(disparity?.disparity ?? null),
    },
    ...intervalColumns<ListedModel>(
      ({ disparity }) => disparity?.interval ?? [null, null],
      hasPlaces ? 'its 95 % interval' : '',
    ),
    {
      name: 'worst',
      heading: hasPlaces ? 'lowest' : '',
      value: ({ disparity }) => placeOf(disparity?.worst),
    },
    {
      name: 'x',
      heading: x ? `${x.title} %` : '',
      type: 'number',
      value: row => row.x.top1,
      show: row => percent(row.x.top1),
    },
    { ...fieldColumn('pretraining'), isHidden: true },
    {
      ...fieldColumn('year', 'year', (year: number | null) => String(year ?? '–')),
      isHidden: true,
    },
    { ...fieldColumn('family'), isHidden: true },
    { name: 'n', heading: 'n', type: 'number', value: row => row.y.n },
  ]
}

interface ScatterProps {
  rows: readonly ScatterRow[]
  overview: Overview
  axes: readonly [string, string]
  id: string
  link: (model: string) => string
}

const maxPointLabels = 12

function ScatterFigure({ rows, overview, axes, id, link }: ScatterProps) {
  const zeroShot = new Set(overview.models.filter(model => model.zeroShot).map(({ name }) => name))
  const both = rows.some(({ model }) => !zeroShot.has(model))
  const points = rows.flatMap(({ model, x, y }): PanelPoint[] =>
    x.top1 === null || y.top1 === null
      ? []
      : [{ model, x: 100 * x.top1, y: 100 * y.top1, hollow: both && zeroShot.has(model) }],
  )
  if (points.length === 0) return <p>No model has images of this choice on both.</p>
  const fitted = points.filter(point => !point.hollow)
  const line = fitLine(
    fitted.map(({ x }) => x),
    fitted.map(({ y }) => y),
  )
  const hollow = points.some(point => point.hollow)
  return (
    <Figure
      id={`${id}${rows.length}`}
      label={`Scatter of ${points.length} models: accuracy on ${axes[1]} against ${axes[0]}; the table below has the numbers`}
      caption={`Each point is a model: top-1 accuracy in percent. ${
        line.slope === null
          ? ''
          : `The line is least squares over the models${hollow ? ' that are not hollow' : ''} (slope ${signedText(line.slope, 2)}). `
      }${hollow ? 'Hollow: zero-shot. ' : ''}A click opens the model.`}
      drawing={width => [
        'panels',
        [
          [
            {
              title: '',
              x: `${axes[0]} top-1 accuracy (%)`,
              y: `${axes[1]} top-1 accuracy (%)`,
              namesPoints: points.length <= maxPointLabels,
              series: [{ label: [], color: seriesColor(1), points, line: panelLine(line) }],
            },
          ],
          width,
        ],
      ]}
      onPick={about => {
        const row = findMarked(about, points, ({ model }) => `${model}: `)
        if (row) location.hash = link(row.model)
      }}
    />
  )
}

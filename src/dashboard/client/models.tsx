import { fitLine } from '../../metrics/regression.ts'
import { panelLine, linePanelsSpec, type PanelPoint } from '../../report/figures/linePanel.ts'
import { seriesColor } from '../../report/figures/theme.ts'
import { percent, percentRange } from '../../lib/table/text.ts'
import { groupFilter } from '../../analysis/datasetCounts.ts'
import { type DatasetFact, type Overview, type ScatterRow } from '../views.ts'
import { useView } from './useView.ts'
import { Figure } from './figure.tsx'
import { WhenLoaded, datasetOf, DatasetSelect, Filters, Select, DataTable } from './parts.tsx'
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
  const x =
    overview.datasets.find(({ name }) => name === route.query['x']) ??
    overview.datasets.find(({ reference }) => reference) ??
    y
  const view = useView('scatter', { x: x.name, y: y.name, ...groupFilter(route.query) })
  return (
    <>
      <h1 tabIndex={-1}>
        {isSameAxis({ x, y }, route)
          ? `Models on ${y.title}`
          : `Models: ${y.title} against ${x.title}`}
      </h1>
      <AxesForm overview={overview} route={route} axes={{ x, y }} />
      <WhenLoaded of={view}>
        {data => <ModelsSection data={data} overview={overview} route={route} axes={{ x, y }} />}
      </WhenLoaded>
    </>
  )
}

interface AxesFormProps {
  overview: Overview
  route: Route
  axes: DatasetAxes
}

function AxesForm({ overview: { models, datasets }, route, axes: { x, y } }: AxesFormProps) {
  const families = [...new Set(models.map(({ family }) => family))].sort()
  const axis = { route, datasets }
  return (
    <form class="filters">
      <DatasetSelect {...axis} name="x" label="x axis" dataset={x} reset={{}} />
      <DatasetSelect {...axis} name="y" label="y axis" dataset={y} />
      <Select
        route={route}
        name="family"
        value={route.query['family'] ?? ''}
        options={[['', 'all'], ...families]}
      />
      <Filters route={route} dataset={y} />
    </form>
  )
}

interface ModelsProps extends AxesFormProps {
  data: readonly ScatterRow[]
}

function ModelsSection({ data, overview, route, axes: { x, y } }: ModelsProps) {
  const { family = '' } = route.query
  const families = new Map(overview.models.map(model => [model.name, model.family]))
  const rows = data.filter(({ model }) => family === '' || families.get(model) === family)
  const link = (model: string): string =>
    linkTo('model', { model, dataset: y.name, ...groupFilter(route.query) })
  const same = isSameAxis({ x, y }, route)
  return (
    <div class="beside">
      {!same && (
        <ScatterFigure
          rows={rows}
          overview={overview}
          link={link}
          axes={[x.title, y.title]}
          id={JSON.stringify([x.name, y.name, route.query])}
        />
      )}
      <DataTable
        caption={`${rows.length} models, the best on ${y.title} first`}
        rows={rows}
        columns={[
          {
            name: 'model',
            heading: 'model',
            value: row => row.model,
            link: row => link(row.model),
          },
          {
            name: 'x',
            heading: same ? '' : `${x.title} %`,
            value: row => row.x.top1,
            show: row => percent(row.x.top1),
          },
          {
            name: 'y',
            heading: `${y.title} %`,
            value: row => row.y.top1,
            show: row => percent(row.y.top1),
          },
          {
            name: 'low',
            heading: '95 % interval',
            value: row => row.y.low,
            show: row => percentRange(row.y.low, row.y.high),
          },
          { name: 'n', heading: 'n', value: row => row.y.n },
        ]}
      />
    </div>
  )
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
          : `The line is least squares over the models${hollow ? ' that are not hollow' : ''} (slope ${line.slope.toFixed(2)}). `
      }${hollow ? 'Hollow: zero-shot. ' : ''}A click opens the model.`}
      spec={width =>
        linePanelsSpec(
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
        )
      }
      onPick={about => {
        const row = points.find(({ model }) => about.startsWith(`${model}: `))
        if (row) location.hash = link(row.model)
      }}
    />
  )
}

import {
  beside,
  captionOf,
  type Figure,
  type FigureKind,
  idOf,
  modelsAndImages,
  modelsIn,
  perGeographic,
  saidFitted,
} from './figure.ts'
import { drawnLine, linePanels, lineThrough, type PanelSeries } from './linePanel.ts'
import { bestFirst, regionRows } from './regions.ts'
import { type Results } from '../../analysis/view.ts'
import { placeColumn, placesText } from '../../analysis/roles.ts'
import { color, quiet } from './theme.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** One model on one region's images against the reference benchmark; accuracies in percent. */
export interface RegionLineRow {
  region: string
  model: string
  reference: number
  accuracy: number
  n: number
  /** Whether the line is fitted to it. */
  fitted: boolean
}

/** One line per region in one panel; with many places only the best and the worst are named. */
function regionLinesSpec(
  rows: readonly RegionLineRow[],
  order: readonly string[],
  reference: string,
  width: number,
  model?: string,
): TopLevelSpec {
  const named = order.length <= namedRegions ? order : [order[0]!, order.at(-1)!]
  const series = order.map((region): PanelSeries => {
    const rank = named.indexOf(region)
    const drawn = seriesOf(region, rows, color(Math.max(0, rank)))
    return rank < 0 ? { ...drawn, label: [], color: quiet.light, quiet: true } : drawn
  })
  const axes = { x: `${reference} top-1 accuracy (%)`, y: 'top-1 accuracy (%)' }
  return linePanels([{ title: '', ...axes, model, series }], Math.min(width, 560))
}

const namedRegions = 8

/** One region's models with their line, called by name and rate. */
export function seriesOf(region: string, all: readonly RegionLineRow[], color: string): PanelSeries {
  const points = all
    .filter(row => row.region === region)
    .map(({ model, reference, accuracy, fitted }) => ({ model, x: reference, y: accuracy, hollow: !fitted }))
  const line = drawnLine(lineThrough(points))
  return { label: [region, ...(line ? [`rate ${line.slope.toFixed(2)}`] : [])], color, points, line }
}

export const regionLines: FigureKind = {
  name: 'region-lines',
  paper: ['2 right', '7 right'],
  title: 'Accuracy per region against the standard benchmark',
  needs: 'two models with a standard benchmark and a data set with two regions or countries',
  make: (results, options) =>
    perGeographic(results, options, (_, dataset, { model }) => figureOf(results, dataset, model)),
}

function figureOf(results: Results, dataset: string, model?: string): Figure | null {
  const { reference } = results.roles
  const column = placeColumn(results.run, dataset)!
  const rows = regionLineRows(results, dataset)
  const order = bestFirst(rows)
  if (reference === null || order.length < 2 || modelsIn(rows) < 2) return null
  const [name, axis] = [results.title(dataset), results.title(reference)]
  const many = order.length > namedRegions
  return {
    id: idOf('region-lines', name),
    title: `Accuracy per ${column} of ${name} against ${axis}`,
    subtitle: modelsAndImages(results, dataset, rows),
    caption: captionOf(
      results,
      `Each point is a model: top-1 accuracy on the images of one ${column} of ${name} against its accuracy on ${axis}, both in percent; lines are least squares, a rate is a line’s slope.`,
      many
        ? `Coloured: the best and the worst of ${order.length} ${placesText(column)} by mean accuracy over the models.`
        : null,
      beside(results),
      `Only groups of at least ${results.minN} images are drawn.`,
    ),
    rows: saidFitted(rows),
    spec: width => regionLinesSpec(rows, order, axis, width, model),
  }
}

/** Groups of at least min-n images, for models that have the reference. */
export function regionLineRows(results: Results, dataset: string): RegionLineRow[] {
  const { roles, run, table, minN, fitted } = results
  const x = table.get(roles.reference ?? '')
  return regionRows(results, dataset, placeColumn(run, dataset)!).flatMap(({ region, model, accuracy, n }) => {
    const reference = x?.get(model)
    if (reference === undefined || n < minN) return []
    return { region, model, reference: 100 * reference, accuracy, n, fitted: fitted.includes(model) }
  })
}

import { sum } from '../../metrics/numbers.ts'
import { inPercent, percentValue, range95 } from '../../lib/table/values.ts'
import { captionOf, type Figure, type FigureKind, type FigureOptions, idOf, modelsIn, perGeographic } from './figure.ts'
import { count } from '../../lib/table/text.ts'
import { fitText, textWidth } from './fonts.ts'
import { spread } from './labels.ts'
import { type Domain, roundBounds } from './linePanel.ts'
import { type Results } from '../../analysis/view.ts'
import { placeColumn, placesText } from '../../analysis/roles.ts'
import { color, fontSize, ink, quiet, titleSize } from './theme.ts'
import {
  intervalMarks,
  type PanelSpec,
  panels,
  pixelText,
  type Position,
  type TopLevelSpec,
  type UnitSpec,
} from './vegaLite.ts'

/** One model's accuracy on one region's images, in percent, with its 95 % interval. */
export interface RegionRow {
  model: string
  region: string
  n: number
  errors: number
  accuracy: number
  low: number
  high: number
}

/** More models than this are drawn as ticks behind the best, the middle and the worst one. */
const modelsApart = 5

/** Points with intervals on one accuracy axis, regions in the order given: rows per model, or all models in each row. */
export function regionsSpec(rows: readonly RegionRow[], regions: readonly string[], width: number): TopLevelSpec {
  const models = [...new Set(rows.map(({ model }) => model))]
  const labels = regions.map(region => rowLabel(region, rows, 0.36 * width))
  const names = Math.ceil(Math.max(...labels.map(label => textWidth(label, fontSize))))
  const layout: Layout = {
    range: roundBounds(
      rows.flatMap(({ low, high }) => [low, high]),
      0,
      100,
    ),
    ...{ regions, labels, names },
    inner: width - names - 32,
    rowHeight: models.length > modelsApart ? 26 : 20,
  }
  if (models.length > modelsApart) return panels([together(rows, models, layout)], 1)
  const parts = models.map((model, i) => {
    const own = rows.filter(row => row.model === model)
    return alone(own, layout, models.length > 1 ? model : null, i === models.length - 1)
  })
  return { ...panels(parts, 1), spacing: 12 }
}

interface Layout {
  range: Domain
  regions: readonly string[]
  /** The regions as they fit beside the rows, and the room for them. */
  labels: readonly string[]
  names: number
  inner: number
  rowHeight: number
}

/** Images of a region: those of the model that failed on fewest. */
const most = (rows: readonly RegionRow[], region: string): number =>
  Math.max(...rows.filter(row => row.region === region).map(({ n }) => n))

/** `Europe (n 586)`; a long name is cut, the number is not. */
function rowLabel(region: string, rows: readonly RegionRow[], width: number): string {
  const n = ` (n ${most(rows, region).toLocaleString('en-US')})`
  return `${fitText(region, width - textWidth(n, fontSize), fontSize)}${n}`
}

const positions = ({ range, regions }: Layout, labelled: boolean): Position => ({
  x: {
    field: 'accuracy',
    type: 'quantitative',
    scale: { domain: range.domain, nice: false, zero: false },
    axis: { title: labelled ? 'top-1 accuracy (%)' : null, labels: labelled, values: range.values, ticks: labelled },
  },
  y: { field: 'row', type: 'quantitative', scale: { domain: [regions.length, 0], nice: false }, axis: null },
})

const valuesOf = (rows: readonly RegionRow[], { regions }: Layout, color: string) =>
  rows.map(row => ({
    row: regions.indexOf(row.region) + 0.5,
    ...{ accuracy: row.accuracy, low: row.low, high: row.high, color },
    about: `${row.model}, ${row.region}: ${percentValue(row.accuracy)}, 95 % interval ${range95(row)}, n = ${row.n}`,
  }))

const rowNames = ({ labels, rowHeight }: Layout): UnitSpec =>
  pixelText(
    labels.map((text, i) => ({ text, px: -8, py: (i + 0.5) * rowHeight })),
    { align: 'right', fontSize },
  )

function alone(rows: readonly RegionRow[], layout: Layout, title: string | null, last: boolean): PanelSpec {
  const { inner, names, regions, rowHeight } = layout
  return {
    ...(title === null ? {} : { title: { text: fitText(title, inner + names, titleSize, true), offset: 2 } }),
    width: inner,
    height: regions.length * rowHeight,
    layer: [...intervalMarks(valuesOf(rows, layout, color(0)), positions(layout, last)), rowNames(layout)],
  }
}

/** Every model as a tick; the best, the middle and the worst one as points with intervals. */
function together(rows: readonly RegionRow[], models: readonly string[], layout: Layout): PanelSpec {
  const position = positions(layout, true)
  const shown = [0, Math.floor((models.length - 1) / 2), models.length - 1].map(i => models[i]!)
  const colors = [color(0), ink, color(1)]
  return {
    width: layout.inner,
    height: layout.regions.length * layout.rowHeight,
    layer: [
      {
        data: { values: valuesOf(rows, layout, '').map(({ row, accuracy }) => ({ row, accuracy })) },
        mark: { type: 'tick', orient: 'vertical', color: quiet.light, opacity: 0.35, thickness: 1, size: 18 },
        encoding: position,
      },
      ...shown.flatMap((model, i) => {
        const own = rows.filter(row => row.model === model)
        return intervalMarks(valuesOf(own, layout, colors[i]!), position)
      }),
      rowNames(layout),
      namesAbove(rows, layout.regions[0]!, shown, colors, layout),
    ],
  }
}

/** The three models' names over their points in the first row, apart from each other; in lines of their own where they are long. */
function namesAbove(
  rows: readonly RegionRow[],
  first: string,
  shown: readonly string[],
  colors: readonly string[],
  { range: { domain }, inner, names }: Layout,
): UnitSpec {
  const texts = shown.map((model, i) => `${['best', 'middle', 'worst'][i]!}: ${model}`)
  const widths = texts.map(text => textWidth(text, fontSize) + 12)
  const stacked = widths.reduce((sum, width) => sum + width) > inner + names
  if (stacked)
    return pixelText(
      texts.map((text, i) => ({
        ...{ text: fitText(text, inner, fontSize), color: colors[i]! },
        ...{ px: 0, py: -9 - (texts.length - 1 - i) * (fontSize + 4) },
      })),
      { align: 'left', fontSize },
    )
  const wanted = shown.map(model => {
    const row = rows.find(row => row.model === model && row.region === first)
    return ((row?.accuracy ?? domain[0]) - domain[0]) * (inner / (domain[1] - domain[0]))
  })
  const middles = spread(wanted, widths, -names, inner + 8)
  return pixelText(
    texts.map((text, i) => ({ text, color: colors[i]!, px: middles[i]!, py: -9 })),
    { align: 'center', fontSize },
  )
}

export const regions: FigureKind = {
  name: 'regions',
  paper: [],
  title: 'Accuracy per region',
  needs: 'a data set with regions or countries',
  make: (results, options) => perGeographic(results, options, figureOf),
}

function figureOf(results: Results, dataset: string, { model }: FigureOptions): Figure | null {
  const column = placeColumn(results.run, dataset)!
  const all = regionRows(results, dataset, column).filter(row => row.model === (model ?? row.model))
  const large = all.filter(({ n }) => n >= results.minN)
  if (large.length === 0) return null
  const order = bestFirst(large)
  const name = results.title(dataset)
  const groups = results.by(column).filter(row => row.dataset === dataset)
  const left = [...new Set(groups.map(({ group }) => group))].filter(group => !order.includes(group))
  const models = modelsIn(large)
  const drawn = sum(order.map(region => most(large, region)))
  return {
    id: idOf('regions', name),
    title: `Accuracy per ${column} on ${name}`,
    subtitle: `${count(models, 'model')}, n = ${count(drawn, 'image')}`,
    caption: captionOf(
      results,
      `Top-1 accuracy on the images of each ${column} of ${name}, as means over images in percent, with 95 % Wilson intervals; ${placesText(column)} with the highest mean over the models first.`,
      models > modelsApart
        ? 'Grey ticks are all models; the best, middle and worst by overall accuracy are marked.'
        : null,
      left.length > 0 ? `Left out for fewer than ${results.minN} images: ${left.join(', ')}.` : null,
    ),
    rows: large.map(row => ({ ...row })),
    spec: width => regionsSpec(large, order, width),
  }
}

/** Models in the order of their overall accuracy on the data set, best first. */
export function regionRows(results: Results, dataset: string, column: string): RegionRow[] {
  const overall = results.table.get(dataset) ?? new Map<string, number>()
  return results
    .by(column)
    .filter(row => row.dataset === dataset && row.top1 !== null)
    .map(({ model, group, n, errors, ...row }) => ({ model, region: group, n, errors, ...inPercent(row) }))
    .sort(
      (a, b) => overall.get(b.model)! - overall.get(a.model)! || (a.model < b.model ? -1 : Number(a.model > b.model)),
    )
}

/** Regions by mean accuracy over the models, highest first. */
export function bestFirst(rows: readonly Pick<RegionRow, 'region' | 'accuracy'>[]): string[] {
  const sums = new Map<string, { sum: number; n: number }>()
  for (const { region, accuracy } of rows) {
    const { sum, n } = sums.get(region) ?? { sum: 0, n: 0 }
    sums.set(region, { sum: sum + accuracy, n: n + 1 })
  }
  const mean = (region: string): number => sums.get(region)!.sum / sums.get(region)!.n
  return [...sums.keys()].sort((a, b) => mean(b) - mean(a))
}

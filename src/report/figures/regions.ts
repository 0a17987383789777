import { countryName } from '../../datasets/labels/readableNames.ts'
import { sum } from '../../metrics/numbers.ts'
import { accuracyPercent, percentValue, range95 } from '../../lib/table/values.ts'
import {
  figureCaption,
  type Figure,
  type FigureKind,
  type FigureOptions,
  figureId,
  countModels,
  drawPerGeographicDataset,
} from './figure.ts'
import { countText } from '../../lib/table/text.ts'
import { leadNote, leadText, placeText, type RankedPlace } from './findings.ts'
import { fitText, textWidthPx, titleFont } from './fonts.ts'
import { spreadPositions } from './labels.ts'
import { withLegend } from './legend.ts'
import { type AxisDomain, roundDomain } from './axisDomain.ts'
import { type RunView } from '../../analysis/runView.ts'
import { placeColumn, pluralOfPlace } from '../../analysis/datasetRoles.ts'
import { seriesColor, fontSizePx, ink, mutedColor } from './theme.ts'
import {
  intervalMarks,
  type PanelSpec,
  concatPanels,
  pixelText,
  type PositionEncoding,
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
const maxSeparateModels = 5

/** Points with intervals on one accuracy axis, regions in the order given: rows per model, or all models in each row. */
export function regionsSpec(
  rows: readonly RegionRow[],
  regions: readonly string[],
  width: number,
): TopLevelSpec {
  const models = [...new Set(rows.map(({ model }) => model))]
  const labels = regions.map(region => rowLabel(region, rows, 0.36 * width))
  const names = Math.ceil(Math.max(...labels.map(label => textWidthPx(label, fontSizePx))))
  const layout: RegionsLayout = {
    range: roundDomain(
      rows.flatMap(({ low, high }) => [low, high]),
      [0, 100],
    ),
    regions,
    labels,
    names,
    inner: width - names - 32,
    rowHeight: models.length > maxSeparateModels ? 26 : 20,
  }
  if (models.length > maxSeparateModels)
    return withLegend(
      concatPanels([allModelsPanel(rows, models, layout)], 1),
      [{ look: 'tick', text: 'every model', color: mutedColor.light }],
      { left: names + 8, width },
    )
  const parts = models.map((model, i) => {
    const own = rows.filter(row => row.model === model)
    return singleModelPanel(own, layout, {
      title: models.length > 1 ? model : null,
      isLast: i === models.length - 1,
    })
  })
  return { ...concatPanels(parts, 1), spacing: 12 }
}

interface RegionsLayout {
  range: AxisDomain
  regions: readonly string[]
  /** The regions as they fit beside the rows, and the room for them. */
  labels: readonly string[]
  names: number
  inner: number
  rowHeight: number
}

/** Images of a region: those of the model that failed on fewest. */
const regionImages = (rows: readonly RegionRow[], region: string): number =>
  Math.max(...rows.filter(row => row.region === region).map(({ n }) => n))

/** `Europe (n 586)`; a long name is cut, the number is not. */
function rowLabel(region: string, rows: readonly RegionRow[], width: number): string {
  const n = ` (n ${regionImages(rows, region).toLocaleString('en-US')})`
  return `${fitText(region, width - textWidthPx(n, fontSizePx))}${n}`
}

const regionsEncoding = (
  { range, regions }: RegionsLayout,
  labelled: boolean,
): PositionEncoding => ({
  x: {
    field: 'accuracy',
    type: 'quantitative',
    scale: { domain: range.domain, nice: false, zero: false },
    axis: {
      title: labelled ? 'top-1 accuracy (%)' : null,
      labels: labelled,
      values: range.values,
      ticks: labelled,
    },
  },
  y: {
    field: 'row',
    type: 'quantitative',
    scale: { domain: [regions.length, 0], nice: false },
    axis: null,
  },
})

const regionValues = (rows: readonly RegionRow[], { regions }: RegionsLayout, color: string) =>
  rows.map(row => ({
    row: regions.indexOf(row.region) + 0.5,
    accuracy: row.accuracy,
    low: row.low,
    high: row.high,
    color,
    about: `${row.model}, ${row.region}: ${percentValue(row.accuracy)}, 95 % interval ${range95(row)}, n = ${row.n}`,
  }))

const rowNameLabels = ({ labels, rowHeight }: RegionsLayout): UnitSpec =>
  pixelText(
    labels.map((text, i) => ({ text, px: -8, py: (i + 0.5) * rowHeight })),
    { align: 'right', fontSize: fontSizePx },
  )

function singleModelPanel(
  rows: readonly RegionRow[],
  layout: RegionsLayout,
  { title, isLast }: { title: string | null; isLast: boolean },
): PanelSpec {
  const { inner, names, regions, rowHeight } = layout
  return {
    ...(title === null
      ? {}
      : { title: { text: fitText(title, inner + names, titleFont), offset: 2 } }),
    width: inner,
    height: regions.length * rowHeight,
    layer: [
      ...intervalMarks(regionValues(rows, layout, seriesColor(0)), regionsEncoding(layout, isLast)),
      rowNameLabels(layout),
    ],
  }
}

/** Every model as a tick; the best, the middle and the worst one as points with intervals. */
function allModelsPanel(
  rows: readonly RegionRow[],
  models: readonly string[],
  layout: RegionsLayout,
): PanelSpec {
  const position = regionsEncoding(layout, true)
  const shown = [0, Math.floor((models.length - 1) / 2), models.length - 1].map(i => models[i]!)
  const colors = [seriesColor(0), ink, seriesColor(1)]
  return {
    width: layout.inner,
    height: layout.regions.length * layout.rowHeight,
    layer: [
      {
        data: {
          values: regionValues(rows, layout, '').map(({ row, accuracy }) => ({ row, accuracy })),
        },
        mark: {
          type: 'tick',
          orient: 'vertical',
          color: mutedColor.light,
          opacity: 0.35,
          thickness: 1,
          size: 18,
        },
        encoding: position,
      },
      ...shown.flatMap((model, i) => {
        const own = rows.filter(row => row.model === model)
        return intervalMarks(regionValues(own, layout, colors[i]!), position)
      }),
      rowNameLabels(layout),
      modelNamesAbove(
        rows,
        shown.map((model, i) => ({ model, color: colors[i]! })),
        layout,
      ),
    ],
  }
}

/** The three models' names over their points in the first row, apart from each other; in lines of their own where they are long. */
function modelNamesAbove(
  rows: readonly RegionRow[],
  shown: readonly { model: string; color: string }[],
  { range: { domain }, regions: [first], inner, names }: RegionsLayout,
): UnitSpec {
  const texts = shown.map(({ model }, i) => `${['best', 'middle', 'worst'][i]!}: ${model}`)
  const widths = texts.map(text => textWidthPx(text, fontSizePx) + 12)
  const stacked = widths.reduce((sum, width) => sum + width) > inner + names
  if (stacked)
    return pixelText(
      texts.map((text, i) => ({
        text: fitText(text, inner),
        color: shown[i]!.color,
        px: 0,
        py: -9 - (texts.length - 1 - i) * (fontSizePx + 4),
      })),
      { align: 'left', fontSize: fontSizePx },
    )
  const wanted = shown.map(({ model }) => {
    const row = rows.find(row => row.model === model && row.region === first)
    return ((row?.accuracy ?? domain[0]) - domain[0]) * (inner / (domain[1] - domain[0]))
  })
  const middles = spreadPositions(wanted, widths, [-names, inner + 8])
  return pixelText(
    texts.map((text, i) => ({ text, color: shown[i]!.color, px: middles[i]!, py: -9 })),
    { align: 'center', fontSize: fontSizePx },
  )
}

export const regions: FigureKind = {
  name: 'regions',
  paper: [],
  title: 'Accuracy per region',
  needs: 'a data set with regions or countries',
  make: (results, options) => drawPerGeographicDataset(results, options, figureOf),
}

function figureOf(results: RunView, dataset: string, { model }: FigureOptions): Figure | null {
  const column = placeColumn(results.run, dataset)!
  const all = regionRows(results, dataset, column).filter(row => row.model === (model ?? row.model))
  const large = all.filter(({ n }) => n >= results.minN)
  if (large.length === 0) return null
  const order = regionsByAccuracy(large)
  const name = results.titleOf(dataset)
  const groups = results.accuracyBy(column).filter(row => row.dataset === dataset)
  const left = [...new Set(groups.map(({ group }) => placeName(column, group)))].filter(
    place => !order.includes(place),
  )
  const models = countModels(large)
  // The rows of the best model come first.
  const best = large[0]!.model
  const bestPlaces = large.filter(({ model }) => model === best).map(rankedPlace)
  const where = `in ${models > 1 ? 'the best model' : best} on ${name}`
  const drawn = sum(order.map(region => regionImages(large, region)))
  return {
    id: figureId('regions', name),
    title: leadText(bestPlaces, where) ?? placeText(bestPlaces[0]!, where),
    subtitle: `Accuracy per ${column}: ${countText(models, 'model')}, n = ${countText(drawn, 'image')}`,
    caption: figureCaption(
      results,
      `Top-1 accuracy on the images of each ${column} of ${name}, as means over images in percent, with 95 % intervals; ${pluralOfPlace(column)} with the highest mean over the models first.`,
      models > maxSeparateModels
        ? 'Grey ticks are all models; the best, middle and worst by overall accuracy are marked.'
        : null,
      left.length > 0
        ? `Left out for fewer than ${results.minN} images: ${left.join(', ')}.`
        : null,
      leadNote(bestPlaces),
    ),
    rows: large.map(row => ({ ...row })),
    spec: width => regionsSpec(large, order, width),
  }
}

/** Returns a row as a finding ranks it. */
export const rankedPlace = ({ region, ...row }: RegionRow): RankedPlace => ({
  place: region,
  ...row,
})

/** Returns the name of a group of a column of places: countries are called by their names. */
const placeName = (column: string, group: string): string =>
  column === 'country' ? countryName(group) : group

/** Models in the order of their overall accuracy on the data set, best first. */
export function regionRows(results: RunView, dataset: string, column: string): RegionRow[] {
  const overall = results.accuracies.get(dataset) ?? new Map<string, number>()
  return results
    .accuracyBy(column)
    .filter(row => row.dataset === dataset && row.top1 !== null)
    .map(({ model, group, n, errors, ...row }) => ({
      model,
      region: placeName(column, group),
      n,
      errors,
      ...accuracyPercent(row),
    }))
    .sort(
      (a, b) =>
        overall.get(b.model)! - overall.get(a.model)! ||
        (a.model < b.model ? -1 : Number(a.model > b.model)),
    )
}

/** Regions by mean accuracy over the models, highest first. */
export function regionsByAccuracy(
  rows: readonly Pick<RegionRow, 'region' | 'accuracy'>[],
): string[] {
  const sums = new Map<string, { sum: number; n: number }>()
  for (const { region, accuracy } of rows) {
    const { sum, n } = sums.get(region) ?? { sum: 0, n: 0 }
    sums.set(region, { sum: sum + accuracy, n: n + 1 })
  }
  const mean = (region: string): number => sums.get(region)!.sum / sums.get(region)!.n
  return [...sums.keys()].sort((a, b) => mean(b) - mean(a))
}

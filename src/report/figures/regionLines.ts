import { type Line } from '../../metrics/regression.ts'
import {
  fittedModelsNote,
  figureCaption,
  type Figure,
  type FigureKind,
  figureId,
  modelsAndImagesText,
  countModels,
  drawPerGeographicDataset,
  withFittedLabel,
} from './figure.ts'
import { panelLine, linePanelsSpec, fitPanelLine } from './linePanel.ts'
import { type LinePanel, type PanelPoint, type PanelSeries } from './panel.ts'
import { endsBy, slopeText, titleIntervalNote } from './findings.ts'
import { regionsByAccuracy, regionRows } from './regions.ts'
import { type RunView } from '../../analysis/runView.ts'
import { placeColumn, pluralOfPlace } from '../../analysis/datasetRoles.ts'
import { signedText } from '../../lib/table/values.ts'
import { seriesColor, mutedColor } from './theme.ts'

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
function regionLinesPanel(
  rows: readonly RegionLineRow[],
  order: readonly string[],
  { reference, model }: { reference: string; model: string | undefined },
): LinePanel {
  const named = namedRegions(order)
  const series = order.map((region): PanelSeries => {
    const rank = named.indexOf(region)
    const drawn = regionSeries(region, rows, seriesColor(Math.max(0, rank)))
    return rank < 0 ? { ...drawn, label: [], color: mutedColor.light, muted: true } : drawn
  })
  const x = `${reference} top-1 accuracy (%)`
  return { title: '', x, y: 'top-1 accuracy (%)', model, series }
}

const maxNamedRegions = 8

const namedRegions = (order: readonly string[]): readonly string[] =>
  order.length <= maxNamedRegions ? order : [order[0]!, order.at(-1)!]

/** One region's models with their line, called by name and rate. */
export function regionSeries(
  region: string,
  all: readonly RegionLineRow[],
  color: string,
): PanelSeries {
  const points = regionPoints(region, all)
  const line = panelLine(fitPanelLine(points))
  return {
    label: [region, ...(line ? [`rate ${signedText(line.slope, 2)}`] : [])],
    color,
    points,
    line,
  }
}

export const regionLines: FigureKind = {
  name: 'region-lines',
  paper: ['2 right', '7 right'],
  title: 'Accuracy per region against the standard benchmark',
  needs: 'two models with a standard benchmark and a data set with two regions or countries',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset, { model }) =>
      figureOf(results, dataset, model),
    ),
}

function figureOf(results: RunView, dataset: string, model?: string): Figure | null {
  const { reference } = results.roles
  const column = placeColumn(results.run, dataset)!
  const rows = regionLineRows(results, dataset)
  const order = regionsByAccuracy(rows)
  if (reference === null || order.length < 2 || countModels(rows) < 2) return null
  const [name, axis] = [results.titleOf(dataset), results.titleOf(reference)]
  const named = namedRegions(order)
  return {
    id: figureId('region-lines', name),
    title: linesTitle(regionRates(rows, named), { name, axis }),
    subtitle: `Accuracy per ${column} against ${axis}: ${modelsAndImagesText(results, dataset, rows)}`,
    caption: figureCaption(
      results,
      `Each point is a model: top-1 accuracy on the images of one ${column} of ${name} against its accuracy on ${axis}, both in percent; lines are least squares, a rate is a line’s slope.`,
      titleIntervalNote,
      named.length < order.length
        ? `Coloured: the best and the worst of ${order.length} ${pluralOfPlace(column)} by mean accuracy over the models.`
        : null,
      fittedModelsNote(results.lines[0], results.models),
      `Only groups of at least ${results.minN} images are drawn.`,
    ),
    rows: withFittedLabel(rows),
    spec: width =>
      linePanelsSpec([regionLinesPanel(rows, order, { reference: axis, model })], width),
  }
}

/** The places that gain most and least. */
function linesTitle(
  rates: readonly RegionRate[],
  { name, axis }: { name: string; axis: string },
): string {
  if (rates.length < 2) return `Too few models for the rates of the places of ${name}`
  const [most, least] = endsBy(rates, ({ slope }) => slope)
  return `On ${name}, ${most.region} gains ${slopeText(most)} points per point on ${axis} and ${least.region} ${slopeText(least)}`
}

/** A place's progress rate with its interval. */
interface RegionRate extends Pick<Line, 'interval'> {
  region: string
  slope: number
}

/** Returns the rates of the places that have one, in their order. */
export const regionRates = (
  rows: readonly RegionLineRow[],
  regions: readonly string[],
): RegionRate[] =>
  regions.flatMap(region => {
    const { slope, interval } = fitPanelLine(regionPoints(region, rows))
    return slope === null ? [] : [{ region, slope, interval }]
  })

const regionPoints = (region: string, all: readonly RegionLineRow[]): PanelPoint[] =>
  all
    .filter(row => row.region === region)
    .map(({ model, reference, accuracy, fitted }) => ({
      model,
      x: reference,
      y: accuracy,
      hollow: !fitted,
    }))

/** Groups of at least min-n images, for models that have the reference. */
export function regionLineRows(results: RunView, dataset: string): RegionLineRow[] {
  const { roles, run, accuracies: table, minN, fittedModels: fitted } = results
  const x = table.get(roles.reference ?? '')
  return regionRows(results, dataset, placeColumn(run, dataset)!).flatMap(
    ({ region, model, accuracy, n }) => {
      const reference = x?.get(model)
      if (reference === undefined || n < minN) return []
      return {
        region,
        model,
        reference: 100 * reference,
        accuracy,
        n,
        fitted: fitted.includes(model),
      }
    },
  )
}

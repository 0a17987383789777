import { type Line } from '../../metrics/regression.ts'
import { pValueText } from '../../lib/table/text.ts'
import { type DisparityRow } from '../../results/run.ts'
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
import { slopeText, titleIntervalNote } from './findings.ts'
import { panelLine, linePanelsSpec, fitPanelLine } from './linePanel.ts'
import { type LinePanel, type PanelPoint } from './panel.ts'
import { type RunView } from '../../analysis/runView.ts'
import { pluralOfPlace } from '../../analysis/datasetRoles.ts'
import { geographicColor } from './theme.ts'
import { signedText } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** One model's disparity in percentage points against its accuracy on a standard benchmark in percent. */
export interface ModelDisparityPoint {
  benchmark: string
  model: string
  accuracy: number
  disparity: number
  low: number | null
  high: number | null
  /** Whether the line is fitted to it. */
  fitted: boolean
}

/** One panel per standard benchmark; more than this many models are not named. */
const maxNamedModels = 6

interface DisparityDrawing {
  points: readonly ModelDisparityPoint[]
  measured: DisparityMeasure
  /** The model that is marked. */
  model: string | undefined
}

function disparitySpec(drawing: DisparityDrawing, width: number): TopLevelSpec {
  const benchmarks = [...new Set(drawing.points.map(({ benchmark }) => benchmark))]
  return linePanelsSpec(
    benchmarks.map(benchmark => panelOf(benchmark, drawing)),
    width,
    { shared: 'y' },
  )
}

function panelOf(
  benchmark: string,
  { points: all, measured: { measure }, model }: DisparityDrawing,
): LinePanel {
  const points: PanelPoint[] = all
    .filter(point => point.benchmark === benchmark)
    .map(({ model, accuracy, disparity, low, high, fitted }) => ({
      model,
      x: accuracy,
      y: disparity,
      low,
      high,
      hollow: !fitted,
    }))
  const line = fitPanelLine(points)
  return {
    title: benchmark,
    subtitle: disparityLineText(line),
    x: `${benchmark} top-1 accuracy (%)`,
    y: `${measure} (points)`,
    startsAtZero: true,
    namesPoints: points.length <= maxNamedModels,
    model,
    series: [{ label: [], color: geographicColor, points, line: panelLine(line) }],
  }
}

function disparityLineText({ slope, r2, p }: Line): string {
  if (slope === null) return 'too few models for a line'
  const fit = r2 === null ? '' : `, R² ${r2.toFixed(2)}`
  const test = p === null ? '' : `, p ${pValueText(p)}`
  return `slope ${signedText(slope, 2)}${fit}${test}`
}

export const disparity: FigureKind = {
  name: 'disparity',
  paper: ['1 right', '2 left', '6', '7', '8'],
  title: 'Geographic disparity against progress on standard benchmarks',
  needs: 'two models with a standard benchmark and a data set with two regions or countries',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset, { model }) => {
      const rows = results.disparitiesOn(dataset)
      const measured = disparityMeasure(rows)
      const points = disparityPoints(results, measured)
      return countModels(points) < 2
        ? null
        : figureOf(results, rows[0]!, { points, measured, model })
    }),
}

interface DisparityMeasure {
  kind: 'pair' | 'maximum'
  /** On an axis, and in a sentence: of which images of a data set. */
  measure: string
  description: string
  rows: readonly { model: string; value: number; low: number | null; high: number | null }[]
}

/** Europe minus Africa, as the paper's figures have it, where every model has both; else the largest difference. */
export function disparityMeasure(rows: readonly DisparityRow[]): DisparityMeasure {
  if (rows.length > 0 && rows.every(row => row.europeMinusAfrica !== null)) {
    return {
      kind: 'pair',
      measure: 'Europe − Africa',
      description: 'top-1 accuracy on Europe’s minus that on Africa’s images',
      rows: rows.map(({ model, europeMinusAfrica, europeMinusAfricaInterval: interval }) => ({
        model,
        value: 100 * europeMinusAfrica!,
        low: interval ? 100 * interval[0] : null,
        high: interval ? 100 * interval[1] : null,
      })),
    }
  }
  const known = rows.filter(row => row.disparity !== null)
  return {
    kind: 'maximum',
    measure: 'largest difference',
    description: 'largest difference of top-1 accuracy between places',
    rows: known.map(({ model, disparity }) => ({
      model,
      value: 100 * disparity!,
      low: null,
      high: null,
    })),
  }
}

function disparityPoints(
  { roles, accuracies: table, titleOf: title, fittedModels: fitted }: RunView,
  { rows }: DisparityMeasure,
): ModelDisparityPoint[] {
  const benchmarks = [roles.reference, ...roles.standard].filter(name => name !== null)
  return benchmarks.flatMap(benchmark =>
    rows.flatMap(({ model, value, low, high }) => {
      const accuracy = table.get(benchmark)?.get(model)
      if (accuracy === undefined) return []
      const at = { accuracy: 100 * accuracy, disparity: value, low, high }
      return { benchmark: title(benchmark), model, ...at, fitted: fitted.includes(model) }
    }),
  )
}

/** How the disparity goes with the accuracy on the first benchmark. */
function disparityTitle(drawing: DisparityDrawing, name: string): string {
  const { benchmark } = drawing.points[0]!
  const { slope, interval, p } = fitPanelLine(panelOf(benchmark, drawing).series[0]!.points)
  const measure =
    drawing.measured.kind === 'pair' ? 'Europe’s lead over Africa' : 'The largest difference'
  if (slope === null) return `Too few models for a trend of the disparity on ${name}`
  if (p === null || p >= 0.05)
    return `${measure} on ${name} shows no clear trend with accuracy on ${benchmark}: ${slopeText({ slope, interval })} points per point`
  return `${measure} on ${name} ${slope > 0 ? 'grows' : 'shrinks'} with accuracy on ${benchmark}: ${slopeText({ slope, interval })} points per point`
}

function figureOf(
  results: RunView,
  { dataset, by }: Pick<DisparityRow, 'dataset' | 'by'>,
  drawing: DisparityDrawing,
): Figure {
  const { points, measured } = drawing
  const { kind, description: says } = measured
  const name = results.titleOf(dataset)
  return {
    id: figureId('disparity', name),
    title: disparityTitle(drawing, name),
    subtitle: `Disparity against accuracy on standard benchmarks: ${modelsAndImagesText(results, dataset, points)}`,
    caption: figureCaption(
      results,
      kind === 'pair'
        ? `Each point is a model: its ${says} of ${name}, in percentage points, against its accuracy on a standard benchmark.`
        : `Each point is a model: the largest difference of its top-1 accuracy between two ${pluralOfPlace(by)} of ${name} with at least ${results.minN} images, in percentage points, against its accuracy on a standard benchmark. A maximum is above 0 by chance alone.`,
      kind === 'pair' ? 'Vertical bars, where drawn, are 95 % Newcombe intervals.' : null,
      'Lines are least squares over the models; p tests a slope of 0.',
      titleIntervalNote,
      fittedModelsNote(results.lines[0], results.models),
    ),
    rows: withFittedLabel(points),
    spec: width => disparitySpec(drawing, width),
  }
}

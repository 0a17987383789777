import { type Line } from '../../metrics/regression.ts'
import { pText } from '../../lib/table/text.ts'
import { type DisparityRow } from '../../results/run.ts'
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
import { drawnLine, linePanels, lineThrough, type Panel, type PanelPoint } from './linePanel.ts'
import { type Results } from '../../analysis/view.ts'
import { placesText } from '../../analysis/roles.ts'
import { geographicColor } from './theme.ts'
import { signed } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** One model's disparity in percentage points against its accuracy on a standard benchmark in percent. */
export interface DisparityPoint {
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
const namedModels = 6

function disparitySpec(
  points: readonly DisparityPoint[],
  measure: string,
  width: number,
  model?: string,
): TopLevelSpec {
  const benchmarks = [...new Set(points.map(({ benchmark }) => benchmark))]
  return linePanels(
    benchmarks.map(benchmark => panelOf(benchmark, points, measure, model)),
    width,
  )
}

function panelOf(benchmark: string, all: readonly DisparityPoint[], measure: string, model?: string): Panel {
  const points: PanelPoint[] = all
    .filter(point => point.benchmark === benchmark)
    .map(({ model, accuracy, disparity, low, high, fitted }) => ({
      ...{ model, x: accuracy, y: disparity, low, high, hollow: !fitted },
    }))
  const line = lineThrough(points)
  return {
    title: benchmark,
    subtitle: lineText(line),
    x: `${benchmark} top-1 accuracy (%)`,
    y: `${measure} (points)`,
    difference: true,
    named: points.length <= namedModels,
    model,
    series: [{ label: [], color: geographicColor, points, line: drawnLine(line) }],
  }
}

function lineText({ slope, r2, p }: Line): string {
  if (slope === null) return 'too few models for a line'
  const fit = r2 === null ? '' : `, R² ${r2.toFixed(2)}`
  const test = p === null ? '' : `, p ${pText(p)}`
  return `slope ${signed(slope, 2)}${fit}${test}`
}

export const disparity: FigureKind = {
  name: 'disparity',
  paper: ['1 right', '2 left', '6', '7', '8'],
  title: 'Geographic disparity against progress on standard benchmarks',
  needs: 'two models with a standard benchmark and a data set with two regions or countries',
  make: (results, options) =>
    perGeographic(results, options, (_, dataset, { model }) => {
      const rows = results.disparities(dataset)
      const measured = measureOf(rows)
      const points = disparityPoints(results, measured)
      return modelsIn(points) < 2 ? null : figureOf(results, dataset, rows[0]!.by, measured, points, model)
    }),
}

interface Measured {
  kind: 'pair' | 'maximum'
  /** On an axis, and in a sentence: of which images of a data set. */
  measure: string
  says: string
  rows: readonly { model: string; value: number; low: number | null; high: number | null }[]
}

/** Europe minus Africa, as the paper's figures have it, where every model has both; else the largest difference. */
export function measureOf(rows: readonly DisparityRow[]): Measured {
  if (rows.length > 0 && rows.every(row => row.europeMinusAfrica !== null)) {
    return {
      kind: 'pair',
      measure: 'Europe − Africa',
      says: 'top-1 accuracy on Europe’s minus that on Africa’s images',
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
    says: 'largest difference of top-1 accuracy between places',
    rows: known.map(({ model, disparity }) => ({ model, value: 100 * disparity!, low: null, high: null })),
  }
}

function disparityPoints({ roles, table, title, fitted }: Results, { rows }: Measured): DisparityPoint[] {
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

function figureOf(
  results: Results,
  dataset: string,
  by: string,
  { kind, measure, says }: Measured,
  points: readonly DisparityPoint[],
  model?: string,
): Figure {
  const name = results.title(dataset)
  return {
    id: idOf('disparity', name),
    title: `Disparity on ${name} against accuracy on standard benchmarks`,
    subtitle: modelsAndImages(results, dataset, points),
    caption: captionOf(
      results,
      kind === 'pair'
        ? `Each point is a model: its ${says} of ${name}, in percentage points, against its accuracy on a standard benchmark.`
        : `Each point is a model: the largest difference of its top-1 accuracy between two ${placesText(by)} of ${name} with at least ${results.minN} images, in percentage points, against its accuracy on a standard benchmark. A maximum is above 0 by chance alone.`,
      kind === 'pair' ? 'Vertical bars, where drawn, are 95 % Newcombe intervals.' : null,
      'Lines are least squares over the models; p tests a slope of 0.',
      beside(results),
    ),
    rows: saidFitted(points),
    spec: width => disparitySpec(points, measure, width, model),
  }
}

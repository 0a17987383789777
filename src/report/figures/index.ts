import { outcomeMetric } from '../../results/outcomeMetrics.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { findModelName } from '../../models/findModelName.ts'
import { type Run } from '../../results/run.ts'
import { classRegion } from './classRegion.ts'
import { disparity } from './disparity.ts'
import { europeAgainst } from './europeAgainst.ts'
import { withUniqueIds, type Figure, type FigureKind, type FigureOptions } from './figure.ts'
import { fitText, wrapText } from './fonts.ts'
import { families } from './families.ts'
import { incomeRegion } from './incomeRegion.ts'
import { interventionsFigure } from './interventions.ts'
import { map } from './countryMap.ts'
import { neighbours } from './neighbours.ts'
import { progress } from './progress.ts'
import { rates } from './rates.ts'
import { regionLines } from './regionLines.ts'
import { regionMap } from './regionMap.ts'
import { regions } from './regions.ts'
import { type RunView, runView, type RunViewOptions } from '../../analysis/runView.ts'
import { benchmarkNameOf } from '../../analysis/datasetRoles.ts'
import { robustness } from './robustness.ts'
import { scaling } from './scaling.ts'
import { retraining, westernShare } from './studies.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** Every figure, in the order of a report. */
export const figureKinds: readonly FigureKind[] = [
  progress,
  rates,
  regions,
  regionMap,
  map,
  disparity,
  regionLines,
  robustness,
  europeAgainst,
  scaling,
  families,
  interventionsFigure,
  incomeRegion,
  classRegion,
  retraining,
  westernShare,
  neighbours,
]

/** The data set that a figure of the paper is about; those that are not here are about both. */
const paperDataset: Readonly<Record<string, string>> = {
  2: 'dollarstreet',
  3: 'dollarstreet',
  4: 'dollarstreet',
  5: 'geode',
  6: 'dollarstreet',
  7: 'geode',
  8: 'geode',
  10: 'geode',
}

/** Figures by name, or by the number of the paper's figure that they redraw. Errors: unknown-figure. */
function figureKindsNamed(name: string): readonly FigureKind[] {
  const found = figureKinds.filter(
    kind =>
      kind.name === name ||
      kind.paper.some(number => number === name || number.split(' ')[0] === name),
  )
  if (found.length > 0) return found
  throw unknownNameError(
    'figure',
    name,
    figureKinds.map(({ name }) => name),
  )
}

/** The figures of one kind; in a run on made-up data each title says so. */
export function drawFigures(
  kind: FigureKind,
  results: RunView,
  options: FigureOptions = {},
): Figure[] {
  const figures = withUniqueIds(kind.make(results, options)).map(figure =>
    withMetricNamed(figure, results),
  )
  if (results.syntheticNote === null) return figures
  return figures.map(figure => ({ ...figure, title: `${figure.title} (made-up data)` }))
}

/** Says in a figure of another metric than top-1 accuracy that its accuracies are that. */
function withMetricNamed(figure: Figure, { run }: RunView): Figure {
  const metric = run.entries[0]?.identity.metric
  if (metric === undefined) return figure
  const { title } = outcomeMetric(metric)
  return {
    ...figure,
    subtitle: [`accuracy is ${title}, × 100`, figure.subtitle].filter(Boolean).join('; '),
    caption: `Every accuracy here is ${title}, × 100, in place of top-1 accuracy. ${figure.caption}`,
  }
}

/**
 * The figures of a name or paper number from stored results, one per data set where it shows one; by number that of the paper
 * where it was evaluated. Errors: unknown-figure,
 * unknown-data-set, unknown-model, no-figure.
 */
export function makeFigures(
  run: Run,
  name: string,
  options: FigureOptions & RunViewOptions = {},
): Figure[] {
  const kinds = figureKindsNamed(name)
  const results = runView(run, options)
  const model =
    options.model === undefined ? undefined : findModelName(options.model, results.models)
  const about = results.roles.geographic.filter(
    dataset => benchmarkNameOf(dataset) === paperDataset[name],
  )
  const sets = options.dataset === undefined && about.length > 0 ? about : [options.dataset]
  const figures = kinds.flatMap(kind =>
    sets.flatMap(dataset => drawFigures(kind, results, { model, dataset })),
  )
  const needs = kinds.map(kind => kind.needs).join('; ')
  if (figures.length === 0)
    throw inputError('no-figure', `no figure ${name} from these results: it needs ${needs}`)
  return figures
}

/** The size of a figure's title in pixels: 9 points in a paper of one or two columns, larger on a page or a slide. */
const headingSizePx = (width: number): number => (width <= 650 ? 12 : 14)

/** The specification with its title, facts and, where given, caption written into the drawing, for a file of its own. */
export function titledSpec({ title, subtitle, spec }: Figure, width: number): TopLevelSpec {
  const fontSize = headingSizePx(width)
  return {
    ...spec(width),
    title: {
      text: wrapText(title, width, { size: fontSize, bold: true }),
      subtitle: wrapText(subtitle, width).map(line => fitText(line, width)),
      fontSize,
      anchor: 'start',
      frame: 'bounds',
      offset: 14,
    },
  }
}

export { narrowWidthPx, wideWidthPx, type Figure, type FigureKind } from './figure.ts'

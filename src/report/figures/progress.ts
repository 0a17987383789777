import { mean } from '../../metrics/numbers.ts'
import {
  fittedModelsNote,
  figureCaption,
  type Figure,
  type FigureKind,
  figureId,
  modelsAndImagesText,
  drawPerGeographicDataset,
  withFittedLabel,
} from './figure.ts'
import { linePanelsSpec, type LinePanel, type PanelSeries } from './linePanel.ts'
import { type ProgressGap, pointsOf, progressGap } from '../../metrics/progress.ts'
import { type RunView } from '../../analysis/runView.ts'
import { oodDatasets } from '../../analysis/datasetRoles.ts'
import { geographicColor, standardColor } from './theme.ts'
import { signedText } from '../../lib/table/values.ts'

/** One model on a standard benchmark, on the geographic data set, and on the reference; accuracies in percent. */
export interface ProgressRow {
  panel: string
  model: string
  reference: number
  standard: number
  geographic: number
  /** Whether the lines are fitted to it. */
  fitted: boolean
}

export interface ProgressPanel {
  title: string
  rows: readonly ProgressRow[]
  gap: ProgressGap
}

export interface ProgressNames {
  reference: string
  geographic: string
  model?: string | undefined
}

/** Standard and geographic accuracy against the reference's, with lines. */
function panelOf(
  { title, rows, gap }: ProgressPanel,
  { reference, geographic, model }: ProgressNames,
): LinePanel {
  const seriesOf = (of: 'standard' | 'geographic', name: string, color: string): PanelSeries => ({
    label: [name, rateText(gap[of].slope)],
    color,
    points: rows.map(row => ({
      model: row.model,
      x: row.reference,
      y: row[of],
      hollow: !row.fitted,
    })),
    line: percentLine(gap[of]),
  })
  const series = [
    seriesOf('standard', title, standardColor),
    seriesOf('geographic', geographic, geographicColor),
  ]
  const [standardLine, geographicLine] = series.map(({ line }) => line)
  return {
    title,
    subtitle: gapText(gap),
    model,
    series,
    x: `${reference} top-1 accuracy (%)`,
    y: 'top-1 accuracy (%)',
    gap: standardLine && geographicLine ? { from: standardLine.slope } : null,
  }
}

/** In percent on both axes, so the intercept is too. */
const percentLine = ({ slope, intercept }: ProgressGap['standard']): PanelSeries['line'] =>
  slope === null || intercept === null ? null : { slope, intercept: 100 * intercept }

const rateText = (slope: number | null): string =>
  slope === null ? 'no line' : `rate ${slope.toFixed(2)}`

function gapText({ difference, ratio, standard, geographic }: ProgressGap): string {
  if (difference === null) return 'no gap: too few models'
  const times = ratio === null ? '' : ` (${ratio.toFixed(1)}×)`
  return `gap ${signedText(difference, 2)}${times}, R² ${r2Text(standard.r2)} and ${r2Text(geographic.r2)}`
}

const r2Text = (value: number | null): string => (value === null ? '–' : value.toFixed(2))

const oodTitle = 'OOD average'

export const progress: FigureKind = {
  name: 'progress',
  paper: ['1 left', '4', '5'],
  title: 'Progress on standard benchmarks and on geographic data',
  needs: 'two models with a standard benchmark and a data set that has regions or countries',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset, { model }) => {
      const parts = progressPanels(results, dataset)
      return parts.length === 0 ? null : figureOf(results, parts, { dataset, model })
    }),
}

function figureOf(
  results: RunView,
  parts: readonly ProgressPanel[],
  { dataset, model }: { dataset: string; model: string | undefined },
): Figure {
  const { reference } = results.roles
  const names = {
    reference: results.titleOf(reference!),
    geographic: results.titleOf(dataset),
    model,
  }
  const all = parts.flatMap(({ rows }) => rows)
  const single = parts.length === 1 && parts[0]!.title === names.reference
  return {
    id: figureId('progress', names.geographic),
    title: `Progress on standard benchmarks and on ${names.geographic}`,
    subtitle: modelsAndImagesText(results, dataset, all),
    caption: figureCaption(
      results,
      `Each point is a model: top-1 accuracy on a standard benchmark (blue) and on ${names.geographic} (orange) against its accuracy on ${names.reference}, all in percent and as means over images.`,
      'Lines are least squares over the models that have all three; the progress rate is a line’s slope, the progress gap the difference of both slopes (their ratio in brackets).',
      fittedModelsNote(results),
      'The shaded wedge is the gap: it ends where the geographic line would be at the standard rate (dashed).',
      parts.some(({ title }) => title === oodTitle)
        ? `The ${oodTitle} is the mean of ImageNet-Sketch, ImageNet-R and ObjectNet.`
        : null,
      single
        ? `No other standard benchmark was evaluated, so ${names.reference} stands against itself with rate 1.`
        : null,
    ),
    rows: withFittedLabel(all),
    spec: width =>
      linePanelsSpec(
        parts.map(part => panelOf(part, names)),
        width,
      ),
  }
}

/** A panel per standard benchmark and one for the mean of those that make the paper's OOD average, where all are there. */
function progressPanels(results: RunView, dataset: string): ProgressPanel[] {
  const { roles, accuracies: table, titleOf: title, fittedModels: fitted } = results
  const reference = roles.reference
  if (reference === null) return []
  const ood = oodDatasets(roles)
  const others: [string, string[]][] = roles.standard.map(name => [title(name), [name]])
  if (others.length === 0) others.push([title(reference), [reference]])
  if (ood) others.unshift([oodTitle, ood])
  return others.flatMap(([panel, names]) => {
    const gap = progressGap(table, { standard: names, geographic: dataset }, results.lineOptions)
    const { points } = pointsOf(table, [...names, dataset], { reference })
    const at = (name: string, model: string): number => 100 * table.get(name)!.get(model)!
    const rows = points.map(({ model }) => ({
      panel,
      model,
      reference: at(reference, model),
      standard: mean(names.map(name => at(name, model))),
      geographic: at(dataset, model),
      fitted: fitted.includes(model),
    }))
    return rows.length < 2 ? [] : [{ title: panel, rows, gap }]
  })
}

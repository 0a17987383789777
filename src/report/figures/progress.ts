import { mean } from '../../metrics/numbers.ts'
import {
  fittedModelsNote,
  figureCaption,
  type Figure,
  type FigureKind,
  figureId,
  drawPerGeographicDataset,
  withFittedLabel,
} from './figure.ts'
import { chanceText, slopeText, titleIntervalNote } from './findings.ts'
import { type LegendEntry } from './legend.ts'
import { linePanelsSpec, panelLine } from './linePanel.ts'
import { type LinePanel, type PanelSeries } from './panel.ts'
import { type AccuracyAxis, type ProgressGap, pointsOf } from '../../metrics/progress.ts'
import { progressEvidence, type ProgressEvidence } from '../../analysis/progress/evidence.ts'
import {
  compareProgress,
  type LineProgress,
  type ProgressComparison,
} from '../../analysis/progress/progress.ts'
import { countText } from '../../lib/table/text.ts'
import { geographicColor, standardColor } from './theme.ts'
import { signedText } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'

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
  subtitle?: string
  rows: readonly ProgressRow[]
  /** Lines over shares; null with too few models. */
  lines: Record<'standard' | 'geographic', { slope: number; intercept: number } | null>
}

export interface ProgressNames {
  reference: string
  geographic: string
  model?: string | undefined
  /** Lines of other axes than linear ones are not drawn. */
  axis?: AccuracyAxis
}

/** Standard and geographic accuracy against the reference's, with lines. */
function panelOf(
  { title, subtitle, rows, lines }: ProgressPanel,
  { reference, geographic, model, axis = 'linear' }: ProgressNames,
): LinePanel {
  const seriesOf = (of: 'standard' | 'geographic', name: string, color: string): PanelSeries => ({
    label: [name, rateText(lines[of])],
    color,
    points: rows.map(row => ({
      model: row.model,
      x: row.reference,
      y: row[of],
      hollow: !row.fitted,
    })),
    line: axis === 'linear' ? percentLine(lines[of]) : null,
  })
  const series = [
    seriesOf('standard', title, standardColor),
    seriesOf('geographic', geographic, geographicColor),
  ]
  const [standardLine, geographicLine] = series.map(({ line }) => line)
  return {
    title,
    subtitle,
    model,
    series,
    x: `${reference} top-1 accuracy (%)`,
    y: 'top-1 accuracy (%)',
    gap: standardLine && geographicLine ? { from: standardLine.slope } : null,
  }
}

/** In percent on both axes, so the intercept is too. */
const percentLine = (line: ProgressPanel['lines']['standard']): PanelSeries['line'] =>
  line && { slope: line.slope, intercept: 100 * line.intercept }

const rateText = (line: ProgressPanel['lines']['standard']): string =>
  line === null ? 'no line' : `rate ${signedText(line.slope, 2)}`

/** Panels on one scale. */
export const progressSpec = (
  panels: readonly ProgressPanel[],
  names: ProgressNames,
  width: number,
): TopLevelSpec =>
  linePanelsSpec(
    panels.map(panel => panelOf(panel, names)),
    width,
    { shared: 'both', legend: gapEntries(panels, names) },
  )

/** What the wedge of a gap is, where one is drawn. */
function gapEntries(
  panels: readonly ProgressPanel[],
  { geographic, axis = 'linear' }: ProgressNames,
): LegendEntry[] {
  const hasGap = panels.some(({ lines: { standard, geographic } }) => standard && geographic)
  return hasGap && axis === 'linear'
    ? [{ look: 'dashed', text: `${geographic} at the standard rate`, color: geographicColor }]
    : []
}

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
  make: (results, options) => {
    if (results.roles.reference === null) return []
    const evidence = progressEvidence(results)
    const comparison = compareProgress(evidence)
    return drawPerGeographicDataset(results, options, (_, dataset, { model }) =>
      progressFigure({ evidence, comparison, line: comparison.lines[0]! }, { dataset, model }),
    )
  },
}

/** A line of models in a comparison of progress, with the accuracies that it is computed from. */
export interface ProgressDrawing {
  evidence: ProgressEvidence
  comparison: ProgressComparison
  line: LineProgress
}

/** Returns the figures of every line of models and geographic data set. */
export const progressFigures = (
  evidence: ProgressEvidence,
  comparison: ProgressComparison,
): Figure[] =>
  comparison.lines.flatMap(line =>
    [...new Set(line.pairs.map(({ geographic }) => geographic.name))].flatMap(
      dataset => progressFigure({ evidence, comparison, line }, { dataset }) ?? [],
    ),
  )

/** Returns the figure of a line of models on a geographic data set; null with fewer than two models. */
function progressFigure(
  drawing: ProgressDrawing,
  { dataset, model }: { dataset: string; model?: string | undefined },
): Figure | null {
  const parts = progressPanels(drawing, dataset)
  if (parts.length === 0) return null
  const { evidence, comparison, line } = drawing
  const { reference } = comparison
  const names = {
    reference: reference.title,
    geographic: evidence.titleOf(dataset),
    model,
    axis: comparison.axis,
  }
  const all = parts.flatMap(({ rows }) => rows)
  const single = parts.length === 1 && parts[0]!.title === names.reference
  const models = [...new Set(all.map(row => row.model))]
  const images = evidence.imageCount(dataset)
  return {
    id: figureId('progress', names.geographic),
    title: progressTitle(
      line.pairs.find(
        ({ geographic, standard }) =>
          geographic.name === dataset && standard.title === parts[0]!.title,
      )!,
      names,
    ),
    subtitle: [
      'Accuracy of each model',
      countText(models.length, 'model'),
      ...(images === null ? [] : [`n = ${countText(images, 'image')} of ${names.geographic}`]),
    ].join(', '),
    caption: figureCaption(
      evidence,
      `Each point is a model: top-1 accuracy on a standard benchmark (blue) and on ${names.geographic} (orange) against its accuracy on ${names.reference}, all in percent and as means over images.`,
      'Lines are least squares over the models that have all three; the progress rate is a line’s slope, the progress gap the difference of both slopes (their ratio in brackets).',
      titleIntervalNote,
      comparison.axis === 'linear'
        ? null
        : `Rates and gap are those of lines in ${comparison.axis} axes, which are not drawn.`,
      fittedModelsNote(line, models),
      comparison.axis === 'linear'
        ? 'The shaded wedge is the gap: it ends where the geographic line would be at the standard rate (dashed).'
        : null,
      parts.some(({ title }) => title === oodTitle)
        ? `The ${oodTitle} is the mean of ImageNet-Sketch, ImageNet-R and ObjectNet.`
        : null,
      single
        ? `No other standard benchmark was evaluated, so ${names.reference} stands against itself with rate 1.`
        : null,
    ),
    rows: withFittedLabel(all),
    spec: width => progressSpec(parts, names, width),
  }
}

/** What both benchmarks gain per point of the reference, and by how much they differ. */
function progressTitle(
  { standard: { title }, gap }: LineProgress['pairs'][number],
  { reference, geographic: name, axis = 'linear' }: ProgressNames,
): string {
  const { standard, geographic, difference, intervals } = gap
  if (standard.slope === null || geographic.slope === null || difference === null)
    return `Too few models for the rates of standard benchmarks and ${name}`
  const per =
    axis === 'linear' ? `Per point on ${reference}` : `In ${axis} axes per step on ${reference}`
  if (title === reference)
    return `${per}, models gain ${slopeText({ slope: geographic.slope, interval: geographic.interval })} on ${name}`
  return `${per}, models gain ${signedText(standard.slope, 2)} on ${title} and ${signedText(geographic.slope, 2)} on ${name}, a gap of ${slopeText({ slope: difference, interval: intervals.difference })}${chanceText(intervals.difference)}`
}

/** A panel per standard benchmark and one for the mean of those that make the paper's OOD average, where all are there. */
function progressPanels(
  { evidence, comparison, line }: ProgressDrawing,
  dataset: string,
): ProgressPanel[] {
  const table = evidence.accuracies
  const reference = comparison.reference.name
  const pairs = line.pairs.filter(({ geographic }) => geographic.name === dataset)
  return pairs.flatMap(({ standard: { title, datasets }, gap }) => {
    const { points } = pointsOf(table, [...datasets, dataset], { reference })
    const at = (name: string, model: string): number => 100 * table.get(name)!.get(model)!
    const rows = points.map(({ model }) => ({
      panel: title,
      model,
      reference: at(reference, model),
      standard: mean(datasets.map(name => at(name, model))),
      geographic: at(dataset, model),
      fitted: line.models.includes(model),
    }))
    const lines = { standard: panelLine(gap.standard), geographic: panelLine(gap.geographic) }
    return rows.length < 2 ? [] : [{ title, subtitle: gapText(gap), rows, lines }]
  })
}

/** Figures of training experiments: means over seeds with 95 % t-intervals, by what was varied. */
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { type StudyValues } from '../../results/studies.ts'
import {
  figureCaption,
  type Figure,
  type FigureKind,
  type FigureOptions,
  figureId,
} from './figure.ts'
import { countText, upperFirst } from '../../lib/table/text.ts'
import { signedText } from '../../lib/table/values.ts'
import { differenceText, endsBy, rangeText, titleIntervalNote } from './findings.ts'
import { linePanelsSpec } from './linePanel.ts'
import { type LinePanel } from './panel.ts'
import { type RunView } from '../../analysis/runView.ts'
import { seriesColor, geographicColor } from './theme.ts'

/** One metric at one setting, both in percent; the interval is null with one seed. */
export interface StudyFigureRow {
  setting: number
  metric: string
  mean: number
  low: number | null
  high: number | null
  seeds: number
}

export interface StudyPanel {
  title: string
  y: string
  startsAtZero: boolean
  /** Series by metric: the label and colour of each. */
  series: readonly { metric: string; label: string; color: string }[]
}

function panelOf(
  rows: readonly StudyFigureRow[],
  { title, y, startsAtZero: difference, series }: StudyPanel,
  x: string,
): LinePanel {
  const drawn = series.map(({ metric, label, color }) => ({
    label: label === '' ? [] : [label],
    color,
    joined: true,
    line: null,
    points: rows
      .filter(row => row.metric === metric)
      .map(({ setting, mean, low, high, seeds }) => ({
        model: `${seeds} seeds`,
        x: setting,
        y: mean,
        low,
        high,
      })),
  }))
  return {
    title,
    x,
    y,
    startsAtZero: difference,
    series: drawn.filter(({ points }) => points.length > 0),
  }
}

function studyRows(stored: readonly StudyValues[]): StudyFigureRow[] {
  return stored.flatMap(({ setting, metric, values }) => {
    const known = values.filter(value => value !== null).map(value => 100 * value)
    if (known.length === 0) return []
    const [low, high] = meanInterval(known) ?? [null, null]
    return { setting: 100 * setting, metric, mean: mean(known), low, high, seeds: known.length }
  })
}

interface StudyFigure {
  name: string
  /** The stored study's name, and what must be in it. */
  study: string
  needs: string
  paper: readonly string[]
  title: string
  /** What the rows show, in words and numbers. */
  finding: (rows: readonly StudyFigureRow[]) => string | null
  x: string
  describe: (rows: readonly StudyFigureRow[]) => string
  panels: (rows: readonly StudyFigureRow[]) => readonly StudyPanel[]
}

const paperDatasets = [
  { dataset: 'dollarstreet', label: 'Dollar Street', color: geographicColor },
  { dataset: 'geode', label: 'GeoDE', color: seriesColor(2) },
]

/** One series a data set: the figures called `DATASET accuracy`, the paper's data sets first. */
function byDataset(rows: readonly StudyFigureRow[], what: string): StudyPanel['series'] {
  const ending = ` ${what}`
  const metrics = new Set(rows.flatMap(({ metric }) => (metric.endsWith(ending) ? metric : [])))
  const others = [...metrics]
    .map(metric => metric.slice(0, -ending.length))
    .filter(dataset => !paperDatasets.some(one => one.dataset === dataset))
    .map((dataset, i) => ({ dataset, label: dataset, color: seriesColor(i + 3) }))
  return [...paperDatasets, ...others].map(({ dataset, ...series }) => ({
    ...series,
    metric: `${dataset}${ending}`,
  }))
}

/** Returns the first series that has rows. */
const firstSeries = (
  rows: readonly StudyFigureRow[],
  what: string,
): StudyPanel['series'][number] | undefined =>
  byDataset(rows, what).find(({ metric }) => rows.some(row => row.metric === metric))

const figureOf = (kind: StudyFigure): FigureKind => ({
  name: kind.name,
  paper: kind.paper,
  title: kind.title,
  needs: `a stored study ${kind.study} with ${kind.needs}`,
  make: (results: RunView, { model }: FigureOptions) => {
    const stored = results.run.studies.get(kind.study) ?? []
    const models = [...new Set(stored.map(row => row.model))].filter(
      one => model === undefined || one === model,
    )
    return models.flatMap(one =>
      studyFigures(kind, results, {
        rows: studyRows(stored.filter(row => row.model === one)),
        model: one,
        isNamedInId: models.length > 1,
      }),
    )
  },
})

function studyFigures(
  { name, title, finding, x, describe: says, panels }: StudyFigure,
  results: RunView,
  {
    rows,
    model,
    isNamedInId,
  }: { rows: readonly StudyFigureRow[]; model: string | undefined; isNamedInId: boolean },
): Figure[] {
  const parts = panels(rows)
    .map(panel => ({
      ...panel,
      series: panel.series.filter(one => rows.some(row => row.metric === one.metric)),
    }))
    .filter(({ series }) => series.length > 0)
  if (parts.length === 0) return []
  const seeds = Math.max(...rows.map(row => row.seeds))
  const trained = rows.filter(({ setting }) => setting > 0)
  const shares = countText(new Set(trained.map(row => row.setting)).size, 'share')
  const size = `n = ${countText(seeds, 'seed')} at each of ${shares}`
  return [
    {
      id: figureId(name, ...(isNamedInId && model !== undefined ? [model] : [])),
      title: finding(rows) ?? title,
      subtitle: `${title}: ${model === undefined ? size : `${model}, ${size}`}`,
      caption: figureCaption(
        results,
        says(rows),
        'Bars are 95 % t-intervals of the mean over seeds.',
        titleIntervalNote,
      ),
      rows: rows.map(row => ({ ...row })),
      spec: width =>
        linePanelsSpec(
          parts.map(part => panelOf(rows, part, x)),
          width,
        ),
    },
  ]
}

export const retraining = figureOf({
  name: 'retraining',
  study: 'last-layer',
  needs: 'an accuracy or a disparity',
  paper: ['table 4', 'table 9'],
  title: 'Retraining the last layer',
  finding: rows => {
    const parts = ['accuracy', 'disparity'].flatMap(what => {
      const series = firstSeries(rows, what)
      const ends = series && endsOf(rows, series.metric)
      return ends ? [{ what, label: series.label, ends }] : []
    })
    const [first] = parts
    if (!first) return null
    const changes = parts.map(
      ({ what, ends: [start, end] }) =>
        `${what} from ${signedText(start.mean, 1)} to ${signedText(end.mean, 1)}${rangeText(end)}`,
    )
    return `${upperFirst(changes.join(' and '))} on ${first.label} with ${first.ends[1].setting} % of the training images`
  },
  x: 'training images used (%)',
  describe: () =>
    'Top-1 accuracy in percent and disparity in percentage points of a model whose last layer was retrained on a share of the training images; at 0 % it is the one that training started from.',
  panels: rows => [
    {
      title: 'accuracy',
      y: 'top-1 accuracy (%)',
      startsAtZero: false,
      series: byDataset(rows, 'accuracy'),
    },
    {
      title: 'disparity',
      y: 'disparity (points)',
      startsAtZero: true,
      series: byDataset(rows, 'disparity'),
    },
  ],
})

export const westernShare = figureOf({
  name: 'western-share',
  study: 'western-share',
  needs: 'figures of two regions',
  paper: ['11'],
  title: 'Disparity by the western share of the training images',
  finding: rows => {
    const metric = hasBoth(rows) ? europeAfrica : firstSeries(rows, 'disparity')?.metric
    const ends = metric === undefined ? null : endsOf(rows, metric)
    if (!ends) return null
    const [start, end] = ends
    return `${hasBoth(rows) ? 'Europe − Africa' : 'The disparity'} is ${differenceText(start.mean)}${rangeText(start)} with ${start.setting} % western images and ${signedText(end.mean, 1)}${rangeText(end)} with ${end.setting} %`
  },
  x: 'training images from Europe and the Americas (%)',
  describe: rows =>
    `${hasBoth(rows) ? 'Top-1 accuracy on Europe’s minus that on Africa’s images' : 'The largest difference of top-1 accuracy between regions'}, in percentage points, of a model trained on equally many images with a growing share from Europe and the Americas.`,
  panels: rows =>
    hasBoth(rows)
      ? [
          {
            ...differencePanel('Europe − Africa (points)'),
            series: [{ metric: europeAfrica, label: '', color: geographicColor }],
          },
        ]
      : [{ ...differencePanel('disparity (points)'), series: byDataset(rows, 'disparity') }],
})

const europeAfrica = 'europe minus africa'
const hasBoth = (rows: readonly StudyFigureRow[]): boolean =>
  rows.some(({ metric }) => metric === europeAfrica)
const differencePanel = (y: string) => ({ title: '', y, startsAtZero: true })

/** Returns the rows of a metric at its lowest and highest setting; null with one. */
function endsOf(
  rows: readonly StudyFigureRow[],
  metric: string,
): [start: StudyFigureRow, end: StudyFigureRow] | null {
  const own = rows.filter(row => row.metric === metric)
  if (own.length < 2) return null
  const [end, start] = endsBy(own, ({ setting }) => setting)
  return [start, end]
}

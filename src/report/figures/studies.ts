/** Figures of training experiments: means over seeds with 95 % t-intervals, by what was varied. */
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { type StudyValues } from '../../results/studies.ts'
import { captionOf, type Figure, type FigureKind, type FigureOptions, idOf } from './figure.ts'
import { count } from '../../lib/table/text.ts'
import { linePanels, type Panel } from './linePanel.ts'
import { type Results } from '../../analysis/view.ts'
import { color, geographicColor } from './theme.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** One metric at one setting, both in percent; the interval is null with one seed. */
export interface StudyRow {
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
  difference: boolean
  /** Series by metric: the label and colour of each. */
  series: readonly { metric: string; label: string; color: string }[]
}

function studySpec(rows: readonly StudyRow[], parts: readonly StudyPanel[], x: string, width: number): TopLevelSpec {
  return linePanels(
    parts.map(part => panelOf(rows, part, x)),
    parts.length === 1 ? Math.min(width, 560) : width,
  )
}

function panelOf(rows: readonly StudyRow[], { title, y, difference, series }: StudyPanel, x: string): Panel {
  const drawn = series.map(({ metric, label, color }) => ({
    label: label === '' ? [] : [label],
    color,
    joined: true,
    line: null,
    points: rows
      .filter(row => row.metric === metric)
      .map(({ setting, mean, low, high, seeds }) => ({ model: `${seeds} seeds`, x: setting, y: mean, low, high })),
  }))
  return { title, x, y, difference, series: drawn.filter(({ points }) => points.length > 0) }
}

function studyRows(stored: readonly StudyValues[]): StudyRow[] {
  return stored.flatMap(({ setting, metric, values }) => {
    const known = values.filter(value => value !== null).map(value => 100 * value)
    if (known.length === 0) return []
    const [low, high] = meanInterval(known) ?? [null, null]
    return { setting: 100 * setting, metric, mean: mean(known), low, high, seeds: known.length }
  })
}

interface Study {
  name: string
  /** The stored study's name, and what must be in it. */
  study: string
  needs: string
  paper: readonly string[]
  title: string
  x: string
  says: (rows: readonly StudyRow[]) => string
  panels: (rows: readonly StudyRow[]) => readonly StudyPanel[]
}

const known = [
  { dataset: 'dollarstreet', label: 'Dollar Street', color: geographicColor },
  { dataset: 'geode', label: 'GeoDE', color: color(2) },
]

/** One series a data set: the figures called `DATASET accuracy`, the paper's data sets first. */
function byDataset(rows: readonly StudyRow[], what: string): StudyPanel['series'] {
  const ending = ` ${what}`
  const metrics = new Set(rows.flatMap(({ metric }) => (metric.endsWith(ending) ? metric : [])))
  const others = [...metrics]
    .map(metric => metric.slice(0, -ending.length))
    .filter(dataset => !known.some(one => one.dataset === dataset))
    .map((dataset, i) => ({ dataset, label: dataset, color: color(i + 3) }))
  return [...known, ...others].map(({ dataset, ...series }) => ({ ...series, metric: `${dataset}${ending}` }))
}

const figureOf = (kind: Study): FigureKind => ({
  name: kind.name,
  paper: kind.paper,
  title: kind.title,
  needs: `a stored study ${kind.study} with ${kind.needs}`,
  make: (results: Results, { model }: FigureOptions) => {
    const stored = results.run.studies.get(kind.study) ?? []
    const models = [...new Set(stored.map(row => row.model))].filter(one => model === undefined || one === model)
    const many = models.length > 1
    return models.flatMap(one =>
      drawn(kind, results, studyRows(stored.filter(row => row.model === one)), one, many ? one : undefined),
    )
  },
})

function drawn(
  { name, title, x, says, panels }: Study,
  results: Results,
  rows: readonly StudyRow[],
  model: string | undefined,
  apart: string | undefined,
): Figure[] {
  const parts = panels(rows)
    .map(panel => ({ ...panel, series: panel.series.filter(one => rows.some(row => row.metric === one.metric)) }))
    .filter(({ series }) => series.length > 0)
  if (parts.length === 0) return []
  const seeds = Math.max(...rows.map(row => row.seeds))
  const trained = rows.filter(({ setting }) => setting > 0)
  const shares = count(new Set(trained.map(row => row.setting)).size, 'share')
  const size = `n = ${count(seeds, 'seed')} at each of ${shares}`
  return [
    {
      id: idOf(name, ...(apart === undefined ? [] : [apart])),
      title,
      subtitle: model === undefined ? size : `${model}, ${size}`,
      caption: captionOf(results, says(rows), 'Bars are 95 % t-intervals of the mean over seeds.'),
      rows: rows.map(row => ({ ...row })),
      spec: width => studySpec(rows, parts, x, width),
    },
  ]
}

export const retraining = figureOf({
  ...{ name: 'retraining', study: 'last-layer', needs: 'an accuracy or a disparity', paper: ['table 4', 'table 9'] },
  title: 'Retraining the last layer',
  x: 'training images used (%)',
  says: () =>
    'Top-1 accuracy in percent and disparity in percentage points of a model whose last layer was retrained on a share of the training images; at 0 % it is the one that training started from.',
  panels: rows => [
    { title: 'accuracy', y: 'top-1 accuracy (%)', difference: false, series: byDataset(rows, 'accuracy') },
    { title: 'disparity', y: 'disparity (points)', difference: true, series: byDataset(rows, 'disparity') },
  ],
})

export const westernShare = figureOf({
  ...{ name: 'western-share', study: 'western-share', needs: 'figures of two regions', paper: ['11'] },
  title: 'Disparity by the western share of the training images',
  x: 'training images from Europe and the Americas (%)',
  says: rows =>
    `${hasBoth(rows) ? 'Top-1 accuracy on Europe’s minus that on Africa’s images' : 'The largest difference of top-1 accuracy between regions'}, in percentage points, of a model trained on equally many images with a growing share from Europe and the Americas.`,
  panels: rows =>
    hasBoth(rows)
      ? [
          {
            ...difference('Europe − Africa (points)'),
            series: [{ metric: europeAfrica, label: '', color: geographicColor }],
          },
        ]
      : [{ ...difference('disparity (points)'), series: byDataset(rows, 'disparity') }],
})

const europeAfrica = 'europe minus africa'
const hasBoth = (rows: readonly StudyRow[]): boolean => rows.some(({ metric }) => metric === europeAfrica)
const difference = (y: string) => ({ title: '', y, difference: true })

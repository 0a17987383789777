import { type SizeGroup, sizeGroups } from '../../metrics/scaling.ts'
import { differenceInterval } from '../../metrics/intervals.ts'
import { mean } from '../../metrics/numbers.ts'
import { modelYear } from '../../analysis/citing/bibliography.ts'
import { modelFamilies } from '../../analysis/modelRoles.ts'
import { findModelRow } from '../../models/listing.ts'
import { disparityMeasure } from './disparity.ts'
import {
  figureCaption,
  type Figure,
  type FigureKind,
  figureId,
  modelsAndImagesText,
  countModels,
  drawPerGeographicDataset,
} from './figure.ts'
import { chanceText, differenceText } from './findings.ts'
import { withLegend } from './legend.ts'
import { roundDomain } from './axisDomain.ts'
import { type RunView } from '../../analysis/runView.ts'
import { fitText, titleFont } from './fonts.ts'
import { fontSizePx, geographicColor, ink, mutedColor } from './theme.ts'
import { countText, upperFirst } from '../../lib/table/text.ts'
import { signedText } from '../../lib/table/values.ts'
import {
  type PanelSpec,
  concatPanels,
  pixelText,
  type PositionEncoding,
  type TopLevelSpec,
  type UnitSpec,
} from './vegaLite.ts'

/** One model's size (training images or parameters) and disparity in percentage points. */
export interface ScalingRow {
  size: 'training images' | 'parameters'
  model: string
  group: string
  value: number
  disparity: number
}

interface SizeScale {
  size: ScalingRow['size']
  /** Rising bounds between the groups, and how the groups are called, in two lines. */
  edges: readonly number[]
  names: readonly string[]
}

/** The paper's figure 3 parts at 200 million images and 100 million parameters; here with one more step on each side. */
const sizeScales: readonly SizeScale[] = [
  {
    size: 'training images',
    edges: [10e6, 200e6, 1e9],
    names: ['under\n10 M', '10 to\n200 M', '200 M\nto 1 G', 'from\n1 G'],
  },
  {
    size: 'parameters',
    edges: [10e6, 30e6, 100e6],
    names: ['under\n10 M', '10 to\n30 M', '30 to\n100 M', 'from\n100 M'],
  },
]

/** Models of some kind, whose means by size one panel shows. */
export interface ScalingPart {
  title: string
  subtitle?: string
  rows: readonly ScalingRow[]
}

/** Means of groups of models by size with 95 % intervals, over a point for each model; one panel a part, all on one axis. */
export function scalingSpec(
  parts: readonly ScalingPart[],
  measure: string,
  { width, most = 2 }: { width: number; most?: number },
): TopLevelSpec {
  const columns = width < 500 ? 1 : most
  const space = Math.min(480, Math.floor((width - 24 * (columns - 1)) / columns))
  const grouped = parts.map(part => {
    const scale = scaleOf(part)
    return { ...part, scale, groups: sizeGroupsOf(scale, part.rows) }
  })
  const intervals = grouped.flatMap(({ groups }) =>
    groups.flatMap(group => intervalOf(group) ?? []),
  )
  const disparities = parts.flatMap(({ rows }) => rows.map(row => row.disparity))
  const { domain, values } = roundDomain([0, ...intervals, ...disparities], [0, Infinity])
  const panels = grouped.map(part => panelOf(part, { measure, domain, values, space }))
  return withLegend(
    concatPanels(panels, columns),
    [
      { look: 'dot', text: 'a model', color: mutedColor.light },
      {
        look: 'dot',
        text: 'mean of the models of a size, with its 95 % interval',
        color: geographicColor,
      },
    ],
    { left: 48, width },
  )
}

const scaleOf = ({ rows }: ScalingPart): SizeScale =>
  sizeScales.find(({ size }) => size === rows[0]!.size)!

/**
 * Returns `18.4 points under 10 M parameters and 15.7 from 100 M (n = 12 and 9)`, the means of the smallest and the largest
 * models of which there are three at least; null without two such sizes.
 */
export function sizeFinding(part: ScalingPart): string | null {
  const scale = scaleOf(part)
  const known = sizeGroupsOf(scale, part.rows).flatMap(({ n, mean, interval }, i) =>
    n < 3 || mean === null || interval === null
      ? []
      : { n, value: mean, interval, name: stepText(scale.names[i]!) },
  )
  const [first, last] = [known[0], known.at(-1)]
  if (!first || !last || first === last) return null
  return `${differenceText(first.value)} ${first.name} ${scale.size} and ${signedText(last.value, 1)} ${last.name} (n = ${first.n} and ${last.n})${chanceText(differenceInterval(last, first))}`
}

/** Returns `under 10 M` and `at 10 to 30 M` of a step's name. */
const stepText = (name: string): string => name.replace('\n', ' ').replace(/^\d/, 'at $&')

const sizeGroupsOf = ({ edges }: SizeScale, rows: readonly ScalingRow[]): SizeGroup[] =>
  sizeGroups(
    rows.map(row => ({ model: row.model, size: row.value, value: row.disparity })),
    edges,
    { families: modelFamilies(rows.map(({ model }) => model)) },
  ).groups

/** Two models' interval says nothing and would fill the axis. */
const intervalOf = ({ n, interval }: SizeGroup): SizeGroup['interval'] => (n < 3 ? null : interval)

interface ScalingAxis {
  measure: string
  domain: [number, number]
  values: number[]
  space: number
}

type GroupedScalingPart = ScalingPart & { scale: SizeScale; groups: readonly SizeGroup[] }

function panelOf(
  { title, subtitle, rows, scale: { size, edges, names }, groups }: GroupedScalingPart,
  axis: ScalingAxis,
): PanelSpec {
  const means = groups.flatMap((group, i) => {
    const { mean } = group
    const [low, high] = intervalOf(group) ?? [mean, mean]
    return mean === null ? [] : { at: i + 0.5, mean, low: low!, high: high! }
  })
  const points = rows.map(row => ({
    at: edges.filter(edge => row.value >= edge).length + 0.28,
    disparity: row.disparity,
    about: `${row.model}: ${signedText(row.disparity, 1)} points, ${(row.value / 1e6).toPrecision(3)} M ${size}`,
  }))
  const [inner, height] = [axis.space - 58, Math.round(0.55 * axis.space)]
  const position = positionOf(axis, groups.length)
  const labels = names.map((name, i) => {
    const { n } = groups[i]!
    return [...name.split('\n'), n === 0 ? '–' : String(n), ...yearLines(rows, edges, i)]
  })
  return {
    title: {
      text: fitText(title, inner, titleFont),
      ...(subtitle !== undefined && { subtitle }),
      frame: 'group',
    },
    width: inner,
    height,
    layer: [
      {
        data: { values: points },
        mark: { type: 'circle', size: 16, color: mutedColor.light, opacity: 0.5, aria: true },
        encoding: { ...position('disparity'), description: { field: 'about' } },
      },
      ...meanLayers(means, position),
      groupNames(labels, inner, height),
      groupFacts(height),
    ],
  }
}

/** First and last year of the papers on the models of a size, in a line each; none if no year is known. */
function yearLines(rows: readonly ScalingRow[], edges: readonly number[], step: number): string[] {
  const years = rows
    .filter(({ value }) => edges.filter(edge => value >= edge).length === step)
    .flatMap(({ model }) => modelYear(model) ?? [])
  if (years.length === 0) return []
  const [first, last] = [Math.min(...years), Math.max(...years)]
  return first === last ? [String(first)] : [String(first), `–${last}`]
}

const positionOf =
  ({ measure, domain, values }: ScalingAxis, groups: number) =>
  (field: string): PositionEncoding => ({
    x: {
      field: 'at',
      type: 'quantitative',
      scale: { domain: [0, groups], nice: false },
      axis: null,
    },
    y: {
      field,
      type: 'quantitative',
      scale: { domain, nice: false },
      axis: { title: `${measure} (points)`, values },
    },
  })

function meanLayers(
  values: { at: number; mean: number; low: number; high: number }[],
  position: (field: string) => PositionEncoding,
): UnitSpec[] {
  const color = geographicColor
  return [
    {
      data: { values },
      mark: { type: 'rule', color, strokeWidth: 2.5, opacity: 0.6 },
      encoding: { ...position('low'), y2: { field: 'high' } },
    },
    {
      data: { values },
      mark: { type: 'circle', color, size: 70, opacity: 1 },
      encoding: position('mean'),
    },
  ]
}

function groupNames(
  groups: readonly (readonly string[])[],
  inner: number,
  height: number,
): UnitSpec {
  const step = inner / groups.length
  const values = groups.flatMap((lines, i) =>
    lines.map((text, row) => ({ text, px: (i + 0.5) * step, py: height + 12 + 13 * row })),
  )
  return pixelText(values, { align: 'center', fontSize: fontSizePx - 1, color: ink })
}

/** What the last two lines of the groups' names are, at the left of them. */
const groupFacts = (height: number): UnitSpec =>
  pixelText(
    ['models', 'papers'].map((text, i) => ({ text, px: -6, py: height + 12 + 13 * (i + 2) })),
    { align: 'right', fontSize: fontSizePx - 1, color: ink },
  )

export const scaling: FigureKind = {
  name: 'scaling',
  paper: ['3', '10'],
  title: 'Disparity by training data and model size',
  needs: 'two catalogue models of known size and a data set with two regions or countries',
  make: (results, options) => drawPerGeographicDataset(results, options, figureOf),
}

/** The catalogue models' sizes with their disparity on a data set, and what that is on an axis and in a caption. */
export function scalingRows(
  results: RunView,
  dataset: string,
): { measure: string; grey: string; sized: ScalingRow[] } {
  const { measure, description: says, rows } = disparityMeasure(results.disparitiesOn(dataset))
  const grey = `Grey: each model’s ${says} of ${results.titleOf(dataset)}, in percentage points. Orange: means of the models of each size, with 95 % t-intervals of three models or more; the years are those of the latest papers on them.`
  return { measure, grey, sized: rows.flatMap(({ model, value }) => sizesOf(model, value)) }
}

function figureOf(results: RunView, dataset: string): Figure | null {
  const { measure, grey, sized } = scalingRows(results, dataset)
  if (countModels(sized) < 2) return null
  const name = results.titleOf(dataset)
  return {
    id: figureId('scaling', name),
    title: scalingTitle(sized, measure, name),
    subtitle: `Disparity by training data and model size: ${modelsAndImagesText(results, dataset, sized)}`,
    caption: figureCaption(
      results,
      grey,
      'Training images are those that the weights saw first or only, as the data sets’ authors count them; parameters are counted in the graph. Sizes go with architecture and training, so a difference between groups is no effect of size alone.',
    ),
    rows: sized.map(row => ({ ...row })),
    spec: width => scalingSpec(partsBySize(sized), measure, { width }),
  }
}

/** The finding on parameters, which are always known, else on training images, else the mean over the models. */
function scalingTitle(sized: readonly ScalingRow[], measure: string, name: string): string {
  const finding = partsBySize(sized)
    .toReversed()
    .map(sizeFinding)
    .find(text => text !== null)
  return `${upperFirst(measure)} on ${name} is ${finding ?? meanFinding(sized)}`
}

/** Returns `21.2 points on average (3 models, too few of a size)`. */
export function meanFinding(rows: readonly ScalingRow[]): string {
  const models = new Map(rows.map(({ model, disparity }) => [model, disparity]))
  return `${differenceText(mean([...models.values()]))} on average (${countText(models.size, 'model')}, too few of a size)`
}

const partsBySize = (rows: readonly ScalingRow[]): ScalingPart[] =>
  sizeScales
    .map(({ size }) => ({ title: `by ${size}`, rows: rows.filter(row => row.size === size) }))
    .filter(part => part.rows.length > 0)

/** Most panels of architecture groups: those of the most models. */
const maxArchitectureParts = 9

/** Panels of the architecture groups that have models of several sizes, those of the most models first, and how many are left out. */
export function architectureParts(rows: readonly ScalingRow[]): {
  parts: ScalingPart[]
  left: number
} {
  const groups = [...new Set(rows.map(({ group }) => group))].sort()
  const all = sizeScales.toReversed().flatMap(({ size, edges }) =>
    groups.flatMap(group => {
      const own = rows.filter(row => row.size === size && row.group === group)
      const steps = new Set(own.map(({ value }) => edges.filter(edge => value >= edge).length))
      return steps.size < 2 ? [] : [{ title: group, subtitle: `by ${size}`, rows: own }]
    }),
  )
  const parts = all.sort((a, b) => b.rows.length - a.rows.length).slice(0, maxArchitectureParts)
  return { parts, left: all.length - parts.length }
}

function sizesOf(model: string, disparity: number): ScalingRow[] {
  const known = findModelRow(model)
  if (!known) return []
  const row = { model, group: known.group, disparity }
  return [
    ...(known.images === null
      ? []
      : [{ ...row, size: 'training images' as const, value: known.images }]),
    { ...row, size: 'parameters', value: known.parameters },
  ]
}

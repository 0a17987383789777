/** A scatter of models with a fitted line per series and the series' names at the lines' ends. */
import { modelFitOptions } from '../../metrics/progress.ts'
import { fitLine, type Line } from '../../metrics/regression.ts'
import { modelFamilies } from '../../analysis/modelRoles.ts'
import { type AxisDomain } from './axisDomain.ts'
import { fitText, textWidthPx, titleFont, wrapText } from './fonts.ts'
import { placeLabels, spreadPositions } from './labels.ts'
import { type LegendEntry, withLegend } from './legend.ts'
import {
  gapWedge,
  lineEnds,
  type LinePanel,
  type PanelPoint,
  type PanelSeries,
  visibleIntervals,
  xDomain,
  yDomain,
} from './panel.ts'
import { fontSizePx, ink } from './theme.ts'
import {
  type LayerSpec,
  concatPanels,
  pixelText,
  type PositionEncoding,
  type TopLevelSpec,
  type UnitSpec,
} from './vegaLite.ts'

const lineHeightPx = 13
/** Widest panel of several, and one that stands alone. */
const [maxPanelPx, maxSinglePx] = [480, 760]
const maxHeightPx = 380
/** Room for the y axis with its title. */
const axisWidthPx = 56

export interface LinePanelsOptions {
  /** Scales that all panels have in common, because they are compared. Default none. */
  shared?: 'none' | 'y' | 'both'
  /** What marks mean beside those of hollow points, which are explained wherever there are any. */
  legend?: readonly LegendEntry[]
}

/** Panels of equal size in rows that fill about `width` pixels, labels and a legend included. */
export function linePanelsSpec(
  parts: readonly LinePanel[],
  width: number,
  { shared = 'none', legend = [] }: LinePanelsOptions = {},
): TopLevelSpec {
  const columns = Math.min(parts.length, width < 500 ? 1 : 2)
  const most = parts.length === 1 ? maxSinglePx : maxPanelPx
  const space = Math.min(most, Math.floor((width - 24 * (columns - 1)) / columns))
  const labels = parts.flatMap(({ series }) => series.flatMap(({ label }) => label))
  const labelWidth = Math.min(
    0.34 * space,
    Math.max(0, ...labels.map(text => textWidthPx(text, fontSizePx))),
  )
  const inner = Math.floor(space - axisWidthPx - (labels.length > 0 ? labelWidth : 0) - 10)
  const panels = parts.map(part =>
    linePanel(part, {
      space,
      inner,
      labelWidth,
      height: Math.min(maxHeightPx, Math.round(0.62 * space)),
      domains: [
        xDomain(shared === 'both' ? parts : [part], inner),
        yDomain(shared === 'none' ? [part] : parts),
      ],
    }),
  )
  return withLegend(concatPanels(panels, columns), [...pointEntries(parts), ...legend], {
    left: axisWidthPx - 8,
    width,
  })
}

/** What hollow points and a ring mean, where there are any. */
function pointEntries(parts: readonly LinePanel[]): LegendEntry[] {
  const points = parts.flatMap(({ series }) => series.flatMap(({ points }) => points))
  const { model } = parts[0]!
  const isMarked = model !== undefined && points.some(point => point.model === model)
  const marked: LegendEntry[] = isMarked ? [{ look: 'ring', text: model }] : []
  if (!points.some(({ hollow = false }) => hollow)) return marked
  return [
    { look: 'dot', text: 'models of the lines' },
    { look: 'hollow', text: 'zero-shot models, in no line' },
    ...marked,
  ]
}

interface PanelSizes {
  space: number
  inner: number
  height: number
  labelWidth: number
  domains: readonly [x: AxisDomain, y: AxisDomain]
}

function linePanel(panel: LinePanel, sizes: PanelSizes): LayerSpec {
  const { space, inner, height } = sizes
  const labelled = panel.series.filter(({ label }) => label.length > 0)
  const [xs, ys] = sizes.domains
  const scale = {
    x: (value: number): number => inner * fractionOf(xs, value),
    y: (value: number): number => height * (1 - fractionOf(ys, value)),
  }
  const position: PositionEncoding = {
    x: { field: 'x', type: 'quantitative', ...axisWithTicks(panel.x, xs) },
    y: { field: 'y', type: 'quantitative', ...axisWithTicks(panel.y, ys) },
  }
  return {
    width: inner,
    height,
    ...(panel.title === '' ? {} : { title: panelHeading(panel, space - axisWidthPx) }),
    layer: [
      ...zeroLayers(ys, position),
      ...gapLayers(panel, position),
      ...intervalLayers(panel, position),
      ...pointLayers(panel, position),
      ...panel.series.flatMap(series => lineLayers(series, position)),
      ...markedModelLayers(panel, position),
      ...(labelled.length > 0 ? [lineEndLabels(labelled, scale, sizes)] : []),
      ...pointNameLabels(panel, scale, sizes),
    ],
  }
}

const panelHeading = ({ title, subtitle }: LinePanel, width: number) => ({
  text: wrapText(title, width, titleFont),
  ...(subtitle === undefined ? {} : { subtitle: wrapText(subtitle, width) }),
  frame: 'group' as const,
})

const axisWithTicks = (title: string, { domain, values }: AxisDomain) => ({
  scale: { domain, nice: false, zero: false },
  // Ticks from 1,000 are years.
  axis: { title, values, ...((values[0] ?? 0) >= 1000 && { format: 'd' }) },
})

/** A line at 0 where numbers are below it too. */
const zeroLayers = ({ domain }: AxisDomain, { y }: PositionEncoding): UnitSpec[] =>
  domain[0] < 0
    ? [
        {
          data: { values: [{ y: 0 }] },
          mark: { type: 'rule', color: ink, opacity: 0.5 },
          encoding: { y },
        },
      ]
    : []

const fractionOf = ({ domain: [low, high] }: AxisDomain, value: number): number =>
  (value - low) / (high - low)

type PanelScale = Record<'x' | 'y', (value: number) => number>

/** Returns the least-squares line of the points that are not hollow, whose p-value takes families of models into account. */
export function fitPanelLine(points: readonly PanelPoint[]): Line {
  const own = points.filter(({ hollow = false }) => !hollow)
  const families = modelFamilies(own.map(({ model }) => model))
  return fitLine(
    own.map(({ x }) => x),
    own.map(({ y }) => y),
    modelFitOptions(own, { families }),
  )
}

/** What is drawn of a fitted line. */
export const panelLine = ({
  slope,
  intercept,
}: Pick<Line, 'slope' | 'intercept'>): PanelSeries['line'] =>
  slope === null || intercept === null ? null : { slope, intercept }

function pointLayers({ series }: LinePanel, position: PositionEncoding): UnitSpec[] {
  return [...series]
    .sort((a, b) => Number(b.muted ?? false) - Number(a.muted ?? false))
    .flatMap(one => [false, true].flatMap(hollow => pointMarks(one, hollow, position)))
}

function pointMarks(
  { points, color, muted: quiet = false, label }: PanelSeries,
  hollow: boolean,
  position: PositionEncoding,
): UnitSpec[] {
  const own = points.filter(point => (point.hollow ?? false) === hollow)
  if (own.length === 0) return []
  const series = label[0] === undefined ? '' : `, ${label[0]}`
  const values = own.map(({ model, x, y }) => ({
    x,
    y,
    about: `${model}${series}: ${y.toFixed(1)} at ${x.toFixed(1)}`,
  }))
  const size = points.length > 150 ? 12 : points.length > 30 ? 22 : 36
  const look = hollow
    ? ({ type: 'point', strokeWidth: 1.3 } as const)
    : ({ type: 'circle' } as const)
  return [
    {
      data: { values },
      mark: { ...look, size, color, opacity: quiet ? 0.35 : 0.75, aria: true },
      encoding: { ...position, description: { field: 'about' } },
    },
  ]
}

const intervalLayers = ({ series }: LinePanel, position: PositionEncoding): UnitSpec[] =>
  series
    .map(one => ({
      color: one.color,
      values: visibleIntervals(one).map(({ x, low, high }) => ({ x, y: low, high })),
    }))
    .filter(({ values }) => values.length > 0)
    .map(({ color, values }) => ({
      data: { values },
      mark: { type: 'rule', color, opacity: 0.45 },
      encoding: { ...position, y2: { field: 'high' } },
    }))

function lineLayers(
  { points, line, color, muted: quiet = false, joined }: PanelSeries,
  position: PositionEncoding,
): UnitSpec[] {
  if (joined) {
    const values = points.map(({ x, y }) => ({ x, y }))
    return [
      { data: { values }, mark: { type: 'line', color, strokeWidth: 1.5 }, encoding: position },
    ]
  }
  if (!line || points.length < 2) return []
  return [
    {
      data: { values: lineEnds(points).map(x => ({ x, y: line.intercept + line.slope * x })) },
      mark: {
        type: 'line',
        color,
        strokeWidth: quiet ? 1 : 2,
        clip: true,
        opacity: quiet ? 0.7 : 1,
      },
      encoding: position,
    },
  ]
}

function gapLayers(panel: LinePanel, position: PositionEncoding): UnitSpec[] {
  const values = gapWedge(panel)
  const color = panel.series[1]?.color ?? ink
  if (values.length === 0) return []
  return [
    {
      data: { values },
      mark: { type: 'area', color, opacity: 0.13, clip: true },
      encoding: { ...position, y2: { field: 'high' } },
    },
    {
      data: { values: values.map(({ x, high }) => ({ x, y: high })) },
      mark: { type: 'line', color, strokeDash: [4, 3], strokeWidth: 1.3, clip: true },
      encoding: position,
    },
  ]
}

function lineEndLabels(
  series: readonly PanelSeries[],
  scale: PanelScale,
  { inner, height, labelWidth }: PanelSizes,
): UnitSpec {
  const preferred = series.map(({ points, line }) => {
    const x = lineEnds(points)[1]
    const y = line ? line.intercept + line.slope * x : (points.find(point => point.x === x)?.y ?? 0)
    return Math.min(height, Math.max(0, scale.y(y)))
  })
  const heights = series.map(({ label }) => label.length * lineHeightPx + 3)
  const middles = spreadPositions(preferred, heights, [-6, height + 6])
  const values = series.flatMap(({ label, color }, s) =>
    label.map((text, i) => ({
      text: fitText(text, labelWidth),
      color,
      px: inner + 8,
      py: middles[s]! + (i - (label.length - 1) / 2) * lineHeightPx,
    })),
  )
  return pixelText(values, { align: 'left', fontSize: fontSizePx })
}

function pointNameLabels(
  { series, namesPoints: named = false }: LinePanel,
  scale: PanelScale,
  { inner, height }: PanelSizes,
): UnitSpec[] {
  if (!named) return []
  const spots = series.flatMap(({ points }, s) =>
    points.map(point => ({
      x: scale.x(point.x),
      y: scale.y(point.y),
      text: s === 0 ? point.model : '',
    })),
  )
  const placed = placeLabels(
    spots,
    { width: inner, height, size: fontSizePx - 1, radius: 4 },
    strokePoints(series, scale),
  )
  return placed.map(({ x, y, text, align }) =>
    pixelText([{ px: x, py: y, text }], { align, fontSize: fontSizePx - 1, color: ink }),
  )
}

/** Pixels along the lines and intervals of a panel. */
function strokePoints(
  series: readonly PanelSeries[],
  scale: PanelScale,
): { x: number; y: number }[] {
  const steps = Array.from({ length: 61 }, (_, i) => i / 60)
  return series.flatMap(one => {
    const { points, line } = one
    const [start, end] = lineEnds(points)
    const onLine = line
      ? steps.map(t => {
          const x = start + t * (end - start)
          return { x: scale.x(x), y: scale.y(line.intercept + line.slope * x) }
        })
      : []
    const onIntervals = visibleIntervals(one).flatMap(({ x, low, high }) =>
      steps.map(t => ({ x: scale.x(x), y: scale.y(low + t * (high - low)) })),
    )
    return [...onLine, ...onIntervals]
  })
}

function markedModelLayers({ series, model }: LinePanel, position: PositionEncoding): UnitSpec[] {
  const points = series.flatMap(({ points }) => points.filter(point => point.model === model))
  if (points.length === 0) return []
  return [
    {
      data: { values: points.map(({ x, y }) => ({ x, y })) },
      mark: { type: 'point', size: 110, strokeWidth: 2, color: ink, filled: false },
      encoding: position,
    },
  ]
}

/** A scatter of models with a fitted line per series and the series' names at the lines' ends. */
import { fitLine, type Line } from '../../metrics/regression.ts'
import { fitText, textWidth, wrapText } from './fonts.ts'
import { besidePoints, spread } from './labels.ts'
import { fontSize, ink, titleSize } from './theme.ts'
import { type LayerSpec, panels, pixelText, type Position, type TopLevelSpec, type UnitSpec } from './vegaLite.ts'

export interface PanelPoint {
  model: string
  x: number
  y: number
  /** 95 % interval of `y`. */
  low?: number | null
  high?: number | null
  /** Drawn hollow, not part of the line. */
  hollow?: boolean
}

export interface PanelSeries {
  /** Lines of the label at the end of the series' line. */
  label: readonly string[]
  color: string
  points: readonly PanelPoint[]
  /** y = intercept + slope x. */
  line: { slope: number; intercept: number } | null
  /** Joins the points in the order of x. */
  joined?: boolean
  /** Drawn thin and pale, behind the others. */
  quiet?: boolean
}

export interface Panel {
  title: string
  subtitle?: string
  x: string
  y: string
  series: readonly PanelSeries[]
  /** Marks how much further the second series would have come at the first one's rate. */
  gap?: { from: number } | null
  /** Names the points of the first series where there is room. */
  named?: boolean
  /** Marks this model's points. */
  model?: string | undefined
  /** Whether y is an accuracy (0 … 100) or starts at 0 or below: a difference or a share of a whole. */
  difference?: boolean
  /** Largest x there can be: 100 for the usual percentage. */
  mostX?: number
}

const lineHeight = 13
/** Room for the y axis with its title. */
const axisWidth = 56

/** Panels of equal size in rows that fill about `width` pixels, labels included. */
export function linePanels(parts: readonly Panel[], width: number): TopLevelSpec {
  const columns = Math.min(parts.length, width < 500 ? 1 : 2)
  const space = Math.min(480, Math.floor((width - 24 * (columns - 1)) / columns))
  const labels = parts.flatMap(({ series }) => series.flatMap(({ label }) => label))
  const labelWidth = Math.min(0.34 * space, Math.max(0, ...labels.map(text => textWidth(text, fontSize))))
  const inner = Math.floor(space - axisWidth - (labels.length > 0 ? labelWidth : 0) - 10)
  return panels(
    parts.map(part => linePanel(part, { space, inner, labelWidth, height: Math.round(0.62 * space) })),
    columns,
  )
}

interface Sizes {
  space: number
  inner: number
  height: number
  labelWidth: number
}

function linePanel(panel: Panel, sizes: Sizes): LayerSpec {
  const { space, inner, height } = sizes
  const labelled = panel.series.filter(({ label }) => label.length > 0)
  const [xs, ys] = domains(panel)
  const scale = {
    x: (value: number): number => inner * share(xs, value),
    y: (value: number): number => height * (1 - share(ys, value)),
  }
  const position: Position = {
    x: { field: 'x', type: 'quantitative', ...axis(panel.x, xs) },
    y: { field: 'y', type: 'quantitative', ...axis(panel.y, ys) },
  }
  return {
    width: inner,
    height,
    ...(panel.title === '' ? {} : { title: heading(panel, space - axisWidth) }),
    layer: [
      ...gapLayers(panel, position),
      ...intervalLayers(panel, position),
      ...pointLayers(panel, position),
      ...panel.series.flatMap(series => lineLayers(series, position)),
      ...markedModel(panel, position),
      endLabels(labelled, scale, sizes),
      ...pointNames(panel, scale, sizes),
    ],
  }
}

const heading = ({ title, subtitle }: Panel, width: number) => ({
  text: wrapText(title, width, titleSize, true),
  ...(subtitle === undefined ? {} : { subtitle: wrapText(subtitle, width, fontSize) }),
  frame: 'group' as const,
})

const axis = (title: string, { domain, values }: Domain) => ({
  scale: { domain, nice: false, zero: false },
  axis: { title, values },
})

const share = ({ domain: [low, high] }: Domain, value: number): number => (value - low) / (high - low)

type Scale = Record<'x' | 'y', (value: number) => number>

/** The least-squares line of the points that are not hollow. */
export function lineThrough(points: readonly PanelPoint[]): Line {
  const own = points.filter(({ hollow = false }) => !hollow)
  return fitLine(
    own.map(({ x }) => x),
    own.map(({ y }) => y),
  )
}

/** What is drawn of a fitted line. */
export const drawnLine = ({ slope, intercept }: Pick<Line, 'slope' | 'intercept'>): PanelSeries['line'] =>
  slope === null || intercept === null ? null : { slope, intercept }

/** Round bounds around all points; an accuracy axis stays within 0 … 100. */
function domains(panel: Panel): [Domain, Domain] {
  const { series, difference = false, mostX = 100 } = panel
  const points = series.flatMap(({ points }) => points)
  const ys = [
    ...points.map(({ y }) => y),
    ...series.flatMap(drawnIntervals).flatMap(({ low, high }) => [low, high]),
    ...wedge(panel).map(({ high }) => high),
  ]
  const bounds = difference ? ([Math.min(0, ...ys), 100] as const) : ([0, 100] as const)
  return [
    roundBounds(
      points.map(({ x }) => x),
      0,
      mostX,
    ),
    roundBounds(difference ? [0, ...ys] : ys, ...bounds),
  ]
}

/** A domain around all values whose ends are ticks, within `least` … `most`, in at most `steps` steps. */
export function roundBounds(values: readonly number[], least = -Infinity, most = Infinity, steps = 6): Domain {
  if (values.length === 0) return { domain: [0, 100], values: [0, 20, 40, 60, 80, 100] }
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const margin = 0.03 * (high - low)
  for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]) {
    const first = Math.max(Math.min(least, step * Math.floor(low / step)), step * Math.floor((low - margin) / step))
    const last = Math.min(most, step * Math.max(first / step + 1, Math.ceil((high + margin) / step)))
    const start = last > first ? first : first - step
    const count = Math.round((last - start) / step)
    if (count <= steps)
      return { domain: [start, last], values: Array.from({ length: count + 1 }, (_, i) => start + i * step) }
  }
  return { domain: [low, high], values: [low, high] }
}

export interface Domain {
  domain: [number, number]
  values: number[]
}

function pointLayers({ series }: Panel, position: Position): UnitSpec[] {
  return [...series]
    .sort((a, b) => Number(b.quiet ?? false) - Number(a.quiet ?? false))
    .flatMap(one => [false, true].flatMap(hollow => discs(one, hollow, position)))
}

function discs({ points, color, quiet = false, label }: PanelSeries, hollow: boolean, position: Position): UnitSpec[] {
  const own = points.filter(point => (point.hollow ?? false) === hollow)
  if (own.length === 0) return []
  const series = label[0] === undefined ? '' : `, ${label[0]}`
  const values = own.map(({ model, x, y }) => ({
    x,
    y,
    about: `${model}${series}: ${y.toFixed(1)} at ${x.toFixed(1)}`,
  }))
  const size = points.length > 30 ? 22 : 36
  const look = hollow ? ({ type: 'point', strokeWidth: 1.3 } as const) : ({ type: 'circle' } as const)
  return [
    {
      data: { values },
      mark: { ...look, size, color, opacity: quiet ? 0.35 : 0.75, aria: true },
      encoding: { ...position, description: { field: 'about' } },
    },
  ]
}

/** The intervals of a series' points; too many would only cover each other. */
function drawnIntervals({ points }: PanelSeries): { x: number; low: number; high: number }[] {
  const known = points.flatMap(({ x, low, high }) => (low == null || high == null ? [] : { x, low, high }))
  return known.length > 30 ? [] : known
}

const intervalLayers = ({ series }: Panel, position: Position): UnitSpec[] =>
  series
    .map(one => ({ color: one.color, values: drawnIntervals(one).map(({ x, low, high }) => ({ x, y: low, high })) }))
    .filter(({ values }) => values.length > 0)
    .map(({ color, values }) => ({
      data: { values },
      mark: { type: 'rule', color, opacity: 0.45 },
      encoding: { ...position, y2: { field: 'high' } },
    }))

function lineLayers({ points, line, color, quiet = false, joined }: PanelSeries, position: Position): UnitSpec[] {
  if (joined) {
    const values = points.map(({ x, y }) => ({ x, y }))
    return [{ data: { values }, mark: { type: 'line', color, strokeWidth: 1.5 }, encoding: position }]
  }
  if (!line || points.length < 2) return []
  return [
    {
      data: { values: ends(points).map(x => ({ x, y: line.intercept + line.slope * x })) },
      mark: { type: 'line', color, strokeWidth: quiet ? 1 : 2, clip: true, opacity: quiet ? 0.7 : 1 },
      encoding: position,
    },
  ]
}

/** Where a series' line begins and stops. */
const ends = (points: readonly PanelPoint[]): [number, number] => {
  const xs = points.filter(({ hollow = false }) => !hollow).map(({ x }) => x)
  return [Math.min(...xs), Math.max(...xs)]
}

/** The second line, and what the first one's rate would have made of it. */
function wedge({ series, gap }: Panel): { x: number; y: number; high: number }[] {
  const second = series[1]
  if (!gap || !second?.line) return []
  const { slope, intercept } = second.line
  const [start, end] = ends(second.points)
  return [start, end].map(x => ({
    x,
    y: intercept + slope * x,
    high: intercept + slope * start + gap.from * (x - start),
  }))
}

function gapLayers(panel: Panel, position: Position): UnitSpec[] {
  const values = wedge(panel)
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

function endLabels(series: readonly PanelSeries[], scale: Scale, { inner, height, labelWidth }: Sizes): UnitSpec {
  const wanted = series.map(({ points, line }) => {
    const x = ends(points)[1]
    const y = line ? line.intercept + line.slope * x : (points.find(point => point.x === x)?.y ?? 0)
    return Math.min(height, Math.max(0, scale.y(y)))
  })
  const heights = series.map(({ label }) => label.length * lineHeight + 3)
  const middles = spread(wanted, heights, -6, height + 6)
  const values = series.flatMap(({ label, color }, s) =>
    label.map((text, i) => ({
      text: fitText(text, labelWidth, fontSize),
      color,
      px: inner + 8,
      py: middles[s]! + (i - (label.length - 1) / 2) * lineHeight,
    })),
  )
  return pixelText(values, { align: 'left', fontSize })
}

function pointNames({ series, named = false, model }: Panel, scale: Scale, { inner, height }: Sizes): UnitSpec[] {
  if (!named && model === undefined) return []
  const spots = series.flatMap(({ points }, s) =>
    points.map(point => ({
      x: scale.x(point.x),
      y: scale.y(point.y),
      text: s === 0 && (named || point.model === model) ? point.model : '',
    })),
  )
  const placed = besidePoints(spots, { width: inner, height, size: fontSize - 1, radius: 4 }, strokes(series, scale))
  return placed.map(({ x, y, text, align }) =>
    pixelText([{ px: x, py: y, text }], { align, fontSize: fontSize - 1, color: ink }),
  )
}

/** Pixels along the lines and intervals of a panel. */
function strokes(series: readonly PanelSeries[], scale: Scale): { x: number; y: number }[] {
  const steps = Array.from({ length: 61 }, (_, i) => i / 60)
  return series.flatMap(one => {
    const { points, line } = one
    const [start, end] = ends(points)
    const onLine = line
      ? steps.map(t => {
          const x = start + t * (end - start)
          return { x: scale.x(x), y: scale.y(line.intercept + line.slope * x) }
        })
      : []
    const onIntervals = drawnIntervals(one).flatMap(({ x, low, high }) =>
      steps.map(t => ({ x: scale.x(x), y: scale.y(low + t * (high - low)) })),
    )
    return [...onLine, ...onIntervals]
  })
}

function markedModel({ series, model }: Panel, position: Position): UnitSpec[] {
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

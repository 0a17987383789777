/** What a panel of models shows, and the bounds of its axes. */
import { type AxisDomain, roundDomain } from './axisDomain.ts'

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
  muted?: boolean
}

export interface LinePanel {
  title: string
  subtitle?: string | undefined
  x: string
  y: string
  series: readonly PanelSeries[]
  /** Marks how much further the second series would have come at the first one's rate. */
  gap?: { from: number } | null
  /** Names the points of the first series where there is room. */
  namesPoints?: boolean
  /** Marks this model's points. */
  model?: string | undefined
  /** Whether y is an accuracy (0 … 100) or starts at 0 or below: a difference or a share of a whole. */
  startsAtZero?: boolean
  /** Largest x there can be: 100 for the usual percentage. */
  maxX?: number
}

/** Round bounds around the points of some panels along x, with as many ticks as have room in `inner` pixels. */
export function xDomain(panels: readonly LinePanel[], inner: number): AxisDomain {
  const points = panels.flatMap(({ series }) => series.flatMap(({ points }) => points))
  return roundDomain(
    points.map(({ x }) => x),
    [0, panels[0]?.maxX ?? 100],
    Math.max(2, Math.min(6, Math.floor(inner / 40))),
  )
}

/** Round bounds around all that some panels have along y; an accuracy axis stays within 0 … 100. */
export function yDomain(panels: readonly LinePanel[]): AxisDomain {
  const series = panels.flatMap(panel => panel.series)
  const ys = [
    ...series.flatMap(({ points }) => points.map(({ y }) => y)),
    ...series.flatMap(visibleIntervals).flatMap(({ low, high }) => [low, high]),
    ...panels.flatMap(gapWedge).map(({ high }) => high),
  ]
  const isDifference = panels[0]?.startsAtZero ?? false
  return isDifference
    ? roundDomain([0, ...ys], [Math.min(0, ...ys), 100])
    : roundDomain(ys, [0, 100])
}

/** The intervals of a series' points; too many would only cover each other. */
export function visibleIntervals({
  points,
}: PanelSeries): { x: number; low: number; high: number }[] {
  const known = points.flatMap(({ x, low, high }) =>
    low == null || high == null ? [] : { x, low, high },
  )
  return known.length > 30 ? [] : known
}

/** The endpoints of a series' line. */
export const lineEnds = (points: readonly PanelPoint[]): [number, number] => {
  const xs = points.filter(({ hollow = false }) => !hollow).map(({ x }) => x)
  return [Math.min(...xs), Math.max(...xs)]
}

/** The second line, and what the first one's rate would have made of it. */
export function gapWedge({ series, gap }: LinePanel): { x: number; y: number; high: number }[] {
  const second = series[1]
  if (!gap || !second?.line) return []
  const { slope, intercept } = second.line
  const [start, end] = lineEnds(second.points)
  return [start, end].map(x => ({
    x,
    y: intercept + slope * x,
    high: intercept + slope * start + gap.from * (x - start),
  }))
}

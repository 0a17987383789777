/** One row per thing: its name at the left, a point with an interval on a shared axis, and facts at the right. */
import { fitText, textWidthPx } from './fonts.ts'
import { roundDomain } from './axisDomain.ts'
import { withLegend } from './legend.ts'
import { fontSizePx, ink } from './theme.ts'
import {
  intervalMarks,
  type FigureLayer,
  pixelText,
  type PositionEncoding,
  type TopLevelSpec,
} from './vegaLite.ts'

export interface IntervalRow {
  name: string
  value: number
  low: number | null
  high: number | null
  color: string
  /** Short text at the right end. */
  fact: string
  about: string
}

export interface IntervalAxis {
  title: string
  /** Ticks are whole multiples of this: 0.1 for rates, 1 for points. */
  unit: number
  /** A dashed line across all rows, and what it is. */
  mark?: { at: number; text: string } | undefined
  width: number
}

const rowHeightPx = 24

export function intervalRowsSpec(
  rows: readonly IntervalRow[],
  { title, unit, mark, width }: IntervalAxis,
): TopLevelSpec {
  const labels = rows.map(({ name }) => fitText(name, 0.3 * width))
  const facts = rows.map(({ fact }) => fact)
  const room = (texts: readonly string[]): number =>
    Math.ceil(Math.max(...texts.map(text => textWidthPx(text, fontSizePx)))) + 12
  const inner = Math.floor(width - room(labels) - room(facts) - 8)
  const position = positionOf(rows, { title, unit }, inner)
  const middles = rows.map((_, i) => (i + 0.5) * rowHeightPx)
  const values = rows.map(({ value, low, high, color, about }, i) => ({
    row: i + 0.5,
    value,
    low: low ?? value,
    high: high ?? value,
    color,
    about,
  }))
  const drawing: TopLevelSpec = {
    width: inner,
    height: rowHeightPx * rows.length,
    layer: [
      ...referenceLineLayer(mark, position),
      ...intervalMarks(values, position),
      pixelText(
        labels.map((text, i) => ({ text, px: -8, py: middles[i]!, color: rows[i]!.color })),
        { align: 'right', fontSize: fontSizePx },
      ),
      pixelText(
        facts.map((text, i) => ({ text, px: inner + 10, py: middles[i]! })),
        {
          align: 'left',
          fontSize: fontSizePx,
          color: ink,
        },
      ),
    ],
  }
  return withLegend(drawing, mark ? [{ look: 'dashed', text: mark.text }] : [], {
    left: room(labels),
    width,
  })
}

function positionOf(
  rows: readonly IntervalRow[],
  { title, unit }: Pick<IntervalAxis, 'title' | 'unit'>,
  inner: number,
): PositionEncoding {
  const ends = [0, ...rows.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value])]
  const { domain, values: ticks } = roundDomain(
    ends.map(value => value / unit),
    [0, Infinity],
    inner < 220 ? 3 : 6,
  )
  const scaled = (value: number): number => Number((value * unit).toPrecision(12))
  return {
    x: {
      field: 'value',
      type: 'quantitative',
      scale: { domain: domain.map(scaled), nice: false },
      axis: { title, values: ticks.map(scaled) },
    },
    y: {
      field: 'row',
      type: 'quantitative',
      scale: { domain: [rows.length, 0], nice: false },
      axis: null,
    },
  }
}

const referenceLineLayer = (
  mark: IntervalAxis['mark'],
  position: PositionEncoding,
): FigureLayer[] =>
  mark === undefined
    ? []
    : [
        {
          data: { values: [{ value: mark.at }] },
          mark: { type: 'rule', color: ink, strokeDash: [4, 3], opacity: 0.6 },
          encoding: { x: position.x },
        },
      ]

import { type ProgressRate, progressRate } from '../metrics/progress.ts'
import { captionOf, count, type FigureKind, idOf } from './figure.ts'
import { fitText, textWidth } from './fonts.ts'
import { roundBounds } from './linePanel.ts'
import { type Results } from './results.ts'
import { fontSize, geographicColor, ink, standardColor } from './theme.ts'
import { range95Of } from './values.ts'
import { pixelText, type Position, type TopLevelSpec } from './vegaLite.ts'

/** One benchmark's progress rate with its 95 % interval over the models. */
export interface RateRow {
  benchmark: string
  geographic: boolean
  rate: number
  low: number | null
  high: number | null
  r2: number | null
  models: number
}

const rowHeight = 24

/** Rates as points with intervals, in the order of the rows; R² and n stand at the right. */
export function ratesSpec(rows: readonly RateRow[], reference: string, width: number): TopLevelSpec {
  const labels = rows.map(({ benchmark }) => fitText(benchmark, 0.3 * width, fontSize))
  const facts = rows.map(({ r2, models }) => `R² ${r2 === null ? '–' : r2.toFixed(2)}, n ${models}`)
  const room = (texts: readonly string[]): number =>
    Math.ceil(Math.max(...texts.map(text => textWidth(text, fontSize)))) + 12
  const inner = Math.floor(width - room(labels) - room(facts) - 8)
  const height = rowHeight * rows.length
  const ends = rows.flatMap(({ rate, low, high }) => [rate, low ?? rate, high ?? rate])
  const tenths = roundBounds([0, ...ends.map(value => 10 * value)], 0, Infinity, inner < 220 ? 3 : 6)
  const position: Position = {
    x: {
      field: 'rate',
      type: 'quantitative',
      scale: { domain: tenths.domain.map(value => value / 10), nice: false },
      axis: {
        title: `progress rate (points per point of ${reference})`,
        values: tenths.values.map(value => value / 10),
      },
    },
    y: { field: 'row', type: 'quantitative', scale: { domain: [rows.length, 0], nice: false }, axis: null },
  }
  const color = {
    field: 'color',
    type: 'nominal',
    scale: null,
  } as const
  const values = rows.map((row, i) => ({
    row: i + 0.5,
    rate: row.rate,
    low: row.low ?? row.rate,
    high: row.high ?? row.rate,
    color: row.geographic ? geographicColor : standardColor,
    about: `${row.benchmark}: rate ${row.rate.toFixed(2)}, 95 % interval ${range95Of(row, 2)}, ${facts[i]!}`,
  }))
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: inner,
    height,
    data: { values },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2.5, opacity: 0.45 },
        encoding: { ...position, x: { ...position.x, field: 'low' } as Position['x'], x2: { field: 'high' }, color },
      },
      {
        mark: { type: 'circle', size: 60, opacity: 1, aria: true },
        encoding: { ...position, color, description: { field: 'about' } },
      },
      pixelText(
        labels.map((text, i) => ({ text, px: -8, py: (i + 0.5) * rowHeight, color: values[i]!.color })),
        { align: 'right', fontSize },
      ),
      pixelText(
        facts.map((text, i) => ({ text, px: inner + 10, py: (i + 0.5) * rowHeight })),
        { align: 'left', fontSize, color: ink },
      ),
    ],
  }
}

export const rates: FigureKind = {
  name: 'rates',
  paper: [],
  title: 'Progress rates, ordered',
  needs: 'two models with a standard benchmark and another data set',
  make: results => {
    const rows = rateRows(results)
    if (rows.length === 0) return []
    const reference = results.title(results.roles.reference!)
    const models = Math.max(...rows.map(row => row.models))
    return [
      {
        id: idOf('rates'),
        title: `Progress rates against ${reference}`,
        subtitle: count(models, 'model'),
        caption: captionOf(
          results,
          `Progress rate: how many points of accuracy a data set gains per point of ${reference}, the slope of the least-squares line over the models, with its 95 % t-interval; fastest first. Geographic data sets are orange, standard benchmarks blue; n counts models.`,
          results.fitted.length < results.models.length ? 'Zero-shot models are left out.' : null,
        ),
        rows: rows.map(row => ({ ...row, geographic: row.geographic ? 'yes' : 'no' })),
        spec: width => ratesSpec(rows, reference, width),
      },
    ]
  },
}

export function rateRows({ roles, table, title, fitted }: Results): RateRow[] {
  const { reference } = roles
  if (reference === null) return []
  const rows = [...roles.standard, ...roles.geographic].map(name => ({
    name,
    rate: progressRate(table, name, { reference, models: fitted }),
  }))
  return rows
    .flatMap(({ name, rate }) => rowOf(title(name), roles.geographic.includes(name), rate))
    .sort((a, b) => b.rate - a.rate)
}

function rowOf(benchmark: string, geographic: boolean, { slope, interval, r2, n }: ProgressRate): RateRow[] {
  if (slope === null) return []
  return [
    { benchmark, geographic, rate: slope, low: interval?.[0] ?? null, high: interval?.[1] ?? null, r2, models: n },
  ]
}

import { type ProgressRate, progressRate } from '../../metrics/progress.ts'
import { captionOf, type FigureKind, idOf } from './figure.ts'
import { count } from '../../lib/table/text.ts'
import { intervalRows } from './intervalRows.ts'
import { type Results } from '../../analysis/view.ts'
import { geographicColor, standardColor } from './theme.ts'
import { range95Of, signed } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'

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

/** Rates as points with intervals, in the order of the rows; R² and n stand at the right. */
function ratesSpec(rows: readonly RateRow[], reference: string, width: number): TopLevelSpec {
  return intervalRows(
    rows.map(row => {
      const fact = `R² ${row.r2 === null ? '–' : row.r2.toFixed(2)}, n ${row.models}`
      return {
        ...{ name: row.benchmark, value: row.rate, low: row.low, high: row.high, fact },
        color: row.geographic ? geographicColor : standardColor,
        about: `${row.benchmark}: rate ${signed(row.rate, 2)}, 95 % interval ${range95Of(row, 2)}, ${fact}`,
      }
    }),
    { title: `progress rate (points per point of ${reference})`, unit: 0.1, width },
  )
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

function rateRows({ roles, table, title, fitted }: Results): RateRow[] {
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

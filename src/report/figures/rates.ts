import { type ProgressRate, progressRate } from '../../metrics/progress.ts'
import { figureCaption, type FigureKind, figureId } from './figure.ts'
import { slopeText, titleIntervalNote } from './findings.ts'
import { lineModelsText } from '../../analysis/modelRoles.ts'
import { countText } from '../../lib/table/text.ts'
import { intervalRowsSpec } from './intervalRows.ts'
import { type RunView } from '../../analysis/runView.ts'
import { geographicColor, standardColor } from './theme.ts'
import { intervalText, signedText } from '../../lib/table/values.ts'
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

/** Rates as points with intervals, in the order of the rows; R² and, where they differ, the numbers of models stand at the right. */
function ratesSpec(rows: readonly RateRow[], reference: string, width: number): TopLevelSpec {
  const isOneSet = rows.every(({ models }) => models === rows[0]!.models)
  return intervalRowsSpec(
    rows.map(row => {
      const fit = `R² ${row.r2 === null ? '–' : row.r2.toFixed(2)}`
      const fact = isOneSet ? fit : `${fit}, n ${row.models}`
      return {
        name: row.benchmark,
        value: row.rate,
        low: row.low,
        high: row.high,
        fact,
        color: row.geographic ? geographicColor : standardColor,
        about: `${row.benchmark}: rate ${signedText(row.rate, 2)}, 95 % interval ${intervalText(row, 2)}, ${fact}`,
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
    const reference = results.titleOf(results.roles.reference!)
    const models = Math.max(...rows.map(row => row.models))
    const least = rows.at(-1)!
    const interval =
      least.low === null || least.high === null ? null : ([least.low, least.high] as const)
    return [
      {
        id: figureId('rates'),
        title: `${least.benchmark} gains ${rows.length > 1 ? 'least: ' : ''}${slopeText({ slope: least.rate, interval })} points per point of ${reference}`,
        subtitle: `Progress rates of ${countText(models, 'model')}, fastest first`,
        caption: figureCaption(
          results,
          `Progress rate: how many points of accuracy a data set gains per point of ${reference}, the slope of the least-squares line over the models, with its 95 % interval by families of models; fastest first. Geographic data sets are orange, standard benchmarks blue; n counts models.`,
          titleIntervalNote,
          results.fittedModels.length < results.models.length
            ? `Fitted to the ${lineModelsText(results.lines[0]!)}.`
            : null,
        ),
        rows: rows.map(row => ({ ...row, geographic: row.geographic ? 'yes' : 'no' })),
        spec: width => ratesSpec(rows, reference, width),
      },
    ]
  },
}

function rateRows({ roles, accuracies: table, titleOf: title, lineOptions }: RunView): RateRow[] {
  const { reference } = roles
  if (reference === null) return []
  const rows = [...roles.standard, ...roles.geographic].map(name => ({
    name,
    rate: progressRate(table, name, lineOptions),
  }))
  return rows
    .flatMap(({ name, rate }) => rowOf(title(name), roles.geographic.includes(name), rate))
    .sort((a, b) => b.rate - a.rate)
}

function rowOf(
  benchmark: string,
  geographic: boolean,
  { slope, interval, r2, n }: ProgressRate,
): RateRow[] {
  if (slope === null) return []
  return [
    {
      benchmark,
      geographic,
      rate: slope,
      low: interval?.[0] ?? null,
      high: interval?.[1] ?? null,
      r2,
      models: n,
    },
  ]
}

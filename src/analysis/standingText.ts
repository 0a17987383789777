import {
  type TableColumn,
  fieldColumn,
  fieldColumns,
  type TableFormat,
  intervalColumns,
  shareColumn,
} from '../lib/table/columns.ts'
import { percent } from '../lib/table/text.ts'
import { answerText } from './answer.ts'
import { pointsText } from './compareText.ts'
import { type ModelMeasures, type MeasureStanding } from './standing.ts'
import { noPackNotice, type StandingReference } from './standingReference.ts'

export interface Standing {
  model: ModelMeasures
  against: StandingReference
  measureStandings: MeasureStanding[]
  /** What of the run was left out. */
  notes: string[]
}

/** Whether a measure is a difference of accuracies and no accuracy. */
export const isDifferenceMeasure = (measure: string): boolean =>
  /: (disparity|Europe −)/.test(measure)

/** `imagenet-r: 45.2 %, +3.1 points from the trend of 68 comparable models, …` */
function standingSentence({ measure, value, models, ...rest }: MeasureStanding): string {
  const { residual, interval, percentile, isExtrapolated: beyond, verdict, reason } = rest
  const start = `${measure}: ${percent(value)} ${isDifferenceMeasure(measure) ? 'points' : '%'}`
  if (residual === null || interval === null || percentile === null)
    return `${start}; not placed: ${reason ?? ''}`
  const than = `${pointsText(residual)} points from the trend of ${models} comparable models`
  const judgement =
    verdict === 'as expected'
      ? 'within what models of its accuracy show'
      : `${verdict === 'above' ? 'more' : 'less'} than models of its accuracy show`
  const range = `one more such model is expected between ${percent(interval[0])} and ${percent(interval[1])}`
  const far = beyond
    ? '; no comparable model is as accurate or as inaccurate, so the trend is extended'
    : ''
  return `${start}, ${than}, ${judgement} (${range}); above ${percent(percentile, 0)} % of them relative to the trend${far}`
}

const standingColumns: TableColumn<
  MeasureStanding & { model: string; against: StandingReference }
>[] = [
  ...fieldColumns({ model: 'model', measure: 'measure' }),
  shareColumn('value', 'value'),
  shareColumn('expected', 'expected'),
  {
    name: 'residual',
    heading: 'residual',
    value: row => row.residual,
    show: row => (row.residual === null ? '–' : pointsText(row.residual)),
  },
  ...intervalColumns<MeasureStanding>(
    ({ interval }) => interval ?? [null, null],
    '95 % prediction',
  ),
  {
    name: 'percentile',
    heading: 'percentile',
    value: row => row.percentile,
    show: row => percent(row.percentile, 0),
  },
  fieldColumn('models'),
  { name: 'r2', heading: 'R²', value: row => row.r2, show: row => row.r2?.toFixed(2) ?? '–' },
  { name: 'verdict', heading: 'verdict', value: row => row.verdict ?? row.reason },
  {
    name: 'against',
    heading: '',
    value: ({ against }) =>
      against.isMeasured ? against.title : `${against.title}. ${noPackNotice}.`,
  },
]

/** Text and Markdown have words, table and notes; the other formats the table alone. */
export function standingsText(standings: readonly Standing[], format: TableFormat): string {
  const rows = standings.flatMap(({ model, against, measureStandings: placements }) =>
    placements.map(row => ({ model: model.model, against, ...row })),
  )
  const bullet = format === 'markdown' ? '- ' : ''
  const words = standings.flatMap(({ model, against, measureStandings: placements }) => [
    `${model.model} (${percent(model.values.get(against.benchmark) ?? null)} % on ${against.benchmark}) against ${against.title}:`,
    ...(format === 'markdown' ? [''] : []),
    ...placements.map(placement => `${bullet}${standingSentence(placement)}`),
    '',
  ])
  const notes = [
    `Values in percent, differences in percentage points. Expected: what the least-squares line of the comparable models (same kind of head) gives at this model's accuracy on ${standings[0]?.against.benchmark ?? 'the reference'}. Residual: value minus expected, for an accuracy also called effective robustness. Percentile: share of the comparable models with a smaller residual. R²: share of their variance that the line explains; where it is low, or models bend away from the line, a residual says little. A larger disparity is worse.`,
    "The prediction interval holds the measure of one more comparable model with 95 % probability, if residuals are normal; it does not contain the model's own sampling error. Several measures are shown; one in twenty falls outside by chance.",
    ...(standings[0]?.against.notes ?? []),
    ...(standings[0]?.notes ?? []),
  ]
  return answerText(words.slice(0, -1), [standingColumns, rows], notes, format)
}

import {
  isDifferenceMeasure,
  type MeasureStanding,
  type Standing,
  type StandingReference,
} from '../../analysis/standing.ts'
import { noPackNotice } from '../../analysis/standingRun.ts'
import {
  type TableColumn,
  fieldColumn,
  fieldColumns,
  intervalColumns,
  shareColumn,
} from '../../lib/table/columns.ts'
import { percent, pointsText } from '../../lib/table/text.ts'
import { type Answer } from './answer.ts'

/** Returns a sentence such as `imagenet-r: 45.2 %, +3.1 points from the trend of 68 comparable models, …`. */
function standingSentence({ measure, value, models, ...rest }: MeasureStanding): string {
  const { residual, interval, percentile, isExtrapolated: beyond, verdict, reason } = rest
  const start = `${measure}: ${percent(value)} ${isDifferenceMeasure(measure) ? 'points' : '%'}`
  if (residual === null || interval === null || percentile === null)
    return `${start}; not placed: ${reason ?? ''}`
  const than = `${pointsText(residual)} points from the trend of ${models} comparable models`
  const judgement =
    verdict === 'as expected'
      ? 'not shown to differ from models of its accuracy'
      : `${verdict === 'above' ? 'more' : 'less'} than 95 of 100 models of its accuracy would show`
  const range = `one more such model is expected between ${percent(interval[0])} and ${percent(interval[1])}`
  const far = beyond
    ? '; no comparable model is as accurate or as inaccurate, so the trend is extended'
    : ''
  return `${start}, ${than}, ${judgement} (${range}); above ${percent(percentile, 0)} % of them relative to the trend${far}`
}

/** Returns a sentence for each measure beyond or without a trend; more than two as expected share a sentence. */
function standingSentences(measures: readonly MeasureStanding[]): string[] {
  const reasons = new Set(
    measures.map(({ residual, reason }) => (residual === null ? reason : null)),
  )
  const [reason] = reasons
  if (reasons.size === 1 && reason != null) return [`not placed: ${reason}`]
  const expected = measures.filter(({ verdict }) => verdict === 'as expected')
  if (expected.length <= 2) return measures.map(standingSentence)
  const names = expected.map(({ measure, residual }) => `${measure} (${pointsText(residual!)})`)
  return [
    ...measures.filter(({ verdict }) => verdict !== 'as expected').map(standingSentence),
    `not shown to differ from comparable models of its accuracy, in brackets the points from their trend: ${names.join(', ')}`,
  ]
}

type StandingRow = MeasureStanding & { model: string; against: StandingReference }

const columns: TableColumn<StandingRow>[] = [
  ...fieldColumns({ model: 'model', measure: 'measure' }),
  shareColumn('value', 'value'),
  shareColumn('expected', 'expected'),
  fieldColumn('residual', 'residual', (points: number | null) =>
    points === null ? '–' : pointsText(points),
  ),
  ...intervalColumns<MeasureStanding>(
    ({ interval }) => interval ?? [null, null],
    '95 % prediction',
  ),
  fieldColumn('percentile', 'percentile', (share: number | null) => percent(share, 0)),
  fieldColumn('models'),
  fieldColumn('r2', 'R²', (r2: number | null) => r2?.toFixed(2) ?? '–'),
  {
    name: 'verdict',
    heading: 'verdict',
    value: row => row.verdict ?? row.reason,
    show: row => row.verdict ?? 'not placed',
  },
  {
    name: 'against',
    heading: '',
    value: ({ against }) =>
      against.isMeasured ? against.title : `${against.title}. ${noPackNotice}.`,
  },
]

/** Returns the answer with a section of sentences and the rows of each model. */
export function standingsAnswer(standings: readonly Standing[]): Answer<StandingRow> {
  const rows = standings.flatMap(({ model, against, measureStandings }) =>
    measureStandings.map(row => ({ model: model.model, against, ...row })),
  )
  const sentence = standings.map(({ model, against, measureStandings }) => ({
    heading: `${model.model} (${percent(model.values.get(against.benchmark) ?? null)} % on ${against.benchmark}) against ${against.title}:`,
    sentences: standingSentences(measureStandings),
  }))
  const notes = [
    ...(rows.some(({ residual }) => residual !== null) ? trendNotes(standings) : []),
    ...(standings[0]?.against.notes ?? []),
    ...(standings[0]?.notes ?? []),
  ]
  return { sentence, columns, rows, notes }
}

/** Returns what the columns of a model's place mean. */
function trendNotes([first]: readonly Standing[]): string[] {
  return [
    `Values in percent, differences in percentage points. Expected: what the least-squares line of the comparable models (same kind of head) gives at this model's accuracy on ${first?.against.benchmark ?? 'the reference'}. Residual: value minus expected, for an accuracy also called effective robustness. Percentile: share of the comparable models with a smaller residual. R²: share of their variance that the line explains; where it is low, or models bend away from the line, a residual says little. A larger disparity is worse.`,
    "The prediction interval holds the measure of one more comparable model with 95 % probability, if residuals are normal; it does not contain the model's own sampling error. Several measures are shown; one in twenty falls outside by chance.",
  ]
}

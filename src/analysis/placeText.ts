import { type Column, field, fields, type Format, intervalColumns, share } from '../lib/table/columns.ts'
import { percent } from '../lib/table/text.ts'
import { answerText } from './answer.ts'
import { pointsText } from './compareText.ts'
import { type Measured, type Placement } from './place.ts'
import { noPack, type Reference } from './citing/references.ts'

export interface Placed {
  model: Measured
  against: Reference
  placements: Placement[]
  /** What of the run was left out. */
  notes: string[]
}

/** Whether a measure is a difference of accuracies and no accuracy. */
export const isDifference = (measure: string): boolean => /: (disparity|Europe −)/.test(measure)

/** `imagenet-r: 45.2 %, +3.1 points from the trend of 68 comparable models, …` */
function placementSentence({ measure, value, models, ...rest }: Placement): string {
  const { residual, interval, percentile, beyond, verdict, reason } = rest
  const start = `${measure}: ${percent(value)} ${isDifference(measure) ? 'points' : '%'}`
  if (residual === null || interval === null || percentile === null) return `${start}; not placed: ${reason ?? ''}`
  const than = `${pointsText(residual)} points from the trend of ${models} comparable models`
  const judged =
    verdict === 'as expected'
      ? 'within what models of its accuracy show'
      : `${verdict === 'above' ? 'more' : 'less'} than models of its accuracy show`
  const range = `one more such model is expected between ${percent(interval[0])} and ${percent(interval[1])}`
  const far = beyond ? '; no comparable model is as accurate or as inaccurate, so the trend is extended' : ''
  return `${start}, ${than}, ${judged} (${range}); above ${percent(percentile, 0)} % of them relative to the trend${far}`
}

const columns: Column<Placement & { model: string; against: Reference }>[] = [
  ...fields({ model: 'model', measure: 'measure' }),
  share('value', 'value'),
  share('expected', 'expected'),
  {
    name: 'residual',
    heading: 'residual',
    value: row => row.residual,
    show: row => (row.residual === null ? '–' : pointsText(row.residual)),
  },
  ...intervalColumns<Placement>(({ interval }) => interval ?? [null, null], '95 % prediction'),
  { name: 'percentile', heading: 'percentile', value: row => row.percentile, show: row => percent(row.percentile, 0) },
  field('models'),
  { name: 'r2', heading: 'R²', value: row => row.r2, show: row => row.r2?.toFixed(2) ?? '–' },
  { name: 'verdict', heading: 'verdict', value: row => row.verdict ?? row.reason },
  {
    name: 'against',
    heading: '',
    value: ({ against }) => (against.measured ? against.title : `${against.title}. ${noPack}.`),
  },
]

/** Text and Markdown have words, table and notes; the other formats the table alone. */
export function placedText(placed: readonly Placed[], format: Format): string {
  const rows = placed.flatMap(({ model, against, placements }) =>
    placements.map(row => ({ model: model.model, against, ...row })),
  )
  const bullet = format === 'markdown' ? '- ' : ''
  const words = placed.flatMap(({ model, against, placements }) => [
    `${model.model} (${percent(model.values.get(against.benchmark) ?? null)} % on ${against.benchmark}) against ${against.title}:`,
    ...(format === 'markdown' ? [''] : []),
    ...placements.map(placement => `${bullet}${placementSentence(placement)}`),
    '',
  ])
  const notes = [
    `Values in percent, differences in percentage points. Expected: what the least-squares line of the comparable models (same kind of head) gives at this model's accuracy on ${placed[0]?.against.benchmark ?? 'the reference'}. Residual: value minus expected, for an accuracy also called effective robustness. Percentile: share of the comparable models with a smaller residual. R²: share of their variance that the line explains; where it is low, or models bend away from the line, a residual says little. A larger disparity is worse.`,
    "The prediction interval holds the measure of one more comparable model with 95 % probability, if residuals are normal; it does not contain the model's own sampling error. Several measures are shown; one in twenty falls outside by chance.",
    ...(placed[0]?.against.notes ?? []),
    ...(placed[0]?.notes ?? []),
  ]
  return answerText(words.slice(0, -1), [columns, rows], notes, format)
}

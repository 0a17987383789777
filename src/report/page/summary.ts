import { type Results } from '../../analysis/view.ts'
import { count } from '../../lib/table/text.ts'
import { signed } from '../../lib/table/values.ts'
import { type Interval } from '../../metrics/intervals.ts'
import { distinct } from '../../results/store.ts'
import { isDraft } from '../../lib/pixels/steps.ts'
import { type DatasetFinding, datasetFinding, type GapFinding, gapFindings, trendFinding } from './findings.ts'
import { markup, type Markup } from './markup.ts'
import { drawn } from './resultTables.ts'
import { percent } from '../../lib/table/text.ts'

/** The main numbers, then in words; each sentence is written by a rule from the results. */
export async function summary(results: Results): Promise<Markup> {
  const parts: Markup[] = []
  for (const dataset of results.roles.geographic) {
    const finding = await datasetFinding(results, dataset)
    if (!finding) continue
    const gaps = gapFindings(results, dataset)
    const sentences = [
      ...disparitySentences(finding),
      ...gaps.map(gap => gapSentence(results, gap)),
      ...trendSentences(results, dataset),
    ]
    parts.push(
      markup`<h3>${results.title(dataset)}</h3>
        ${tiles(finding, gaps)}
        <ul class="summary">${sentences.map(sentence => markup`<li>${sentence}</li>`)}</ul>`,
    )
  }
  return markup`<p>${scope(results)} ${errorSentence(results)}</p>${parts}`
}

/** The numbers that a reader takes along. */
function tiles(
  { overall, best, worst, disparity, model, models }: DatasetFinding,
  gaps: readonly GapFinding[],
): Markup {
  const numbers: (readonly [label: string, value: string, more: string])[] = [
    [models > 1 ? `best of ${models} models: ${model}` : model, `${percent(overall.top1)} %`, ends(overall)],
  ]
  if (best && worst && disparity.disparity !== null) {
    numbers.push(
      [`${best.group}, highest`, `${percent(best.top1)} %`, ends(best)],
      [`${worst.group}, lowest`, `${percent(worst.top1)} %`, ends(worst)],
      ['disparity', `${points(disparity.disparity)} points`, disparity.interval ? between(disparity.interval) : ''],
    )
  }
  const [widest] = [...gaps].sort((a, b) => b.gap.difference! - a.gap.difference!)
  if (widest) {
    const { gap, intervals, standard } = widest
    const more = intervals?.difference
      ? `${signed(intervals.difference[0], 2)} to ${signed(intervals.difference[1], 2)}`
      : ''
    numbers.push([`progress gap to ${standard}`, signed(gap.difference!, 2), more])
  }
  return markup`<dl class="tiles">${numbers.map(
    ([label, value, more]) =>
      markup`<div><dt>${label}</dt><dd><strong>${value}</strong> <span>${more}</span></dd></div>`,
  )}</dl>`
}

function scope({ roles, models, title, preprocessing, run }: Results): string {
  const standard = [roles.reference, ...roles.standard].filter(name => name !== null)
  const sets = [
    standard.length > 0 ? `${count(standard.length, 'standard benchmark')} (${standard.map(title).join(', ')})` : '',
    roles.geographic.length > 0
      ? `${count(roles.geographic.length, 'geographic data set')} (${roles.geographic.map(title).join(', ')})`
      : '',
  ].filter(text => text !== '')
  if (models.length === 0) return 'There are no results yet.'
  const modes = distinct(run.entries, 'preprocessing')
  const rest =
    modes.length > 1 || isDraft(preprocessing)
      ? ` The summary and the figures are about ${preprocessing} preprocessing${modes.length > 1 ? '; the tables have all' : ''}.`
      : ''
  return `${count(models.length, 'model')} on ${sets.join(' and ')}. Accuracies are top-1, as means over images.${rest}`
}

function disparitySentences(finding: DatasetFinding): (Markup | string)[] {
  const { overall, best, worst, disparity, by, models, model } = finding
  const start = `${models > 1 ? `The best of ${models} models, ${model},` : model} reaches ${interval(overall)}`
  if (!best || !worst || disparity.disparity === null) return [`${start}. No disparity: ${disparity.reason ?? ''}.`]
  const range = disparity.interval ? ` (95 % interval ${between(disparity.interval)})` : ''
  const first = markup`${start}, from ${interval(best)} for ${best.group} to ${interval(worst)} for ${worst.group}: a disparity of <strong>${points(disparity.disparity)} points</strong>${range}. ${europeAfrica(finding)}`
  const { warning } = disparity
  const failures = warning === null ? '' : `Read it with care: ${warning}.`
  return [first, chance(finding), failures, acrossModels(finding, by)].filter(text => text !== '')
}

function chance({ disparity }: DatasetFinding): string {
  const { expected, p, groups } = disparity
  if (expected === null || p === null) return ''
  const what = drawn(disparity)
  return `If the place did not matter, ${groups} groups of these sizes would still differ by ${points(expected)} points on average; a difference like the one seen would come up with probability ${p <= 0.001 ? 'at most 0.001' : p.toFixed(3)} (1,000 permutations of ${what}).`
}

function europeAfrica({ disparity }: DatasetFinding): string {
  const { europeMinusAfrica: value, europeMinusAfricaInterval: interval } = disparity
  if (value === null || !interval) return ''
  return `Europe minus Africa: ${signed(100 * value, 1)} points (95 % interval ${between(interval)}).`
}

function acrossModels({ models, smallest, largest, worstPlace }: DatasetFinding, by: string): string {
  if (models < 2 || smallest === null || largest === null || !worstPlace) return ''
  const all = worstPlace.models === models ? `all ${models}` : `${worstPlace.models} of ${models}`
  return `Over the models the disparity is between ${points(smallest)} and ${points(largest)} points; ${worstPlace.place} is the ${by} with the lowest accuracy in ${all}.`
}

function gapSentence(
  { title, roles, fitted, models }: Results,
  { standard, geographic, gap, intervals }: GapFinding,
): Markup {
  const reference = title(roles.reference!)
  const n = gap.standard.models.length
  const times =
    gap.ratio === null ? '' : `; ${standard} gains ${gap.ratio.toFixed(1)} times as fast${range(intervals?.ratio, 1)}`
  return markup`<strong>Progress gap:</strong> per point gained on ${reference}, accuracy on ${standard}
    rises by ${signed(gap.standard.slope!, 2)} points and on ${geographic} by ${signed(gap.geographic.slope!, 2)}. The
    gap is <strong>${signed(gap.difference!, 2)}</strong>${range(intervals?.difference, 2)}${times}; least squares over
    ${n} models${fitted.length < models.length && ' that are not zero-shot'}${intervals ? ', intervals by drawing models anew' : ''}.`
}

const range = (interval: Interval | null | undefined, digits: number): string =>
  interval ? ` (95 % interval ${signed(interval[0], digits)} to ${signed(interval[1], digits)})` : ''

function trendSentences(results: Results, dataset: string): Markup[] {
  const found = trendFinding(results, dataset)
  if (!found) return []
  const { kind, trend, values } = found
  const reference = results.title(results.roles.reference!)
  const measure = kind === 'pair' ? 'Europe’s accuracy minus Africa’s' : 'the largest difference between places'
  const [low, high] = [values.get(trend.worstModel!)!, values.get(trend.bestModel!)!]
  const clear = trend.interval !== null && (trend.interval[0] > 0 || trend.interval[1] < 0)
  const direction = clear ? (trend.slope! > 0 ? 'grows with' : 'shrinks with') : 'shows no clear trend with'
  return [
    markup`<strong>Disparity and progress:</strong> ${measure} ${direction} accuracy on ${reference}: slope
      ${signed(trend.slope!, 2)} points per point${range(trend.interval, 2)}, ${trend.n} models. It is ${signed(low, 1)}
      points for the model with the lowest ${reference} accuracy (${trend.worstModel}) and ${signed(high, 1)} for the
      one with the highest (${trend.bestModel}).`,
  ]
}

function errorSentence({ run, by }: Results): string {
  const errors = by().reduce((sum, row) => sum + row.errors, 0)
  const n = by().reduce((sum, row) => sum + row.n, 0)
  if (n + errors === 0) return ''
  const images =
    errors === 0
      ? 'Every image gave a prediction.'
      : `${count(errors, 'prediction')} of ${(n + errors).toLocaleString('en-US')} could not be made; they count in no accuracy and are listed below.`
  const failed = run.failures.length === 0 ? '' : ` ${count(run.failures.length, 'evaluation')} failed.`
  return `${images}${failed}`
}

const points = (share: number): string => (100 * share).toFixed(1)

const between = ([low, high]: Interval): string => `${signed(100 * low, 1)} to ${signed(100 * high, 1)}`

const ends = ({ low, high }: DatasetFinding['overall']): string => `${percent(low)} to ${percent(high)}`

const interval = ({ top1, low, high, n }: DatasetFinding['overall']): string =>
  `${percent(top1)} % (${percent(low)} to ${percent(high)}, n = ${n.toLocaleString('en-US')})`

import { breakable } from './htmlTable.ts'
import { type RunView } from '../../analysis/runView.ts'
import { type DatasetFinding, datasetFinding } from '../../analysis/runSentence.ts'
import { countText, percent } from '../../lib/table/text.ts'
import { endsText, inPoints, signedText } from '../../lib/table/values.ts'
import { excludesZero, type Interval } from '../../metrics/intervals.ts'
import { distinctFieldValues } from '../../results/storedEvaluations.ts'
import { type GapFinding, gapFindings, trendFinding } from './findings.ts'
import { folded, markup, type Markup } from './markup.ts'
import { drawnUnitText } from '../tables/accuracyTables.ts'

/** Returns the main numbers, then sentences that rules write from the results. */
export async function summarySection(results: RunView): Promise<Markup> {
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
      markup`<h3>${results.titleOf(dataset)}</h3>
        ${tiles(finding, gaps)}
        ${folded('In words', markup`<ul class="summary">${sentences.map(sentence => markup`<li>${sentence}</li>`)}</ul>`)}`,
    )
  }
  return markup`<p>${scopeSentence(results)} ${errorSentence(results)}</p>${parts}`
}

/** Returns the main numbers. */
function tiles(
  { overall, best, worst, disparity, model, models }: DatasetFinding,
  gaps: readonly GapFinding[],
): Markup {
  const numbers: (readonly [label: string, value: string, more: string])[] = [
    [
      models > 1 ? `best of ${models} models: ${model}` : model,
      `${percent(overall.top1)} %`,
      accuracyIntervalText(overall),
    ],
  ]
  if (best && worst && disparity.disparity !== null) {
    numbers.push(
      [`${best.group}, highest`, `${percent(best.top1)} %`, accuracyIntervalText(best)],
      [`${worst.group}, lowest`, `${percent(worst.top1)} %`, accuracyIntervalText(worst)],
      [
        'disparity',
        `${pointsNumber(disparity.disparity)} points`,
        disparity.interval ? endsText(inPoints(disparity.interval), 1) : '',
      ],
    )
  }
  const [widest] = [...gaps].sort((a, b) => b.gap.difference! - a.gap.difference!)
  if (widest) {
    const { gap, standard } = widest
    const { difference } = gap.intervals
    const more = difference ? endsText(difference, 2) : ''
    numbers.push([`progress gap to ${standard}`, signedText(gap.difference!, 2), more])
  }
  return markup`<dl class="tiles">${numbers.map(
    ([label, value, more]) =>
      markup`<div><dt>${breakable(label)}</dt><dd><strong>${value}</strong> <span>${more}</span></dd></div>`,
  )}</dl>`
}

function scopeSentence({ roles, models, titleOf: title, preprocessing, run }: RunView): string {
  const standard = [roles.reference, ...roles.standard].filter(name => name !== null)
  const sets = [
    standard.length > 0
      ? `${countText(standard.length, 'standard benchmark')} (${standard.map(title).join(', ')})`
      : '',
    roles.geographic.length > 0
      ? `${countText(roles.geographic.length, 'geographic data set')} (${roles.geographic.map(title).join(', ')})`
      : '',
  ].filter(text => text !== '')
  if (models.length === 0) return 'There are no results yet.'
  const modes = distinctFieldValues(run.entries, 'preprocessing')
  const rest =
    modes.length > 1
      ? ` The summary and the figures are about ${preprocessing} preprocessing; the tables have all.`
      : ''
  return `${countText(models.length, 'model')} on ${sets.join(' and ')}. Accuracies are top-1, as means over images.${rest}`
}

function disparitySentences(finding: DatasetFinding): (Markup | string)[] {
  const { overall, best, worst, disparity, by, models, model } = finding
  const start = `${models > 1 ? `The best of ${models} models, ${model},` : model} reaches ${accuracyWithInterval(overall)}`
  if (!best || !worst || disparity.disparity === null)
    return [`${start}. No disparity: ${disparity.reason ?? ''}.`]
  const range = bracketedInterval(disparity.interval && inPoints(disparity.interval), 1)
  const first = markup`${start}, from ${accuracyWithInterval(best)} for ${best.group} to ${accuracyWithInterval(worst)} for ${worst.group}: a disparity of <strong>${pointsNumber(disparity.disparity)} points</strong>${range}. ${europeAfricaSentence(finding)}`
  const { warning } = disparity
  const failures = warning === null ? '' : `Read it with care: ${warning}.`
  return [first, chanceSentence(finding), failures, acrossModelsSentence(finding, by)].filter(
    text => text !== '',
  )
}

function chanceSentence({ disparity }: DatasetFinding): string {
  const { expected, p, groups } = disparity
  if (expected === null || p === null) return ''
  const what = drawnUnitText(disparity)
  return `If the place did not matter, ${groups} groups of these sizes would still differ by ${pointsNumber(expected)} points on average; a difference like the one seen would come up with probability ${p <= 0.001 ? 'at most 0.001' : p.toFixed(3)} (1,000 permutations of ${what}).`
}

function europeAfricaSentence({ disparity }: DatasetFinding): string {
  const { europeMinusAfrica: value, europeMinusAfricaInterval: interval } = disparity
  if (value === null || !interval) return ''
  return `Europe minus Africa: ${signedText(100 * value, 1)} points${bracketedInterval(inPoints(interval), 1)}.`
}

function acrossModelsSentence(
  { models, smallest, largest, worstPlace }: DatasetFinding,
  by: string,
): string {
  if (models < 2 || smallest === null || largest === null || !worstPlace) return ''
  const all = worstPlace.models === models ? `all ${models}` : `${worstPlace.models} of ${models}`
  return `Over the models the disparity is between ${pointsNumber(smallest)} and ${pointsNumber(largest)} points; ${worstPlace.place} is the ${by} with the lowest accuracy in ${all}.`
}

function gapSentence(
  { titleOf: title, roles, fittedModels: fitted, models, lines }: RunView,
  { standard, geographic, gap }: GapFinding,
): Markup {
  const reference = title(roles.reference!)
  const n = gap.standard.models.length
  const { difference, ratio, reason } = gap.intervals
  // With an interval of the difference, the reason is that of the ratio.
  const ratioInterval = difference && reason !== null ? ` (${reason})` : bracketedInterval(ratio, 1)
  const times =
    gap.ratio === null
      ? ''
      : `; ${standard} gains ${gap.ratio.toFixed(1)} times as fast${ratioInterval}`
  return markup`<strong>Progress gap:</strong> per point gained on ${reference}, accuracy on ${standard}
    rises by ${signedText(gap.standard.slope!, 2)} points and on ${geographic} by ${signedText(gap.geographic.slope!, 2)}. The
    gap is <strong>${signedText(gap.difference!, 2)}</strong>${bracketedInterval(difference, 2)}${isClear(difference) ? '' : ', which may be none'}${times}; least squares over
    ${n} models${fitted.length < models.length && ` that are ${lines[0]!.kind === 'zero-shot' ? '' : 'not '}zero-shot`}, ${difference ? 'intervals by families of models' : (reason ?? 'without intervals')}.`
}

/** Returns whether an interval leaves out 0. */
const isClear = (interval: Interval | null): boolean => interval !== null && excludesZero(interval)

const bracketedInterval = (interval: Interval | null, digits: number): string =>
  interval ? ` (95 % interval ${endsText(interval, digits)})` : ''

function trendSentences(results: RunView, dataset: string): Markup[] {
  const found = trendFinding(results, dataset)
  if (!found) return []
  const { kind, trend, values } = found
  const reference = results.titleOf(results.roles.reference!)
  const measure =
    kind === 'pair' ? 'Europe’s accuracy minus Africa’s' : 'the largest difference between places'
  const low = values.get(trend.worstModel!)!
  const high = values.get(trend.bestModel!)!
  const direction = isClear(trend.interval)
    ? trend.slope! > 0
      ? 'grows with'
      : 'shrinks with'
    : 'shows no clear trend with'
  return [
    markup`<strong>Disparity and progress:</strong> ${measure} ${direction} accuracy on ${reference}: slope
      ${signedText(trend.slope!, 2)} points per point${bracketedInterval(trend.interval, 2)}, ${trend.n} models${trend.reason === null ? '' : ` (${trend.reason})`}. It is ${signedText(low, 1)}
      points for the model with the lowest ${reference} accuracy (${trend.worstModel}) and ${signedText(high, 1)} for the
      one with the highest (${trend.bestModel}).`,
  ]
}

function errorSentence({ run, accuracyBy: by }: RunView): string {
  const errors = by().reduce((sum, row) => sum + row.errors, 0)
  const n = by().reduce((sum, row) => sum + row.n, 0)
  if (n + errors === 0) return ''
  const images =
    errors === 0
      ? 'Every image gave a prediction.'
      : `${countText(errors, 'prediction')} of ${(n + errors).toLocaleString('en-US')} could not be made; they count in no accuracy and are listed below.`
  const failed =
    run.failures.length === 0 ? '' : ` ${countText(run.failures.length, 'evaluation')} failed.`
  return `${images}${failed}`
}

const pointsNumber = (share: number): string => (100 * share).toFixed(1)

const accuracyIntervalText = ({ low, high, reason }: DatasetFinding['overall']): string =>
  low === null ? (reason ?? '') : `${percent(low)} to ${percent(high)}`

const accuracyWithInterval = (row: DatasetFinding['overall']): string =>
  `${percent(row.top1)} % (${accuracyIntervalText(row)}, n = ${row.n.toLocaleString('en-US')})`

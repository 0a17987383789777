import {
  changeColumns,
  changeRangeText,
  type EvaluationComparison,
  type GroupChange,
  significanceLevel,
} from '../../analysis/compare.ts'
import { type TableColumn, fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { countText, groupList, pEquation, pointsText, upperFirst } from '../../lib/table/text.ts'
import { outcomeMetric } from '../../results/outcomeMetrics.ts'
import { type Answer } from './answer.ts'

const maxSentenceGroups = 3

/**
 * Returns a sentence such as `overall +0.8 points (p = 0.02); Nigeria −3.1 (n = 212, p = 0.004), mostly stove`. If the data do not
 * show a change, the sentence says so and gives the interval.
 */
export function comparisonSentence(comparison: EvaluationComparison): string {
  const { rows, tested, isPaired, minN, metric } = comparison
  const overall = rows.find(({ by }) => by === 'overall')
  if (!overall) return 'no images in common'
  if (!isPaired)
    return `overall ${pointsText(overall.change)} points (95 % interval ${changeRangeText(overall.interval)}, as of two samples); no test: counts by group do not say which images each side has right`
  const shown = rows.filter(isShownChange)
  const lost = shown.filter(({ change }) => change < 0)
  const gained = shown.filter(({ change }) => change > 0)
  const what = metric === 'top1' ? '' : `${outcomeMetric(metric).title}: `
  const start = `${what}${overallText(overall)}`
  if (tested === 0) return `${start}; no group has ${minN} images in common, so none is tested`
  if (shown.length === 0)
    return `${start}; a change is not shown in ${tested === 1 ? 'the one group' : `any of ${tested} groups`}`
  const surest = (list: readonly GroupChange[]) =>
    [...list].sort(
      (a, b) => a.adjusted! - b.adjusted! || a.p! - b.p! || Math.abs(b.change) - Math.abs(a.change),
    )
  const named = [
    ...surest(lost).slice(0, maxSentenceGroups),
    ...surest(gained).slice(0, lost.length > 0 ? 1 : maxSentenceGroups),
  ]
  const rest = shown.length - named.length
  return [
    start,
    ...named.map(groupText),
    ...(rest > 0 ? [`${countText(rest, 'more group')} changed`] : []),
  ].join('; ')
}

function overallText({ change, p, interval }: GroupChange): string {
  const text = `overall ${pointsText(change)} points`
  if (p === null) return `${text}, of which nothing can be told`
  if (p < significanceLevel) return `${text} (${pEquation(p)})`
  const range = interval ? `, 95 % interval ${changeRangeText(interval)}` : ''
  return `${text}, not shown to be a change (${pEquation(p)}${range})`
}

const isShownChange = ({ by, adjusted }: GroupChange): boolean =>
  by !== 'overall' && adjusted !== null && adjusted < significanceLevel

const groupText = ({ group, n, change, adjusted, mostly }: GroupChange): string =>
  `${group} ${pointsText(change)} (n = ${n}, ${pEquation(adjusted!)})${mostly === null ? '' : `, mostly ${mostly}`}`

type ComparisonRow = GroupChange & Pick<EvaluationComparison, 'dataset' | 'preprocessing'>

const shownColumns: TableColumn<ComparisonRow>[] = [
  ...fieldColumns({ by: 'by', group: 'group' }),
  ...changeColumns,
  fieldColumn('mostly'),
]

const columns: TableColumn<ComparisonRow>[] = [
  ...fieldColumns({ dataset: 'data set', preprocessing: 'preprocessing' }),
  ...shownColumns,
]

const maxShownRows = 40

/** Returns the answer of one of several comparisons, which names what the others differ in: data set, preprocessing. */
export function comparisonAnswer(
  comparison: EvaluationComparison,
  all: readonly EvaluationComparison[],
): Answer<ComparisonRow> {
  const { dataset, preprocessing, firstModel, secondModel } = comparison
  const rows = comparison.rows.map(row => ({ dataset, preprocessing, ...row }))
  const shownRows = rows.length <= maxShownRows ? rows : rows.filter(isShownGroup)
  const hidden = rows.length - shownRows.length
  const notes = [
    `${dataset} (${preprocessing} preprocessing)${comparison.isPaired ? `: ${significanceTestText(comparison)}, adjusted by Benjamini and Hochberg over ${countText(comparison.tested, 'group')}${comparison.minN > 1 ? ` of at least ${comparison.minN} images` : ''}` : ''}.`,
    ...(hidden > 0
      ? [`${hidden} groups of which no change is shown are not listed; --format csv has all.`]
      : []),
    ...new Set(rows.flatMap(({ reason }) => (reason === null ? [] : [`${upperFirst(reason)}.`]))),
    ...(comparison.leftOut.length > 0
      ? [`Too few images to test: ${groupList(comparison.leftOut, 5)}.`]
      : []),
    ...comparison.notes,
    `first = ${firstModel}, second = ${secondModel}. Change is second minus first, in percentage points of ${outcomeMetric(comparison.metric).title} on the same images; gained and lost count the images that flipped; mostly names the class with more than half of a group's net change.`,
    pNote(comparison),
  ]
  const modes = all.filter(each => each.dataset === dataset)
  const subject = modes.length > 1 ? `${dataset} (${preprocessing} preprocessing)` : dataset
  const sentence = `${all.length > 1 ? `${subject}: ` : ''}${comparisonSentence(comparison)}`
  return { sentence, columns, shownColumns, rows, shownRows, notes }
}

/** Returns what the p-values mean, and what their adjustment controls. */
const pNote = ({ isPaired, metric }: EvaluationComparison): string =>
  isPaired
    ? `Adjusted p: of the groups named at 0.05, at most 5 % on average have not changed (the false discovery rate; not the chance of any false one); overall stands alone.${outcomeMetric(metric).isBinary ? ' Mid-p, not adjusted, counts what was seen half: nearer the level on average, not guaranteed.' : ''} Each interval is of its group alone. A change that is not shown may still be as large as its interval.`
    : 'One side is counts by group: p, gained and lost need single images. Intervals are as of two independent samples (Newcombe); of two models on one set of images, which mostly are right on the same ones, they are wider than paired ones.'

const significanceTestText = ({ households, metric }: EvaluationComparison): string =>
  !outcomeMetric(metric).isBinary
    ? `mean difference over its standard error${households === null ? '' : ` over ${households.toLocaleString('en-US')} households`} (not exact; no image is gained or lost)`
    : households === null
      ? "McNemar's exact test"
      : `exact sign-flip test in which the images of one household change together (${households.toLocaleString('en-US')} households; intervals are wider accordingly)`

const isShownGroup = (row: GroupChange): boolean =>
  row.adjusted === null || ['overall', 'region', 'income'].includes(row.by) || isShownChange(row)

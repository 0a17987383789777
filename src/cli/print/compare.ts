import {
  changeColumns,
  type EvaluationComparison,
  type GroupChange,
  significanceLevel,
} from '../../analysis/compare.ts'
import { type TableColumn, fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { groupList, pEquation, pointsText } from '../../lib/table/text.ts'
import { type Answer } from './answer.ts'

const maxSentenceGroups = 3

/** Returns a sentence such as `overall +0.8 points (p = 0.02); Nigeria -3.1 (p = 0.004), mostly stove`. */
export function comparisonSentence({ rows, tested }: EvaluationComparison): string {
  const overall = rows.find(({ by }) => by === 'overall')
  if (!overall) return 'no images in common'
  const shown = rows.filter(({ by, adjusted }) => by !== 'overall' && adjusted < significanceLevel)
  const lost = shown.filter(({ change }) => change < 0)
  const gained = shown.filter(({ change }) => change > 0)
  const start = `overall ${pointsText(overall.change)} points (${pEquation(overall.p)})`
  if (shown.length === 0) return `${start}; no change beyond chance in any of ${tested} groups`
  const surest = (list: readonly GroupChange[]) =>
    [...list].sort(
      (a, b) => a.adjusted - b.adjusted || a.p - b.p || Math.abs(b.change) - Math.abs(a.change),
    )
  const named = [
    ...surest(lost).slice(0, maxSentenceGroups),
    ...surest(gained).slice(0, lost.length > 0 ? 1 : maxSentenceGroups),
  ]
  const rest = shown.length - named.length
  return [
    start,
    ...named.map(groupText),
    ...(rest > 0 ? [`${rest} more groups changed`] : []),
  ].join('; ')
}

const groupText = ({ group, change, adjusted, mostly }: GroupChange): string =>
  `${group} ${pointsText(change)} (${pEquation(adjusted)})${mostly === null ? '' : `, mostly ${mostly}`}`

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
  const { dataset, preprocessing, firstModel, secondModel, minN } = comparison
  const rows = comparison.rows.map(row => ({ dataset, preprocessing, ...row }))
  const shownRows = rows.length <= maxShownRows ? rows : rows.filter(isShownGroup)
  const hidden = rows.length - shownRows.length
  const notes = [
    `${dataset} (${preprocessing} preprocessing): first = ${firstModel}, second = ${secondModel}. Change is second minus first, in percentage points of top-1 accuracy on the same images; gained and lost count the images that flipped; mostly names the class with more than half of a group's net change.`,
    `p: ${significanceTestText(comparison)}; adjusted by Benjamini and Hochberg over ${comparison.tested} groups${minN > 1 ? ` of at least ${minN} images` : ''} (overall stands alone). Each interval is of its group alone.`,
    ...(hidden > 0
      ? [`${hidden} groups without a change beyond chance are not shown; --format csv has all.`]
      : []),
    ...new Set(rows.flatMap(({ reason }) => (reason === null ? [] : [`${upperFirst(reason)}.`]))),
    ...(comparison.leftOut.length > 0
      ? [`Too few images to test: ${groupList(comparison.leftOut, 5)}.`]
      : []),
    ...comparison.notes,
  ]
  const modes = all.filter(each => each.dataset === dataset)
  const subject = modes.length > 1 ? `${dataset} (${preprocessing} preprocessing)` : dataset
  const sentence = `${all.length > 1 ? `${subject}: ` : ''}${comparisonSentence(comparison)}`
  return { sentence, columns, shownColumns, rows, shownRows, notes }
}

const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const significanceTestText = ({ households }: EvaluationComparison): string =>
  households === null
    ? "McNemar's exact test"
    : `exact sign-flip test in which the images of one household change together (${households.toLocaleString('en-US')} households; intervals are wider accordingly)`

const isShownGroup = ({ by, adjusted }: GroupChange): boolean =>
  by === 'overall' || by === 'region' || by === 'income' || adjusted < significanceLevel

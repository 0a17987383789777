/** A comparison as a stranger reads it: one sentence, a table, and what the numbers are. */
import {
  type TableColumn,
  fieldColumn,
  fieldColumns,
  type TableFormat,
  formatTable,
  shareColumn,
} from '../lib/table/columns.ts'
import { groupList, pValueText } from '../lib/table/text.ts'
import { answerText } from './answer.ts'
import { type EvaluationComparison, type GroupChange, significanceLevel } from './compare.ts'

/** 0.0314 as `+3.1`. */
export const pointsText = (share: number): string => {
  const text = (100 * share).toFixed(1)
  return Number(text) > 0 ? `+${text}` : text.replace(/^-0\.0$/, '0.0')
}

/** 0.00012 as `< 0.001`, 0.237 as `0.24`. */
export const pNumber = (p: number): string => (p < 0.1 ? pValueText(p) : p.toFixed(2))

/** 0.00012 as `p < 0.001`, 0.237 as `p = 0.24`. */
export const pEquation = (p: number): string =>
  p < 0.001 ? `p ${pNumber(p)}` : `p = ${pNumber(p)}`

const maxSentenceGroups = 3

/** `overall +0.8 points (p = 0.02); Nigeria -3.1 (p = 0.004), mostly stove` */
export function comparisonSentence({ rows, tested }: EvaluationComparison): string {
  const [overall] = rows.filter(({ by }) => by === 'overall')
  if (!overall) return 'no images in common'
  const shown = rows.filter(({ by, adjusted }) => by !== 'overall' && adjusted < significanceLevel)
  const [lost, gained] = [
    shown.filter(({ change }) => change < 0),
    shown.filter(({ change }) => change > 0),
  ]
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

const comparisonTableColumns: TableColumn<
  GroupChange & { dataset: string; preprocessing: string }
>[] = [
  ...fieldColumns({ dataset: 'data set', preprocessing: 'preprocessing' }),
  ...fieldColumns({ by: 'by', group: 'group', n: 'n' }),
  shareColumn('first', 'first %'),
  shareColumn('second', 'second %'),
  {
    name: 'change',
    heading: 'change',
    value: row => row.change,
    show: row => pointsText(row.change),
  },
  {
    name: 'low',
    heading: '95 % interval',
    value: row => row.interval[0],
    show: row => `${pointsText(row.interval[0])} to ${pointsText(row.interval[1])}`,
  },
  { name: 'high', heading: '', value: row => row.interval[1] },
  ...fieldColumns({ gained: 'gained', lost: 'lost', p: '' }),
  {
    name: 'adjusted',
    heading: 'adjusted p',
    value: row => row.adjusted,
    show: row => pNumber(row.adjusted),
  },
  fieldColumn('mostly'),
]

const maxShownRows = 40

/** The comparisons in one of the formats; CSV, JSON and LaTeX are the table alone. */
export function comparisonsText(
  comparisons: readonly EvaluationComparison[],
  format: TableFormat,
): string {
  if (format === 'text' || format === 'markdown')
    return comparisons
      .map(comparison => comparisonText(comparison, format, comparisons.length > 1))
      .join('\n')
  const rows = comparisons.flatMap(({ dataset, preprocessing, rows }) =>
    rows.map(row => ({ dataset, preprocessing, ...row })),
  )
  return formatTable(comparisonTableColumns, rows, format)
}

function comparisonText(
  comparison: EvaluationComparison,
  format: TableFormat,
  several: boolean,
): string {
  const { dataset, preprocessing, firstModel, secondModel, rows, minN } = comparison
  const shown = rows.length <= maxShownRows ? rows : rows.filter(isShownGroup)
  const hidden = rows.length - shown.length
  const read = comparisonTableColumns.filter(
    ({ name }) => name !== 'dataset' && name !== 'preprocessing',
  )
  const notes = [
    `${dataset} (${preprocessing} preprocessing): first = ${firstModel}, second = ${secondModel}. Change is second minus first, in percentage points of top-1 accuracy on the same images; gained and lost count the images that flipped; mostly names the class with more than half of a group's net change.`,
    `p: ${significanceTestText(comparison)}; adjusted by Benjamini and Hochberg over ${comparison.tested} groups${minN > 1 ? ` of at least ${minN} images` : ''} (overall stands alone). Each interval is of its group alone.`,
    ...(hidden > 0
      ? [`${hidden} groups without a change beyond chance are not shown; --format csv has all.`]
      : []),
    ...(comparison.leftOut.length > 0
      ? [`Too few images to test: ${groupList(comparison.leftOut, 5)}.`]
      : []),
    ...comparison.notes,
  ]
  const table = [read, shown.map(row => ({ dataset, preprocessing, ...row }))] as const
  return answerText(
    `${several ? `${dataset}: ` : ''}${comparisonSentence(comparison)}`,
    table,
    notes,
    format,
  )
}

const significanceTestText = ({ households }: EvaluationComparison): string =>
  households === null
    ? "McNemar's exact test"
    : `exact sign-flip test in which the images of one household change together (${households.toLocaleString('en-US')} households; intervals are wider accordingly)`

const isShownGroup = ({ by, adjusted }: GroupChange): boolean =>
  by === 'overall' || by === 'region' || by === 'income' || adjusted < significanceLevel

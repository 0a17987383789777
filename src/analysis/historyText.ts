import { unknownName } from '../lib/errors.ts'
import { type Exported, exported } from '../lib/table/table.ts'
import { type Column, field, intervalColumns, share } from '../lib/table/columns.ts'
import { percent } from '../lib/table/text.ts'
import { tally } from '../lib/tally.ts'
import { type HistoryRow } from './history.ts'
import { excludedNotes } from '../results/slices.ts'

/** The history as a table whose lines are named by the tag `name`, by default by the one that most have. Errors: unknown-tag. */
export function historyTable(rows: readonly HistoryRow[], minN: number, name?: string): Exported {
  const tags = tagNames(rows)
  if (name !== undefined && !tags.includes(name)) throw unknownName('tag', name, tags)
  const [first, ...others] = name === undefined ? tags : [name, ...tags.filter(tag => tag !== name)]
  const tagColumn = (tag: string): Column<HistoryRow> => ({
    ...{ name: `tag_${tag}`, heading: tag, value: row => row.tags[tag] ?? null },
  })
  const columns: Column<HistoryRow>[] = [
    ...(first === undefined ? [] : [{ ...tagColumn(first), show: (row: HistoryRow) => row.tags[first] ?? row.folder }]),
    { name: 'folder', heading: first === undefined ? 'folder' : '', value: row => row.folder },
    { name: 'time', heading: 'time (UTC)', value: row => row.time, show: row => minutes(row.time) },
    ...others.map(tagColumn),
    ...measured,
  ]
  return exported(
    { name: 'history', title: 'History of evaluations, oldest first', notes: notesOf(rows, minN) },
    columns,
    rows,
  )
}

/** The tags in use, those of most rows first. */
const tagNames = (rows: readonly HistoryRow[]): string[] =>
  [...tally(rows.flatMap(({ tags }) => Object.keys(tags)))].sort((a, b) => b[1] - a[1]).map(([tag]) => tag)

const minutes = (time: string): string => time.slice(0, 16).replace('T', ' ')

const isPartial = ({ entry: { rows, identity } }: HistoryRow): boolean => rows < identity.images

const measured: Column<HistoryRow>[] = [
  { name: 'model', heading: 'model', value: row => row.entry.identity.model },
  { name: 'dataset', heading: 'data set', value: row => row.entry.identity.dataset },
  { name: 'preprocessing', heading: 'preprocessing', value: row => row.entry.identity.preprocessing },
  { name: 'n', heading: 'n', value: row => row.n, show: row => `${row.n}${isPartial(row) ? ' (incomplete)' : ''}` },
  share('top1', 'top-1 %'),
  ...intervalColumns<HistoryRow>(({ low, high }) => [low, high]),
  field('by', ''),
  {
    name: 'worst',
    heading: 'worst group %',
    value: row => row.worst,
    show: row => (row.worst === null ? '–' : `${row.worst} ${percent(row.worstAccuracy)}`),
  },
  { name: 'worst_top1', heading: '', value: row => row.worstAccuracy },
  share('disparity', 'disparity (points)'),
  { name: 'key', heading: '', value: row => row.entry.key },
  { name: 'content', heading: '', value: row => row.entry.identity.content },
]

function notesOf(rows: readonly HistoryRow[], minN: number): string[] {
  const columns = [...new Set(rows.flatMap(({ by }) => by ?? []))]
  const groups = columns.length === 0 ? 'no data set here has groups' : `groups by ${columns.join(' or ')}`
  return [
    'Time: when the run with these tags began; a line without tags bears the name of its folder.',
    `Worst group and disparity (largest difference between two groups, in points): ${groups} of at least ${minN} images. A disparity is never 0 by chance alone: geogap table --disparity says what chance would show.`,
    'Whether two lines differ beyond chance is for geogap compare and geogap gate, which pair the images; intervals that overlap do not answer it.',
    ...unlike(rows),
    ...excludedNotes(rows.map(({ entry }) => entry)),
  ]
}

/** Data sets whose lines do not compare: other images, or other classes accepted. */
function unlike(rows: readonly HistoryRow[]): string[] {
  const names = [...new Set(rows.map(({ entry }) => entry.identity.dataset))]
  return names.flatMap(name => {
    const mine = rows.map(({ entry }) => entry.identity).filter(({ dataset }) => dataset === name)
    const kinds = new Set(mine.map(({ content, labelMap, choices }) => JSON.stringify([content, labelMap, choices])))
    return kinds.size === 1
      ? []
      : [
          `${name} is not the same in all lines (images, labels, or classes to choose among differ): they do not compare.`,
        ]
  })
}

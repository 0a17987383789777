import { type History, type HistoryRow } from '../../analysis/history.ts'
import { unknownNameError } from '../../lib/errors.ts'
import {
  type TableColumn,
  fieldColumn,
  intervalColumns,
  shareColumn,
} from '../../lib/table/columns.ts'
import { createTable, type Table } from '../../lib/table/table.ts'
import { percent } from '../../lib/table/text.ts'
import { tally } from '../../lib/tally.ts'
import { exclusionNotes } from '../../results/slices.ts'
import { type Answer } from './answer.ts'

const title = 'History of evaluations, oldest first'

/** Returns the answer as a table, which JSON is written from. */
export const historyTable = ({ columns, rows, notes }: Answer<HistoryRow>): Table =>
  createTable({ name: 'history', title, notes }, columns, rows)

/**
 * Returns the history with its lines named by the tag `name`, by default by the tag that most lines have.
 * Errors: unknown-tag.
 */
export function historyAnswer(
  { rows, notes }: History,
  minN: number,
  name?: string,
): Answer<HistoryRow> {
  const tags = tagsByUse(rows)
  if (name !== undefined && !tags.includes(name)) throw unknownNameError('tag', name, tags)
  const [first, ...others] = name === undefined ? tags : [name, ...tags.filter(tag => tag !== name)]
  const tagColumn = (tag: string): TableColumn<HistoryRow> => ({
    name: `tag_${tag}`,
    heading: tag,
    value: row => row.tags[tag] ?? null,
  })
  const columns: TableColumn<HistoryRow>[] = [
    ...(first === undefined
      ? []
      : [{ ...tagColumn(first), show: (row: HistoryRow) => row.tags[first] ?? row.folder }]),
    { name: 'folder', heading: first === undefined ? 'folder' : '', value: row => row.folder },
    {
      name: 'time',
      heading: 'time (UTC)',
      value: row => row.time,
      show: row => minuteText(row.time),
    },
    ...others.map(tagColumn),
    ...measureColumns,
  ]
  return { sentence: title, columns, rows, notes: [...notes, ...historyNotes(rows, minN)] }
}

/** Returns the tags in use, the most frequent first. */
const tagsByUse = (rows: readonly HistoryRow[]): string[] =>
  [...tally(rows.flatMap(({ tags }) => Object.keys(tags)))]
    .sort((a, b) => b[1] - a[1])
    .map(([tag]) => tag)

const minuteText = (time: string): string => time.slice(0, 16).replace('T', ' ')

const isIncomplete = ({ entry: { rows, identity } }: HistoryRow): boolean => rows < identity.images

const measureColumns: TableColumn<HistoryRow>[] = [
  { name: 'model', heading: 'model', value: row => row.entry.identity.model },
  { name: 'dataset', heading: 'data set', value: row => row.entry.identity.dataset },
  shareColumn('top1', 'top-1 %'),
  ...intervalColumns<HistoryRow>(({ low, high }) => [low, high]),
  fieldColumn('by', ''),
  {
    name: 'worst',
    heading: 'worst group %',
    value: row => row.worst,
    show: row => (row.worst === null ? '–' : `${row.worst} ${percent(row.worstAccuracy)}`),
  },
  { name: 'worst_top1', heading: '', value: row => row.worstAccuracy },
  shareColumn('disparity', 'disparity (points)'),
  {
    name: 'n',
    heading: 'n',
    value: row => row.n,
    show: row => `${row.n}${isIncomplete(row) ? ' (incomplete)' : ''}`,
  },
  {
    name: 'preprocessing',
    heading: 'preprocessing',
    value: row => row.entry.identity.preprocessing,
  },
  { name: 'key', heading: '', value: row => row.entry.key },
  { name: 'content', heading: '', value: row => row.entry.identity.content },
]

function historyNotes(rows: readonly HistoryRow[], minN: number): string[] {
  const columns = [...new Set(rows.flatMap(({ by }) => by ?? []))]
  const groups =
    columns.length === 0 ? 'no data set here has groups' : `groups by ${columns.join(' or ')}`
  return [
    'Time: when the run with these tags began; a line without tags bears the name of its folder.',
    `Worst group and disparity (largest difference between two groups, in points): ${groups} of at least ${minN} images. A disparity is never 0 by chance alone: geogap table --disparity says what chance would show.`,
    'Whether two lines differ beyond chance is for geogap compare and geogap gate, which pair the images; intervals that overlap do not answer it.',
    ...incomparableNotes(rows),
    ...exclusionNotes(rows.map(({ entry }) => entry)),
  ]
}

/** Returns a note for each data set whose lines differ in images, labels or choices and so do not compare. */
function incomparableNotes(rows: readonly HistoryRow[]): string[] {
  const names = [...new Set(rows.map(({ entry }) => entry.identity.dataset))]
  return names.flatMap(name => {
    const mine = rows.map(({ entry }) => entry.identity).filter(({ dataset }) => dataset === name)
    const kinds = new Set(
      mine.map(({ content, labelMap, choices }) => JSON.stringify([content, labelMap, choices])),
    )
    return kinds.size === 1
      ? []
      : [
          `${name} is not the same in all lines (images, labels, or classes to choose among differ): they do not compare.`,
        ]
  })
}

import { type Column, fields, type Format, formatTable } from '../report/tables.ts'
import { percent } from '../report/text.ts'
import { type PowerOptions, type PowerRow } from './power.ts'

export function powerText(rows: readonly PowerRow[], { accuracy, difference }: PowerOptions, format: Format): string {
  const columns: Column<PowerRow>[] = [
    ...fields({ by: 'by', group: 'group', n: 'n' }),
    {
      name: 'smallest',
      heading: 'smallest drop shown (points)',
      value: row => row.smallest,
      show: row => (row.smallest === null ? 'none' : percent(row.smallest)),
    },
    {
      name: 'more',
      heading: `more images for ${percent(difference)} points`,
      value: row => row.more,
      show: row => (row.more === null ? 'others too few' : String(row.more)),
    },
  ]
  const table = formatTable(columns, rows, format)
  if (format !== 'text' && format !== 'markdown') return table
  const able = (by: string): string => {
    const mine = rows.filter(row => row.by === by)
    const enough = mine.filter(({ more }) => more === 0).length
    return `A drop of ${percent(difference)} points below the other groups would be found, with a chance of 80 %, in ${enough} of ${mine.length} groups by ${by}.`
  }
  const first = [...new Set(rows.map(({ by }) => by))].map(able).join(format === 'markdown' ? '\n\n' : '\n')
  const notes = [
    `Reckoned for one model with ${percent(accuracy, 0)} % accuracy on all other images (--accuracy), one group chosen beforehand against all others, a two-sided test at 5 % and an 80 % chance to find the drop.`,
    'others too few: all other groups together have too few images for that drop, however many this group gets.',
    'Testing many groups at once needs more images; so do images that come from the same households. Images whose class no model names are not counted.',
  ]
  return `${first}\n\n${table}\n${notes.join(format === 'markdown' ? '\n\n' : '\n')}\n`
}

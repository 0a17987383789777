import { type Column, fields, type Format } from '../lib/table/columns.ts'
import { percent } from '../lib/table/text.ts'
import { answerText } from './answer.ts'
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
  const able = (by: string): string => {
    const mine = rows.filter(row => row.by === by)
    const enough = mine.filter(({ more }) => more === 0).length
    return `A drop of ${percent(difference)} points below the other groups would be found, with a chance of 80 %, in ${enough} of ${mine.length} groups by ${by}.`
  }
  const notes = [
    `Reckoned for one model with ${percent(accuracy, 0)} % accuracy on all other images (--accuracy), one group chosen beforehand against all others, a two-sided test at 5 % and an 80 % chance to find the drop.`,
    'others too few: all other groups together have too few images for that drop, however many this group gets.',
    'Testing many groups at once needs more images; so do images that come from the same households. Images whose class no model names are not counted.',
  ]
  return answerText([...new Set(rows.map(({ by }) => by))].map(able), [columns, rows], notes, format)
}

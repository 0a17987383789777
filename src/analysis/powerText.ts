import { type TableColumn, fieldColumns, type TableFormat } from '../lib/table/columns.ts'
import { percent } from '../lib/table/text.ts'
import { answerText } from './answer.ts'
import { type DatasetPowerOptions, type DatasetPowerRow } from './power.ts'

export function powerText(
  rows: readonly DatasetPowerRow[],
  { accuracy, difference }: DatasetPowerOptions,
  format: TableFormat,
): string {
  const columns: TableColumn<DatasetPowerRow>[] = [
    ...fieldColumns({ by: 'by', group: 'group', n: 'n' }),
    {
      name: 'smallest',
      heading: 'smallest drop shown (points)',
      value: row => row.smallestDrop,
      show: row => (row.smallestDrop === null ? 'none' : percent(row.smallestDrop)),
    },
    {
      name: 'more',
      heading: `more images for ${percent(difference)} points`,
      value: row => row.imagesToAdd,
      show: row => (row.imagesToAdd === null ? 'others too few' : String(row.imagesToAdd)),
    },
  ]
  const detectableSentence = (by: string): string => {
    const mine = rows.filter(row => row.by === by)
    const enough = mine.filter(({ imagesToAdd: more }) => more === 0).length
    return `A drop of ${percent(difference)} points below the other groups would be found, with a chance of 80 %, in ${enough} of ${mine.length} groups by ${by}.`
  }
  const notes = [
    `Reckoned for one model with ${percent(accuracy, 0)} % accuracy on all other images (--accuracy), one group chosen beforehand against all others, a two-sided test at 5 % and an 80 % chance to find the drop.`,
    'others too few: all other groups together have too few images for that drop, however many this group gets.',
    'Testing many groups at once needs more images; so do images that come from the same households. Images whose class no model names are not counted.',
  ]
  return answerText(
    [...new Set(rows.map(({ by }) => by))].map(detectableSentence),
    [columns, rows],
    notes,
    format,
  )
}

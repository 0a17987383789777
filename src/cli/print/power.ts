import { type DatasetPowerOptions, type DatasetPowerRow } from '../../analysis/power.ts'
import { type TableColumn, fieldColumns } from '../../lib/table/columns.ts'
import { percent } from '../../lib/table/text.ts'
import { type Answer } from './answer.ts'

/** Returns the answer for the groups of one or several columns. */
export function powerAnswer(
  rows: readonly DatasetPowerRow[],
  { accuracy, difference, correlation }: DatasetPowerOptions,
): Answer<DatasetPowerRow> {
  const isHoused = rows.some(({ households }) => households !== null)
  const columns: TableColumn<DatasetPowerRow>[] = [
    ...fieldColumns({ by: 'by', group: 'group', n: 'n' }),
    ...(isHoused
      ? [
          ...fieldColumns({ households: 'households' }),
          {
            name: 'effective_n',
            heading: 'worth (independent images)',
            value: (row: DatasetPowerRow) => row.effectiveN,
            show: (row: DatasetPowerRow) => row.effectiveN.toFixed(0),
          },
        ]
      : []),
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
  const detectableGroups = (by: string): string => {
    const mine = rows.filter(row => row.by === by)
    const detectable = mine.filter(({ imagesToAdd }) => imagesToAdd === 0).length
    return `${detectable} of ${mine.length} groups by ${by}`
  }
  const groups = [...new Set(rows.map(({ by }) => by))].map(detectableGroups)
  return {
    sentence: `A drop of ${percent(difference)} points below the other groups would be found, with a chance of 80 %, in ${groups.join(' and ')}.`,
    columns,
    rows,
    notes: [
      `Computed for one model with ${percent(accuracy, 0)} % accuracy on all other images (--accuracy), one group chosen beforehand against all others, a two-sided test at 5 % and an 80 % chance to find the drop.`,
      'others too few: all other groups together have too few images for that drop, however many this group gets.',
      'In the other groups such a drop cannot be told with their images: that none is found there does not say that there is none. Testing many groups at once needs more images. Images whose class no model names are not counted.',
      isHoused
        ? `Images of one household tell less: n images are worth n / (1 + (m - 1) · ${correlation}) independent ones, with m the mean household size weighted by size and a correlation of ${correlation} (--correlation). More images are meant in households of these sizes.`
        : 'The data set names no households: its images are taken as independent.',
    ],
  }
}

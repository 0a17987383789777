import { tally } from '../lib/tally.ts'
import { type DatasetRecord } from './records.ts'
import { type Run, evaluatedRecords } from './run.ts'

/** Images of a data set that no row counts, for one reason. */
export interface LeftOutImages {
  /** The code of a problem (`no-label`), `absent` or `unscored`. */
  code: string
  /** Their number, or of `missing-part` the number of parts. */
  count: number
}

/** What a code says of images; codes that are not here are shown as they are. */
const reasons: ReadonlyMap<string, string> = new Map([
  ['absent', 'not in this copy of the benchmark'],
  ['unscored', "of a class that is none of the model's"],
  ['unknown-class', 'of an unknown class'],
  ['no-label', 'without a label'],
  ['no-class', 'outside of class folders'],
  ['no-image', 'without image bytes'],
  ['no-id', 'without an id'],
  ['bad-metadata', 'with broken metadata'],
  ['missing-file', 'links to nothing'],
  ['unknown-ending', 'files of an unknown ending'],
  ['hidden-file', 'hidden by a dot before the name'],
  ['missing-part', 'whole parts that are missing'],
])

/** Returns the images of a data set that are in no row or not scored, the largest number first. */
export function leftOutImages(record: DatasetRecord): LeftOutImages[] {
  const { problems, absent = 0, sizes } = record
  const scored = sizes?.['all']?.['all']
  const counts = tally(problems.map(({ code }) => code))
  counts.set('absent', absent)
  counts.set('unscored', scored === undefined ? 0 : record.images - scored)
  return [...counts]
    .flatMap(([code, count]) => (count === 0 ? [] : { code, count }))
    .sort((a, b) => b.count - a.count)
}

/** Returns one line on the images that were left out; undefined if there are none. */
export function leftOutText(record: DatasetRecord): string | undefined {
  const found = leftOutImages(record)
  if (found.length === 0) return undefined
  const parts = found.map(({ code, count }) => `${count} ${reasons.get(code) ?? code}`)
  return `left out of ${record.name}, which has ${record.images} images here: ${parts.join(', ')}`
}

/** Returns a line for each data set of a run from which images were left out. */
export const leftOutNotes = (run: Pick<Run, 'entries' | 'datasets'>): string[] =>
  evaluatedRecords(run).flatMap(record => leftOutText(record) ?? [])

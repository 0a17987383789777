/** Findings in words for the titles of figures, each with its interval or its numbers of images. */
import { differenceInterval, excludesZero, type Interval } from '../../metrics/intervals.ts'
import { type Line } from '../../metrics/regression.ts'
import { shrunkenShares } from '../../metrics/shrinkage.ts'
import { upperFirst } from '../../lib/table/text.ts'
import {
  endsText,
  intervalText,
  percentValue,
  range95,
  signedText,
} from '../../lib/table/values.ts'

/** A place and a model's accuracy there, in percent, with its 95 % interval. */
export interface RankedPlace {
  place: string
  n: number
  accuracy: number
  low: number
  high: number
}

/** The largest of many differences is large by chance alone: of more places than this, accuracies are shrunken. */
const maxRankedPlaces = 8

/**
 * Returns `Europe leads Africa by 24.3 points (12.9 to 34.9) on GeoDE`, the finding on places from the highest to the lowest;
 * null with fewer than two. `where` is the end of the sentence: `on GeoDE`.
 */
export function leadText(places: readonly RankedPlace[], where: string): string | null {
  if (places.length < 2) return null
  if (places.length > maxRankedPlaces) {
    const shrunken = shrunkenAccuracies(places)
    const ranked = places.map(place => ({ ...place, accuracy: shrunken.get(place)! }))
    return `${upperFirst(shrunkenLeadText(ranked)!)} ${where}`
  }
  const [best, worst] = endsBy(places, ({ accuracy }) => accuracy)
  const difference = differenceText(best.accuracy - worst.accuracy)
  if (best.low === best.high || worst.low === worst.high)
    return `${best.place} leads ${worst.place} by ${difference} ${where}`
  const interval = differenceInterval(
    { value: best.accuracy, interval: [best.low, best.high] },
    { value: worst.accuracy, interval: [worst.low, worst.high] },
  )
  const by = `by ${difference} (${endsText(interval, 1)}) ${where}`
  return excludesZero(interval)
    ? `${best.place} leads ${worst.place} ${by}`
    : `${best.place} and ${worst.place} differ ${by}${chanceText(interval)}`
}

const pairIntervalNote =
  'In brackets in the title: the 95 % interval of the difference as if these two places had been named beforehand; the interval of the disparity allows for their choice.'

/** Returns the note that explains `leadText` of these places. */
export const leadNote = (places: readonly RankedPlace[]): string =>
  places.length > maxRankedPlaces ? shrinkageNote : pairIntervalNote

/** Returns `Kenya: 53.2 % (50.1 to 56.3) on GeoDE`, what is said of a place that is alone. */
export const placeText = ({ place, ...row }: RankedPlace, where: string): string =>
  `${place}: ${percentValue(row.accuracy)} (${range95(row)}) ${where}`

/**
 * Returns `Spain leads Ghana by about 12 points after shrinkage (n = 40 and 32)`, the finding on places with shrunken accuracies;
 * null with fewer than two.
 */
export function shrunkenLeadText(
  places: readonly Pick<RankedPlace, 'place' | 'n' | 'accuracy'>[],
): string | null {
  if (places.length < 2) return null
  const [best, worst] = endsBy(places, ({ accuracy }) => accuracy)
  const difference = Math.round(best.accuracy - worst.accuracy)
  const counts = [best, worst].map(({ n }) => n.toLocaleString('en-US')).join(' and ')
  return difference <= 1
    ? 'at most one point of difference is left after shrinkage'
    : `${best.place} leads ${worst.place} by about ${difference} points after shrinkage (n = ${counts})`
}

/** Explains the word in a caption. */
export const shrinkageNote =
  'Shrinkage draws each accuracy towards the mean of all cells by as much as its number of images says (beta-binomial).'

/** Returns the accuracy in percent of each cell with images, drawn towards the mean of all by as much as their counts say. */
export function shrunkenAccuracies<Cell extends { n: number; accuracy: number | null }>(
  cells: readonly Cell[],
): ReadonlyMap<Cell, number> {
  const known = cells.flatMap(cell =>
    cell.accuracy === null || cell.n === 0
      ? []
      : { cell, n: cell.n, hits: Math.round((cell.n * cell.accuracy) / 100) },
  )
  if (known.length < 2) return new Map(known.map(({ cell }) => [cell, cell.accuracy!]))
  const shares = shrunkenShares(known)
  return new Map(known.map(({ cell }, i) => [cell, 100 * shares[i]!.value]))
}

/** Returns `0.75 (0.51 to 0.99)`, the slope of a line, or says that it has no interval. */
export const slopeText = ({
  slope,
  interval,
}: Pick<Line, 'interval'> & { slope: number }): string =>
  `${signedText(slope, 2)} (${interval === null ? 'no interval' : endsText(interval, 2)})`

/** Returns ` (33.1 to 40.2)`; empty without an interval. */
export const rangeText = (row: { low: number | null; high: number | null }): string =>
  row.low === null ? '' : ` (${intervalText(row, 1)})`

/** Returns `, which may be chance` where 0 lies in an interval. */
export const chanceText = (interval: Interval | null): string =>
  interval === null || excludesZero(interval) ? '' : ', which may be chance'

/** Returns `12.3 points`. */
export const differenceText = (points: number): string => `${signedText(points, 1)} points`

/** Returns the elements of the highest and of the lowest value. */
export function endsBy<T>(items: readonly T[], valueOf: (item: T) => number): [best: T, worst: T] {
  const ranked = [...items].sort((a, b) => valueOf(b) - valueOf(a))
  return [ranked[0]!, ranked.at(-1)!]
}

/** Explains the brackets of a title. */
export const titleIntervalNote = 'In brackets in the title: the 95 % interval.'

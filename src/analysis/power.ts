/** What a data set could show before any model has seen it. */
import { type Item } from '../datasets/dataset.ts'
import { imagesNeeded, minimumDetectableDifference } from '../metrics/power.ts'
import { tally } from '../lib/tally.ts'

export interface PowerRow {
  by: string
  group: string
  n: number
  /** Images of all other groups, whose accuracy the group's is compared with. */
  others: number
  /** Smallest drop below the others that would be found in 80 of 100 such data sets; null where none would. */
  smallest: number | null
  /** Images to add so that a drop of `difference` would be found; null where the others are too few. */
  more: number | null
}

export interface PowerOptions {
  /** Accuracy of the other groups that is reckoned with. */
  accuracy: number
  difference: number
}

/** One row a region, country or other value; images without an accepted class count nowhere. */
export function powerRows(
  items: readonly Pick<Item, 'labels' | 'groups'>[],
  columns: readonly string[],
  { accuracy, difference }: PowerOptions,
): PowerRow[] {
  const scored = items.filter(({ labels }) => labels.length > 0)
  return columns.flatMap(by => {
    const values = scored.flatMap(({ groups }) => (groups[by] == null ? [] : String(groups[by])))
    return [...tally(values)]
      .sort((a, b) => b[1] - a[1])
      .map(([group, n]) => {
        const others = values.length - n
        const needed = others === 0 ? null : imagesNeeded(accuracy, difference, others).value
        const smallest = minimumDetectableDifference(accuracy, n, others).value
        return { by, group, n, others, smallest, more: needed === null ? null : Math.max(0, needed - n) }
      })
  })
}

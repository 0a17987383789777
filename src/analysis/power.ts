/** Computes which accuracy differences a data set can show, before any evaluation. */
import { ownValue } from '../lib/ownValue.ts'
import { type Sample } from '../datasets/dataset.ts'
import { type DatasetSpec, listDataset } from '../datasets/open.ts'
import { inputError } from '../lib/errors.ts'
import { imagesNeeded, minimumDetectableDifference } from '../metrics/power.ts'
import { tally } from '../lib/tally.ts'

export interface DatasetPowerRow {
  by: string
  group: string
  n: number
  /** Images of all other groups, whose accuracy the group's is compared with. */
  otherImages: number
  /** Smallest drop below the others that would be found in 80 of 100 such data sets; null where none would. */
  smallestDrop: number | null
  /** Images to add so that a drop of `difference` would be found; null where the others are too few. */
  imagesToAdd: number | null
}

export interface DatasetPowerOptions {
  /** Accuracy of the other groups that is reckoned with. */
  accuracy: number
  difference: number
}

/** One row a region, country or other value; images without an accepted class count nowhere. */
export function datasetPower(
  samples: readonly Pick<Sample, 'labels' | 'groups'>[],
  columns: readonly string[],
  { accuracy, difference }: DatasetPowerOptions,
): DatasetPowerRow[] {
  const scored = samples.filter(({ labels }) => labels.length > 0)
  return columns.flatMap(by => {
    const values = scored.flatMap(({ groups }) => {
      const value = ownValue(groups, by) ?? null
      return value === null ? [] : String(value)
    })
    return [...tally(values)]
      .sort((a, b) => b[1] - a[1])
      .map(([group, n]) => {
        const otherImages = values.length - n
        const needed =
          otherImages === 0
            ? null
            : imagesNeeded(accuracy, difference, { otherN: otherImages }).value
        const smallestDrop = minimumDetectableDifference(accuracy, n, {
          otherN: otherImages,
        }).value
        return {
          by,
          group,
          n,
          otherImages,
          smallestDrop,
          imagesToAdd: needed === null ? null : Math.max(0, needed - n),
        }
      })
  })
}

/** Opens a data set and returns a row for each group of those `columns` that it has. Errors: unknown-column, bad-option. */
export async function readDatasetPower(
  spec: DatasetSpec,
  columns: readonly string[],
  options: DatasetPowerOptions,
): Promise<DatasetPowerRow[]> {
  const { accuracy, difference } = options
  const dataset = await listDataset(spec)
  const present = columns.filter(column => dataset.columns.includes(column))
  if (present.length === 0)
    throw inputError(
      'unknown-column',
      `no column ${columns.join(' or ')} in ${spec.name}; there are ${dataset.columns.join(', ')}`,
    )
  if (difference === 0 || difference > accuracy)
    throw inputError(
      'bad-option',
      `--difference ${difference} is not between 0 and --accuracy ${accuracy}`,
    )
  return datasetPower(dataset.samples, present, options)
}

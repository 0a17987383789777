/** Computes which accuracy differences a data set can show, before any evaluation. */
import { ownValue } from '../lib/ownValue.ts'
import { type Sample } from '../datasets/dataset.ts'
import { type DatasetSpec, listDataset } from '../datasets/open.ts'
import { inputError } from '../lib/errors.ts'
import { sum } from '../metrics/numbers.ts'
import { imagesNeeded, minimumDetectableDifference } from '../metrics/power.ts'
import { tally } from '../lib/tally.ts'

/** What one group of a data set can show. */
export interface DatasetPowerRow {
  by: string
  group: string
  n: number
  /** Number of households; null if the data set names none. */
  households: number | null
  /** Independent images that would vary as much; `n` without households. */
  effectiveN: number
  /** Images of all other groups, with which the group is compared. */
  otherImages: number
  /** Smallest drop below the others that is found in 80 of 100 such data sets; null if none is. */
  smallestDrop: number | null
  /** Images to add, in households of these sizes, so that a drop of `difference` is found; null if the others are too few. */
  imagesToAdd: number | null
}

/** The assumptions about a model. */
export interface DatasetPowerOptions {
  /** Accuracy of the other groups. */
  accuracy: number
  difference: number
  /** Correlation of the outcomes of two images of one household. */
  correlation: number
}

/** Returns one row for each group of each column; images without an accepted class are not counted. */
export function datasetPower(
  samples: readonly Pick<Sample, 'labels' | 'groups'>[],
  columns: readonly string[],
  { accuracy, difference, correlation }: DatasetPowerOptions,
): DatasetPowerRow[] {
  const scored = samples.filter(({ labels }) => labels.length > 0)
  const isHoused = scored.some(({ groups }) => groups['household'] != null)
  return columns.flatMap(by => {
    const textOf = ({ groups }: Pick<Sample, 'groups'>): string => String(ownValue(groups, by))
    const grouped = scored.filter(({ groups }) => (ownValue(groups, by) ?? null) !== null)
    return [...tally(grouped.map(textOf))]
      .sort((a, b) => b[1] - a[1])
      .map(([group, n]) => {
        const own = effectiveSize(
          grouped.filter(sample => textOf(sample) === group),
          correlation,
        )
        const others = effectiveSize(
          grouped.filter(sample => textOf(sample) !== group),
          correlation,
        )
        const needed =
          others.n === 0
            ? null
            : imagesNeeded(accuracy, difference, { otherN: others.effectiveN }).value
        const missing = needed === null ? null : Math.max(0, needed - own.effectiveN)
        const { value } = minimumDetectableDifference(accuracy, own.effectiveN, {
          otherN: others.effectiveN,
        })
        return {
          by,
          group,
          n,
          households: isHoused ? own.households : null,
          effectiveN: own.effectiveN,
          otherImages: others.n,
          smallestDrop: value,
          imagesToAdd: missing === null ? null : Math.ceil((missing * n) / own.effectiveN - 1e-9),
        }
      })
  })
}

/** Divides the images by Kish's design effect 1 + (m - 1) ρ, with m the mean household size weighted by size. */
function effectiveSize(
  samples: readonly Pick<Sample, 'groups'>[],
  correlation: number,
): { n: number; households: number; effectiveN: number } {
  const n = samples.length
  const sizes = tally(samples.map(({ groups }, i) => String(groups['household'] ?? `image ${i}`)))
  const squares = sum([...sizes.values()].map(size => size * size))
  const effectiveN = n === 0 ? 0 : n / (1 + (squares / n - 1) * correlation)
  return { n, households: sizes.size, effectiveN }
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

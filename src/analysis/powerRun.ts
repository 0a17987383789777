import { type DatasetSpec, openDataset } from '../datasets/open.ts'
import { inputError } from '../lib/errors.ts'
import { datasetPower, type DatasetPowerOptions, type DatasetPowerRow } from './power.ts'

/** Opens a data set and returns a row for each group of those `columns` that it has. Errors: unknown-column, bad-option. */
export async function readDatasetPower(
  spec: DatasetSpec,
  columns: readonly string[],
  options: DatasetPowerOptions,
): Promise<DatasetPowerRow[]> {
  const { accuracy, difference } = options
  const dataset = await openDataset(spec)
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

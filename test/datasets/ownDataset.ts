import { type Dataset, type Sample } from '../../src/datasets/dataset.ts'

/** Items of one class as an opened data set. */
export const ownDataset = (
  items: readonly Sample[],
  columns: readonly string[],
  more: Partial<Dataset> = {},
): Dataset => ({
  name: 'made up',
  samples: items,
  columns,
  classes: ['cup'],
  labelSpace: 'own',
  choices: 'all',
  hash: 'content',
  labelMap: { name: 'own', hash: '' },
  problems: [],
  ...more,
})

import { type Dataset, type Item } from '../../src/datasets/dataset.ts'

/** Items of one class as an opened data set. */
export const ownDataset = (
  items: readonly Item[],
  columns: readonly string[],
  more: Partial<Dataset> = {},
): Dataset => ({
  ...{ name: 'made up', items, columns, classes: ['cup'], labelSpace: 'own', choices: 'all', hash: 'content' },
  ...{ labelMap: { name: 'own', hash: '' }, problems: [] },
  ...more,
})

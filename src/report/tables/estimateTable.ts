import { type EstimateRow } from '../../results/estimates.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
import { percent } from '../../lib/table/text.ts'
import {
  fieldColumns,
  intervalColumns,
  numericColumns,
  shareColumn,
} from '../../lib/table/columns.ts'

/** Tables of evaluations that stopped early. */
export const estimateTable = (rows: readonly EstimateRow[]): Table =>
  createTable(
    {
      name: 'estimates',
      title: 'Stopped early: what all images would give',
      notes: [
        "accuracy and 95 % interval of all images of a group, valid at any stopping time; explained: share of the variance that other models' outcomes on the same images explain",
      ],
    },
    [
      ...fieldColumns({
        model: 'model',
        dataset: 'data set',
        preprocessing: '',
        until: 'until',
        group: 'group',
      }),
      {
        name: 'read',
        heading: 'read',
        type: 'number',
        value: row => row.read,
        show: row => `${row.read} of ${row.images}`,
      },
      ...numericColumns({ images: '' }),
      shareColumn('estimate', 'top-1 %'),
      ...intervalColumns<EstimateRow>(({ low, high }) => [low, high]),
      {
        name: 'explained',
        heading: 'explained',
        type: 'number',
        value: row => row.explained,
        show: row => (row.controls === 0 ? '–' : `${percent(row.explained, 0)} by ${row.controls}`),
      },
      ...numericColumns({ controls: '', failed: 'failed' }),
    ],
    rows,
  )

/** Returns a line for each model and data set: how many images were enough, and how many other models saved. */
export function savingLines(rows: readonly EstimateRow[]): string[] {
  const names = [...new Set(rows.map(evaluationName))]
  return names.map(name => {
    const groups = rows.filter(row => evaluationName(row) === name)
    const { until, controls } = groups[0]!
    const sum = (of: (row: EstimateRow) => number): number =>
      groups.reduce((total, row) => total + of(row), 0)
    const read = sum(row => row.read)
    const images = sum(row => row.images)
    const alone = sum(imagesWithoutControls)
    const spared =
      controls > 0
        ? `; without the outcomes of ${controls} other models about ${Math.round(alone)}`
        : ''
    return `${name}: ${until} with ${read} of ${images} images (${percent(read / images, 0)} %)${spared}`
  })
}

const evaluationName = ({ model, dataset, preprocessing }: EstimateRow): string =>
  `${model} on ${dataset} (${preprocessing})`

/** Returns the images that this interval would need without other models: the variance of a mean without replacement is s² (1/n - 1/N). */
const imagesWithoutControls = ({ read, images, explained }: EstimateRow): number =>
  read === 0 ? 0 : 1 / (1 / images + (1 - explained) * (1 / read - 1 / images))

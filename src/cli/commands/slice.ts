import { GeogapError, inputError, unknownNameError } from '../../lib/errors.ts'
import { fieldColumns } from '../../lib/table/columns.ts'
import { type SliceRow } from '../../results/slices.ts'
import { defineCommand, pick } from './command.ts'
import { assignments, fileEndingIn } from './parsers.ts'

export const command = defineCommand({
  name: 'slice',
  text: 'Write a list of images, slice.csv, for relabelling or for --exclude: what a model got wrong, a region, a class.',
  arguments: { '<dir>': 'folder of results' },
  options: {
    '--model <name>': 'whose predictions (needed where there are several)',
    '--dataset <name>': 'by its name in the results (default: all)',
    '--wrong': 'images whose first class is wrong',
    '--right': 'images whose first class is right',
    '--region <name>': 'images of a region',
    '--country <name>': 'images of a country',
    '--label <name>': 'images of a class',
    '--where <pairs>': {
      text: 'values of any columns: income_group=Q1,region=Asia',
      parse: assignments,
    },
    '-o, --output <file>': { text: 'the slice', required: true, parse: fileEndingIn('.csv') },
  },
  examples: ['geogap slice results --wrong --region Africa -o slice.csv'],
  run: async ({ dir, output, wrong, right, ...options }) => {
    if (wrong && right) throw inputError('bad-option', 'give one of --wrong and --right')
    const { formatTable } = await import('../../lib/table/formats.ts')
    const { writeOutput } = await import('../../lib/files.ts')
    const rows = await sliceRows(dir, {
      ...pick(options, ['model', 'dataset']),
      where: Object.assign({}, options.where, pick(options, ['region', 'country', 'label'])),
      ...((wrong ?? right) && { right: right === true }),
    })
    await writeOutput(output, formatTable(columns, rows, 'csv'))
    process.stdout.write(`${rows.length} images in ${output}\n`)
  },
})

const columns = fieldColumns<keyof SliceRow>({
  dataset: '',
  id: '',
  label: '',
  prediction: '',
  region: '',
  country: '',
  model: '',
})

interface SliceRequest {
  model?: string
  dataset?: string
  where: Record<string, string>
  right?: boolean
}

/** Errors: unknown-model, choose-models, unknown-dataset, unknown-column, and unknown values of a column. */
async function sliceRows(
  dir: string,
  { model, dataset, where, ...outcome }: SliceRequest,
): Promise<SliceRow[]> {
  const { newestEvaluations } = await import('../../analysis/evaluationPairs.ts')
  const { readDatasetRecords } = await import('../../results/records.ts')
  const { distinctFieldValues } = await import('../../results/storedEvaluations.ts')
  const { selectSlice, distinctColumnValues } = await import('../../results/slices.ts')
  const { entries } = await newestEvaluations(dir)
  const models = distinctFieldValues(entries, 'model')
  const datasets = distinctFieldValues(entries, 'dataset')
  const { findModelName } = await import('../../models/findModelName.ts')
  const chosen = model === undefined ? models[0]! : findModelName(model, models)
  if (model === undefined && models.length > 1)
    throw inputError('choose-models', `choose with --model; there are ${models.join(', ')}`)
  if (dataset !== undefined && !datasets.includes(dataset))
    throw unknownNameError('dataset', dataset, datasets)
  const records = await readDatasetRecords(dir)
  const asked = entries.filter(
    ({ identity }) =>
      identity.model === chosen && identity.dataset === (dataset ?? identity.dataset),
  )
  const rows: SliceRow[] = []
  const without: GeogapError[] = []
  for (const entry of asked) {
    const record = records.get(entry.identity.content)
    const found = await selectSlice(entry, record, { where, ...outcome }).catch(
      (error: unknown) => {
        if (!(error instanceof GeogapError) || error.code !== 'unknown-column') throw error
        without.push(error)
        return []
      },
    )
    rows.push(...found)
  }
  // A data set without the column has no matching image; if it is the only data set, this is an error.
  if (without[0] && without.length === asked.length) throw without[0]
  if (rows.length > 0) return rows
  for (const [column, value] of Object.entries(where)) {
    const values = await distinctColumnValues(asked, column)
    if (!values.includes(value)) throw unknownNameError(column, value, values)
  }
  return rows
}

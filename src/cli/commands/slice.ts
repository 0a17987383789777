import { Command } from 'commander'
import { GeogapError, inputError, unknownNameError } from '../../lib/errors.ts'
import { type TableColumn } from '../../lib/table/columns.ts'
import { type SliceRow } from '../../results/slices.ts'
import { withoutUndefined } from './options.ts'
import { assignments } from './parsers.ts'

interface SliceCommandOptions {
  model?: string
  dataset?: string
  wrong?: boolean
  right?: boolean
  region?: string
  country?: string
  label?: string
  where?: Record<string, string>
  output: string
}

/**
 * Builds the command `geogap slice`.
 *
 * @example
 *     geogap slice results --wrong --region Africa -o slice.csv
 */
export function command(): Command {
  return new Command('slice')
    .description(
      'Write a list of images, slice.csv, for relabelling or for --exclude: what a model got wrong, a region, a class.',
    )
    .argument('<dir>', 'folder of results')
    .option('--model <name>', 'whose predictions (needed where there are several)')
    .option('--dataset <name>', 'by its name in the results (default: all)')
    .option('--wrong', 'images whose first class is wrong')
    .option('--right', 'images whose first class is right')
    .option('--region <name>', 'images of a region')
    .option('--country <name>', 'images of a country')
    .option('--label <name>', 'images of a class')
    .option(
      '--where <pairs>',
      'values of any columns: income_group=Q1,region=Asia',
      assignments('--where'),
    )
    .requiredOption('-o, --output <file>', 'the slice')
    .addHelpText('after', '\nExample:\n  geogap slice results --wrong --region Africa -o slice.csv')
    .action(async (dir: string, options: SliceCommandOptions) => run(dir, options))
}

const columns: TableColumn<SliceRow>[] = (
  ['dataset', 'id', 'label', 'prediction', 'region', 'country', 'model'] as const
).map(name => ({ name, heading: name, value: row => row[name] }))

async function run(
  dir: string,
  { model, dataset, wrong, right, output, ...options }: SliceCommandOptions,
): Promise<void> {
  if (wrong && right) throw inputError('bad-option', 'give one of --wrong and --right')
  const { newestEvaluations } = await import('../../analysis/evaluationPairs.ts')
  const { readDatasetRecords } = await import('../../results/records.ts')
  const { distinctFieldValues } = await import('../../results/store.ts')
  const { selectSlice, distinctColumnValues } = await import('../../results/slices.ts')
  const { formatTable } = await import('../../lib/table/columns.ts')
  const { writeOutput } = await import('../../lib/files.ts')
  const entries = await newestEvaluations(dir)
  const [models, sets] = [
    distinctFieldValues(entries, 'model'),
    distinctFieldValues(entries, 'dataset'),
  ]
  const chosen = model ?? models[0]!
  if (!models.includes(chosen)) throw unknownNameError('model', chosen, models)
  if (model === undefined && models.length > 1)
    throw inputError('choose-models', `choose with --model; there are ${models.join(', ')}`)
  if (dataset !== undefined && !sets.includes(dataset))
    throw unknownNameError('dataset', dataset, sets)
  const notes = await readDatasetRecords(dir)
  const { region, country, label } = options
  const where = { ...options.where, ...withoutUndefined({ region, country, label }) }
  const asked = entries.filter(
    ({ identity }) =>
      identity.model === chosen && identity.dataset === (dataset ?? identity.dataset),
  )
  const rows: SliceRow[] = []
  const without: GeogapError[] = []
  for (const entry of asked) {
    const found = await selectSlice(entry, notes.get(entry.identity.content), {
      ...{ where, ...((wrong ?? right) && { right: right === true }) },
    }).catch((error: unknown) => {
      if (!(error instanceof GeogapError) || error.code !== 'unknown-column') throw error
      without.push(error)
      return []
    })
    rows.push(...found)
  }
  // A data set without a column has no image that fits, unless it is the only one that could.
  if (without[0] && without.length === asked.length) throw without[0]
  if (rows.length === 0)
    for (const [column, value] of Object.entries(where)) {
      const values = await distinctColumnValues(asked, column)
      if (!values.includes(value)) throw unknownNameError(column, value, values)
    }
  await writeOutput(output, formatTable(columns, rows, 'csv'))
  process.stdout.write(`${rows.length} images in ${output}\n`)
}

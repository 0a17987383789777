import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type TableFormat } from '../../lib/table/columns.ts'
import { jsonText } from '../../lib/table/text.ts'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'
import { formatOption } from './options.ts'
import { oneOf } from './parsers.ts'
import { progressPrinter } from './progress.ts'

interface DatasetsCommandOptions extends DatasetSourceOptions {
  files?: boolean
  format: TableFormat
}

/**
 * Builds the command `geogap datasets`.
 *
 * @example
 *     geogap datasets check geode --data data
 */
export function command(): Command {
  const datasets = new Command('datasets')
    .description('List the benchmarks, show one, or check that what is on this machine is whole.')
    .argument(
      '[action]',
      'list, show or check',
      oneOf('the action', ['list', 'show', 'check'] as const),
      'list',
    )
    .argument('[name]', 'a benchmark, manifest, folder or archive, for show and check')
  return addDatasetOptions(datasets)
    .option('--files', 'check that files are there, without decoding every image')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  geogap datasets check geode --data data')
    .action(
      async (
        action: 'list' | 'show' | 'check',
        name: string | undefined,
        options: DatasetsCommandOptions,
      ) => {
        const { format } = options
        if (action === 'list') return list(options)
        if (name === undefined)
          throw inputError('bad-usage', `geogap datasets ${action} needs a name`)
        if (format !== 'text' && format !== 'json')
          throw inputError(
            'bad-option',
            `geogap datasets ${action} writes text or json, not ${format}`,
          )
        return action === 'show' ? show(name, options) : check(name, options)
      },
    )
}

async function list({ format }: DatasetsCommandOptions): Promise<void> {
  const { datasetTable } = await import('../../report/page/datasetTable.ts')
  process.stdout.write(datasetTable(format))
}

async function show(name: string, { format }: DatasetsCommandOptions): Promise<void> {
  const { datasetFacts, datasetSheet } = await import('../../report/page/datasetTable.ts')
  process.stdout.write(format === 'json' ? jsonText(datasetFacts(name)) : datasetSheet(name))
}

async function check(
  name: string,
  { files, format, ...options }: DatasetsCommandOptions,
): Promise<void> {
  const { openDataset } = await import('../../datasets/open.ts')
  const { checkDataset } = await import('../../datasets/check.ts')
  const { datasetCheckText } = await import('../../report/page/datasetTable.ts')
  const dataset = await openDataset({ name, ...datasetSpecOf(options) })
  const show = progressPrinter()
  const onProgress = (done: number, total: number): void =>
    show({ models: ['check'], dataset: dataset.name, total, done })
  const result = await checkDataset(dataset, { decode: !files, onProgress })
  process.stdout.write(format === 'json' ? jsonText(result) : datasetCheckText(result))
  const wrong =
    result.missing.length +
    result.unreadable.length +
    result.problems.length +
    result.differences.length
  if (wrong > 0) process.exitCode = 3
}

import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type TableFormat } from '../../lib/table/columns.ts'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'
import { formatOption, parseList, shareOf } from './options.ts'

interface PowerCommandOptions extends DatasetSourceOptions {
  by: string[]
  accuracy: number
  difference: number
  format: TableFormat
}

export function command(): Command {
  const power = new Command('power')
    .description(
      'Which differences each region and country of a data set could show, before any model is run.',
    )
    .argument('<dataset>', 'benchmark, manifest, folder or archive')
    .option('--by <columns>', 'groups', (text: string) => parseList(text), ['region', 'country'])
    .option(
      '--accuracy <share>',
      'accuracy of the other groups to reckon with',
      shareOf('--accuracy'),
      0.7,
    )
    .option('--difference <share>', 'difference to find', shareOf('--difference'), 0.05)
  return addDatasetOptions(power)
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  geogap power geode --data data')
    .action(async (name: string, options: PowerCommandOptions) => run(name, options))
}

async function run(name: string, { by, format, ...options }: PowerCommandOptions): Promise<void> {
  const { openDataset } = await import('../../datasets/open.ts')
  const { datasetPower } = await import('../../analysis/power.ts')
  const { powerText } = await import('../../analysis/powerText.ts')
  const dataset = await openDataset({ name, ...datasetSpecOf(options) })
  const columns = by.filter(column => dataset.columns.includes(column))
  if (columns.length === 0)
    throw inputError(
      'unknown-column',
      `no column ${by.join(' or ')} in ${name}; there are ${dataset.columns.join(', ')}`,
    )
  if (options.difference === 0 || options.difference > options.accuracy)
    throw inputError(
      'bad-option',
      `--difference ${options.difference} is not between 0 and --accuracy ${options.accuracy}`,
    )
  process.stdout.write(powerText(datasetPower(dataset.samples, columns, options), options, format))
}

import { Command } from 'commander'
import { type TableFormat } from '../../lib/table/columns.ts'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'
import { formatOption } from './options.ts'
import { parseList, shareOf } from './parsers.ts'

interface PowerCommandOptions extends DatasetSourceOptions {
  by: string[]
  accuracy: number
  difference: number
  format: TableFormat
}

/**
 * Builds the command `geogap power`.
 *
 * @example
 *     geogap power geode --data data
 */
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

async function run(name: string, options: PowerCommandOptions): Promise<void> {
  const { readDatasetPower } = await import('../../analysis/power.ts')
  const { answersText } = await import('../print/answer.ts')
  const { powerAnswer } = await import('../print/power.ts')
  const rows = await readDatasetPower({ name, ...datasetSpecOf(options) }, options.by, options)
  process.stdout.write(answersText([powerAnswer(rows, options)], options.format))
}

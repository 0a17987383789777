import { Command } from 'commander'
import { type Format } from '../report/tables.ts'
import { format, several, wholeNumber } from './options.ts'

interface Options {
  by?: string[]
  format: Format
  minN: number
}

export function command(): Command {
  return new Command('table')
    .description(
      'Accuracy by any column or pair of columns with 95 % Wilson intervals, and the disparity between groups.',
    )
    .argument('<dir>', 'folder of results')
    .option('--by <columns...>', 'region, country, income, label or any column of the data set', several)
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .option(
      '--min-n <n>',
      'groups with fewer images are left out of the disparity and listed',
      wholeNumber('--min-n'),
      30,
    )
    .addHelpText('after', '\nExample:\n  geogap table results --by region --format markdown')
    .action(async (dir: string, options: Options) => run(dir, options))
}

async function run(dir: string, { by = [], format, minN }: Options): Promise<void> {
  const { openRun } = await import('../run.ts')
  const { accuracyTable, disparityTable } = await import('../report/resultTables.ts')
  const stored = await openRun(dir)
  process.stdout.write(accuracyTable(stored, by, format))
  if (by.length === 1 && (format === 'text' || format === 'markdown'))
    process.stdout.write(`\n${disparityTable(stored, by[0]!, minN, format)}`)
}

import { Command } from 'commander'
import { type TableFormat } from '../../lib/table/columns.ts'
import { jsonText } from '../../lib/table/text.ts'
import { excludeOption, type ExcludeOptions, formatOption, withoutUndefined } from './options.ts'
import { wholeNumber } from './parsers.ts'

interface HistoryCommandOptions extends ExcludeOptions {
  name?: string
  by?: string
  minN: number
  format: TableFormat
}

/**
 * Builds the command `geogap history`.
 *
 * @example
 *     geogap history results
 */
export function command(): Command {
  return new Command('history')
    .description(
      'Accuracy, worst group and disparity of every stored evaluation in the order of time, by their tags.',
    )
    .argument('<dirs...>', 'folders of results')
    .option('--name <tag>', 'the tag that names the lines (default: the one that most have)')
    .option(
      '--by <column>',
      'groups: region, country or any column (default: region, else country)',
    )
    .option('--min-n <n>', 'groups with fewer images are left out', wholeNumber('--min-n'), 30)
    .addOption(formatOption())
    .addOption(excludeOption())
    .addHelpText(
      'after',
      '\nExamples:\n  geogap evaluate --model model.json --dataset geode --tag commit=3fa9c1 --out results\n  geogap history results',
    )
    .action(async (dirs: string[], { name, by, minN, format, exclude }: HistoryCommandOptions) => {
      const { readHistory } = await import('../../analysis/history.ts')
      const { answersText } = await import('../print/answer.ts')
      const { historyAnswer, historyTable } = await import('../print/history.ts')
      const { tablesJson } = await import('../../lib/table/write.ts')
      const rows = await readHistory(dirs, { minN, ...withoutUndefined({ by, exclude }) })
      const answer = historyAnswer(rows, minN, name)
      process.stdout.write(
        format === 'json'
          ? jsonText(tablesJson([historyTable(answer)]))
          : answersText([answer], format),
      )
    })
}

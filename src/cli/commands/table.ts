import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type Table } from '../../lib/table/table.ts'
import { type OutputFormat } from '../../lib/table/write.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { excludeOption, type ExcludeOptions, preprocessingOption } from './options.ts'
import { oneOf, parseOutputFormat, parseList, wholeNumber } from './parsers.ts'

interface TableCommandOptions extends ExcludeOptions {
  by?: string[]
  disparity: boolean
  paper?: string
  plugin?: string
  preprocessing?: PreprocessingMode
  format?: OutputFormat
  output?: string
  minN: number
  seed: number
  draws: number
}

/**
 * Builds the command `geogap table`.
 *
 * @example
 *     geogap table results --by region --format markdown
 */
export function command(): Command {
  return new Command('table')
    .description(
      'Accuracy by any column or pair of columns with 95 % intervals and the disparity between groups, ' +
        "or one of the paper's tables beside the paper's numbers, or an own metric.",
    )
    .argument(
      '<dir>',
      'folder of results, or the word published for accuracies that others published',
    )
    .option(
      '--by <columns...>',
      'region, country, income, label or any column of the data set',
      parseList,
    )
    .option(
      '--disparity',
      'the disparity between groups alone (CSV, LaTeX and Parquet hold one table)',
      false,
    )
    .option(
      '--paper <table>',
      "a table of the paper's: 1, 2, 3, 4, 8, 9, testbed, classmaps or claims",
    )
    .option('--plugin <file>', 'a module whose default export is {name, columns, rows(run)}')
    .addOption(preprocessingOption('for --paper'))
    .option(
      '--format <format>',
      'text, markdown, csv, json, latex or parquet (default: as -o ends)',
      parseOutputFormat,
    )
    .option('-o, --output <file>', 'write to a file')
    .option(
      '--min-n <n>',
      'groups with fewer images are left out of the disparity and listed',
      wholeNumber('--min-n'),
      30,
    )
    .option('--seed <n>', 'of everything random', wholeNumber('--seed', 0), 1)
    .option('--draws <n>', 'draws of permutations and bootstraps', wholeNumber('--draws'), 1000)
    .addOption(excludeOption())
    .addHelpText('after', '\nExample:\n  geogap table results --by region --format markdown')
    .action(async (dir: string, options: TableCommandOptions) => run(dir, options))
}

async function run(dir: string, options: TableCommandOptions): Promise<void> {
  const { chooseFormat, isSingleTableFormat, writeTables } =
    await import('../../lib/table/write.ts')
  const format = chooseFormat(options.format, options.output)
  await writeTables(
    await tablesOf(dir, options, isSingleTableFormat(format)),
    format,
    options.output,
  )
}

async function tablesOf(dir: string, options: TableCommandOptions, one: boolean): Promise<Table[]> {
  const { by = [], disparity, paper, plugin, minN, seed, draws, preprocessing } = options
  if (dir === 'published') {
    const { publishedTable } = await import('../../analysis/paper/publishedTable.ts')
    return [publishedTable()]
  }
  const { openRun, openRunByColumns } = await import('../../results/run.ts')
  const { groupAccuracyTable, importedTable, inferenceTable } =
    await import('../../report/page/resultTables.ts')
  const { estimateTable } = await import('../../report/page/estimateTable.ts')
  if (paper !== undefined) {
    const { paperComparison, paperTables } = await import('../../analysis/paper/index.ts')
    const which = oneOf('--paper', paperTables)(paper)
    const chosen = preprocessing === undefined ? {} : { preprocessing }
    return [
      await paperComparison(await openRun(dir, options.exclude), which, {
        minN,
        seed,
        draws,
        ...chosen,
      }),
    ]
  }
  const { readImportedAccuracies } = await import('../../results/importedAccuracies.ts')
  if (plugin !== undefined) {
    const { readPluginTable } = await import('../../analysis/plugin.ts')
    return [await readPluginTable(plugin, await openRun(dir, options.exclude))]
  }
  const stored = await openRunByColumns(dir, { columns: by, exclude: options.exclude })
  if (disparity && by.length !== 1)
    throw inputError('bad-option', `--disparity takes one column after --by, not ${by.length}`)
  const wanted = by.length === 1 && (disparity || !one)
  const tables = disparity ? [] : [groupAccuracyTable(stored, by)]
  const imported = by.length === 0 && !one ? await readImportedAccuracies(dir) : []
  if (imported.length > 0) tables.push(importedTable(imported))
  if (!one && !disparity && stored.estimates.length > 0)
    tables.push(estimateTable(stored.estimates))
  if (!wanted) return tables
  const { inferDisparities } = await import('../../analysis/disparityInference.ts')
  return [
    ...tables,
    inferenceTable(await inferDisparities(stored, { by: by[0]!, minN, seed, draws }), by[0]!),
  ]
}

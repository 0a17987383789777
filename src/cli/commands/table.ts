import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type Exported } from '../../lib/table/table.ts'
import { type OutputFormat } from '../../lib/table/write.ts'
import { type Mode } from '../../lib/pixels/steps.ts'
import {
  excludeOption,
  type Excluding,
  oneOf,
  outputFormat,
  preprocessingOption,
  several,
  wholeNumber,
} from './options.ts'

interface Options extends Excluding {
  by?: string[]
  disparity: boolean
  paper?: string
  plugin?: string
  preprocessing?: Mode
  format?: OutputFormat
  output?: string
  minN: number
  seed: number
  draws: number
}

export function command(): Command {
  return new Command('table')
    .description(
      'Accuracy by any column or pair of columns with 95 % intervals and the disparity between groups, ' +
        "or one of the paper's tables beside the paper's numbers, or an own metric.",
    )
    .argument('<dir>', 'folder of results, or the word published for accuracies that others published')
    .option('--by <columns...>', 'region, country, income, label or any column of the data set', several)
    .option('--disparity', 'the disparity between groups alone (CSV, LaTeX and Parquet hold one table)', false)
    .option('--paper <table>', "a table of the paper's: 1, 2, 3, 4, 8, 9, testbed, classmaps or claims")
    .option('--plugin <file>', 'a module whose default export is {name, columns, rows(run)}')
    .addOption(preprocessingOption('for --paper'))
    .option('--format <format>', 'text, markdown, csv, json, latex or parquet (default: as -o ends)', outputFormat)
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
    .action(async (dir: string, options: Options) => run(dir, options))
}

async function run(dir: string, options: Options): Promise<void> {
  const { chosenFormat, single, writeTables } = await import('../../lib/table/write.ts')
  const format = chosenFormat(options.format, options.output)
  await writeTables(await tablesOf(dir, options, single(format)), format, options.output)
}

async function tablesOf(dir: string, options: Options, one: boolean): Promise<Exported[]> {
  const { by = [], disparity, paper, plugin, minN, seed, draws, preprocessing } = options
  if (dir === 'published') {
    const { publishedTable } = await import('../../analysis/paper/publishedTable.ts')
    return [publishedTable({ seed, draws })]
  }
  const { openRun } = await import('../../results/run.ts')
  const { accuracyExport, importedExport, inferenceTable } = await import('../../report/page/resultTables.ts')
  const { estimateExport } = await import('../../report/page/estimateTable.ts')
  if (paper !== undefined) {
    const { paperComparison, paperTables } = await import('../../analysis/paper/index.ts')
    const which = oneOf('--paper', paperTables)(paper)
    const chosen = preprocessing === undefined ? {} : { preprocessing }
    return [await paperComparison(await openRun(dir, options.exclude), which, { minN, seed, draws, ...chosen })]
  }
  const { readImported } = await import('../../results/imported.ts')
  const stored = await openRun(dir, options.exclude, plugin === undefined ? by : undefined)
  if (plugin !== undefined) {
    const { pluginTable } = await import('../../analysis/plugin.ts')
    return [await pluginTable(plugin, stored)]
  }
  if (disparity && by.length !== 1)
    throw inputError('bad-option', `--disparity takes one column after --by, not ${by.length}`)
  const wanted = by.length === 1 && (disparity || !one)
  const tables = disparity ? [] : [accuracyExport(stored, by)]
  const imported = by.length === 0 && !one ? await readImported(dir) : []
  if (imported.length > 0) tables.push(importedExport(imported))
  if (!one && !disparity && stored.estimates.length > 0) tables.push(estimateExport(stored.estimates))
  if (!wanted) return tables
  const { inferDisparities } = await import('../../analysis/disparityInference.ts')
  return [...tables, inferenceTable(await inferDisparities(stored, { by: by[0]!, minN, seed, draws }), by[0]!)]
}

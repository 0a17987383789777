import { inputError, unknownNameError } from '../../lib/errors.ts'
import { type Table } from '../../lib/table/table.ts'
import {
  type GroupMetricName,
  groupMetricNames,
  outcomeMetricNames,
} from '../../results/metricNames.ts'
import { type ChooseEvaluations, type Run } from '../../results/run.ts'
import { defineCommand, type InputValues, pick } from './command.ts'
import {
  arrangeOptions,
  excludeOption,
  metricOption,
  minNOption,
  modelsOption,
  preprocessingOption,
  resultsOrPublished,
  tableFileFormatOption,
} from './options.ts'
import { list, oneOf, wholeNumber } from './parsers.ts'
import { printNote } from './terminal.ts'

const options = {
  '--by <columns...>': {
    text: 'region, country, income, label or any column of the data set',
    parse: list,
  },
  '--disparity':
    'the disparity between groups alone (CSV, TSV, JSONL, LaTeX and Parquet hold one table)',
  '--paper <table>': "a table of the paper's: 1, 2, 3, 4, 8, 9, testbed, classmaps or claims",
  '--plugin <file>': 'a module whose default export is {name, columns, rows(run)}',
  ...preprocessingOption('(default: all; for --paper that of the paper)'),
  ...modelsOption('only these models (default: all)'),
  ...tableFileFormatOption,
  '-o, --output <file>': 'write to a file',
  ...minNOption('are left out of the disparity and listed'),
  '--seed <n>': { text: 'of everything random', parse: wholeNumber(0), default: 1 },
  '--draws <n>': {
    text: 'draws of permutations',
    parse: wholeNumber(),
    default: 1000,
  },
  ...metricOption(
    'top1, top5, mrr, probability (of the right class), or of groups: macro, calibration, worst, cvar, recall, confusion, adjusted (for what was photographed), shrunken, income',
    groupMetricNames,
  ),
  ...arrangeOptions,
  ...excludeOption,
}

type Inputs = InputValues<typeof options>

export const command = defineCommand({
  name: 'table',
  text:
    'Accuracy by any column or pair of columns with 95 % intervals and the disparity between groups, ' +
    "or one of the paper's tables beside the paper's numbers, or an own metric.",
  arguments: resultsOrPublished,
  options,
  examples: ['geogap table results --by region --format markdown'],
  run: async ({ dir, ...options }) => {
    const { chooseFormat, isSingleTableFormat, writeTables } =
      await import('../../lib/table/writeTables.ts')
    const format = chooseFormat(options.format, options.output)
    const { arrangeTables } = await import('../../lib/table/table.ts')
    const all = await tablesOf(dir, options, isSingleTableFormat(format))
    const only = await chosenRows(all, options)
    const tables = arrangeTables(all, { ...pick(options, ['columns', 'sort']), only })
    await writeTables(tables, format, options.output)
    if (!['text', 'markdown', 'json', 'html', 'latex'].includes(format))
      tables.flatMap(({ notes }) => notes).forEach(printNote)
  },
})

/** Returns the models and the preprocessing that rows must have. Errors: unknown-model, unknown-preprocessing. */
async function chosenRows(
  tables: readonly Table[],
  { models, preprocessing, paper }: Inputs,
): Promise<Record<string, readonly string[]>> {
  const { findModelNames } = await import('../../models/findModelName.ts')
  const valuesOf = (name: string): string[] => [
    ...new Set(
      tables.flatMap(({ columns, values }) => {
        const at = columns.findIndex(column => column.name === name)
        return at < 0 ? [] : values.map(row => String(row[at]))
      }),
    ),
  ]
  const only: Record<string, readonly string[]> = {}
  if (models !== undefined) only['model'] = findModelNames(models, valuesOf('model'))
  if (preprocessing !== undefined && paper === undefined) {
    const known = valuesOf('preprocessing')
    if (!known.includes(preprocessing))
      throw unknownNameError('preprocessing', preprocessing, known)
    only['preprocessing'] = [preprocessing]
  }
  return only
}

/** Returns a choice of the evaluations of the models and, if some have it, the preprocessing asked for. Errors: unknown-model. */
async function evaluationChoice({ models, preprocessing }: Inputs): Promise<ChooseEvaluations> {
  const { findModelNames } = await import('../../models/findModelName.ts')
  const { distinctFieldValues } = await import('../../results/storedEvaluations.ts')
  return entries => {
    const names = models && findModelNames(models, distinctFieldValues(entries, 'model'))
    const ofModels = entries.filter(({ identity }) => names?.includes(identity.model) ?? true)
    const both = ofModels.filter(({ identity }) => identity.preprocessing === preprocessing)
    return both.length > 0 ? both : ofModels
  }
}

/** Adds notes to the tables: images left out of the data sets, and stored results that cannot be used. */
async function withLeftOut(run: Run, tables: readonly Table[]): Promise<Table[]> {
  const { unusableNotes } = await import('../../results/unusableResults.ts')
  const { leftOutNotes } = await import('../../results/leftOutImages.ts')
  const { countsNotes } = await import('../../results/schema.ts')
  const found = [...leftOutNotes(run), ...countsNotes(run.entries), ...unusableNotes(run.failures)]
  return tables.map(table => ({ ...table, notes: [...new Set([...table.notes, ...found])] }))
}

async function tablesOf(dir: string, options: Inputs, isSingle: boolean): Promise<Table[]> {
  const { by = [], disparity, paper, plugin } = options
  const how = pick(options, ['minN', 'seed', 'draws', 'preprocessing'])
  if (dir === 'published') {
    const { publishedTable } = await import('../../analysis/paper/publishedTable.ts')
    return [publishedTable()]
  }
  const { openRun, openRunByColumns } = await import('../../results/run.ts')
  if (paper !== undefined) {
    const { paperComparison, paperTables } = await import('../../analysis/paper/index.ts')
    const which = oneOf(paperTables)(paper, '--paper')
    const run = await openRun(dir, options.exclude)
    return withLeftOut(run, [await paperComparison(run, which, how)])
  }
  if (plugin !== undefined) {
    const { readPluginTable } = await import('../../analysis/plugin.ts')
    const run = await openRun(dir, options.exclude)
    return withLeftOut(run, [await readPluginTable(plugin, run)])
  }
  if (disparity && by.length !== 1)
    throw inputError('bad-option', `--disparity takes one column after --by, not ${by.length}`)
  const metric = options.metric ?? 'top1'
  const groupMetric = groupMetricNames.find(name => name === metric)
  if (groupMetric) return groupMetricTables(dir, groupMetric, options)
  const { groupAccuracyTable, importedTable, inferenceTable } =
    await import('../../report/tables/accuracyTables.ts')
  const outcome = outcomeMetricNames.find(name => name === metric)!
  const run = await openRunByColumns(dir, {
    columns: by,
    exclude: options.exclude,
    metric: outcome,
    // Accuracies without images, which stand beside those of all images, may be of models that have no evaluation.
    ...(by.length > 0 && { choose: await evaluationChoice(options) }),
  })
  const tables = disparity ? [] : [groupAccuracyTable(run, by, outcome)]
  if (!disparity && !isSingle) {
    const { readImportedAccuracies } = await import('../../results/importedAccuracies.ts')
    const { estimateTable } = await import('../../report/tables/estimateTable.ts')
    const imported = by.length === 0 ? await readImportedAccuracies(dir) : []
    if (imported.length > 0) tables.push(importedTable(imported))
    if (run.estimates.length > 0) tables.push(estimateTable(run.estimates))
  }
  const [column] = by
  if (column !== undefined && by.length === 1 && (disparity || !isSingle)) {
    const { inferDisparities } = await import('../../analysis/inferDisparities.ts')
    tables.push(
      inferenceTable(await inferDisparities(run, { ...how, by: column }), column, outcome),
    )
  }
  return withLeftOut(run, tables)
}

/** Returns the table of a metric of groups. Errors: bad-option. */
async function groupMetricTables(
  dir: string,
  metric: GroupMetricName,
  options: Inputs,
): Promise<Table[]> {
  const { by = [], exclude, disparity, minN } = options
  const isOneColumn = ['worst', 'cvar', 'adjusted', 'income'].includes(metric)
  if (disparity || (isOneColumn && by.length !== 1))
    throw inputError(
      'bad-option',
      disparity
        ? `--disparity is of metrics that are means over images (${outcomeMetricNames.join(', ')}), not of ${metric}`
        : `--metric ${metric} takes one column after --by, not ${by.length}`,
    )
  const { checkColumn, openRunByColumns } = await import('../../results/run.ts')
  const { groupMetricTable } = await import('../../report/tables/metricTables.ts')
  const needsLabel = ['macro', 'recall', 'confusion'].includes(metric) && !by.includes('label')
  const columns = needsLabel ? [...by, 'label'] : by
  const choose = await evaluationChoice(options)
  const run = await openRunByColumns(dir, { columns, exclude, choose })
  for (const column of by) checkColumn(run, column)
  return withLeftOut(run, [await groupMetricTable(run, metric, { by, minN })])
}

import { basename } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { type Dataset } from '../../datasets/dataset.ts'
import { type RawTable } from '../../datasets/readTable.ts'
import { answerProtocols, type ClassAlias } from '../../evaluate/import/answers.ts'
import { defineCommand, type InputValues } from './command.ts'
import { datasetOptions, datasetSpecOf, preprocessingOption, tagOption } from './options.ts'
import { folder, oneOf } from './parsers.ts'

const preprocessing = preprocessingOption('of predictions')['--preprocessing <mode>']

const options = {
  '--out <dir>': { text: 'folder of results', parse: folder },
  '--dataset <name>':
    'the data set that the ids of predictions, or counts without a column dataset, are of',
  ...datasetOptions,
  '--model <name>': 'the model that made predictions, or counts without a column model',
  '--preprocessing <mode>': { ...preprocessing, default: 'native' },
  '--protocol <name>': {
    text: `how free-text answers become classes: ${answerProtocols.join(' or ')}`,
    parse: oneOf(answerProtocols),
    default: 'first-mention',
  },
  '--aliases <file>':
    'further names of classes in free-text answers: a table with the columns class and alias',
  '--partial': 'take predictions that miss some images; those count as failed',
  ...tagOption,
  '--example <framework>': {
    text: 'print a script that makes predictions: pytorch',
    parse: oneOf(['pytorch']),
  },
}

type Inputs = InputValues<typeof options>

export const command = defineCommand({
  name: 'import',
  text:
    "Take in accuracies (timm's results-*.csv, OpenCLIP's openclip_results.csv, or model,benchmark,accuracy,n), " +
    'counts by group (model, dataset, country, n, correct) or per-image predictions (id with top5, logits or a free-text answer) that were made elsewhere.',
  arguments: { '[files...]': 'CSV or Parquet files' },
  options,
  examples: [
    'geogap import results-imagenet.csv results-sketch.csv --out results',
    'geogap import clip-by-country.csv --model clip:ViT-B-32/openai --dataset dollarstreet --out results',
  ],
  run: async ({ files, ...options }) => {
    if (options.example !== undefined) {
      const { pytorchScript } = await import('../print/pytorchScript.ts')
      process.stdout.write(pytorchScript(await openIdDataset(options), options.dataset))
      return
    }
    const { out } = options
    if (files.length === 0)
      throw inputError('bad-usage', 'no file to import; see geogap import --help')
    if (out === undefined) throw inputError('bad-usage', 'no --out to import into')
    const names = files.map(file => basename(file))
    const twice = names.find((name, i) => names.indexOf(name) < i)
    if (twice !== undefined)
      throw inputError(
        'same-name',
        `two files are called ${twice}, and one would replace the other: rename it`,
      )
    const { readTable } = await import('../../datasets/readTable.ts')
    for (const file of files) {
      const done = await importFile(file, await readTable(file), { ...options, out })
      process.stdout.write(`${file}: ${done}\n`)
    }
  },
})

/** Imports accuracies, counts by group or predictions, and prints how many. */
async function importFile(
  file: string,
  table: RawTable,
  options: Inputs & { out: string },
): Promise<string> {
  const { readAccuracies } = await import('../../evaluate/import/accuracies.ts')
  const { out, model, tag: tags } = options
  const { columns } = table
  const hasPredictions =
    columns.includes('id') && ['top5', 'logits', 'answer'].some(name => columns.includes(name))
  if (!hasPredictions) {
    const { readGroupCounts } = await import('../../evaluate/import/countTables.ts')
    const dataset = options.dataset ?? basename(file).replace(/(\.\w{1,7})?\.\w+$/, '')
    const counts = readGroupCounts(table, { file, model, dataset })
    if (counts) {
      const { importGroupCounts } = await import('../../evaluate/import/counts.ts')
      return importGroupCounts(counts, { ...options, file })
    }
  }
  const found = readAccuracies(file, table)
  if (found) {
    if (tags)
      throw inputError('bad-option', `--tag names a run of predictions; ${file} holds accuracies`)
    const { atOneSize, recordImportedAccuracies } =
      await import('../../results/importedAccuracies.ts')
    const { format, rows, repeated } = found
    const source = basename(file)
    const created = new Date().toISOString()
    await recordImportedAccuracies(out, source, { schema: 1, format, source, created, rows })
    const used = atOneSize(rows)
    return [
      `${rows.length} accuracies (${format})`,
      ...(used.length < rows.length
        ? [
            `${rows.length - used.length} of them at another image size of a model than the one that is used: that which most of its benchmarks have, of equally many the smallest`,
          ]
        : []),
      ...(repeated.length > 0
        ? [`${repeated.length} repeated rows left out: ${repeated.join(', ')}`]
        : []),
    ].join('; ')
  }
  if (!hasPredictions)
    throw inputError(
      'unknown-import',
      `unknown kind of table: ${file}; it needs model,benchmark,accuracy, or a column of groups such as country with n and correct (or accuracy), or id with top5, logits or answer, not ${columns.join(', ')}`,
    )
  if (model === undefined)
    throw inputError('bad-usage', `${file} holds predictions: --model is needed`)
  const { importPredictions, coverageText } = await import('../../evaluate/import/predictions.ts')
  const { preprocessing, partial = false, protocol } = options
  const dataset = await openIdDataset(options)
  const aliases = await readAliasFile(options, dataset)
  const asked = { file, model, preprocessing, partial, protocol, aliases, out, tags }
  return coverageText(await importPredictions(dataset, table, asked))
}

async function readAliasFile({ aliases }: Inputs, { classes }: Dataset): Promise<ClassAlias[]> {
  if (aliases === undefined) return []
  const { readTable } = await import('../../datasets/readTable.ts')
  const { readAliases } = await import('../../evaluate/import/answers.ts')
  return readAliases(await readTable(aliases), classes)
}

async function openIdDataset({ dataset, ...options }: Inputs): Promise<Dataset> {
  if (dataset === undefined) throw inputError('bad-usage', 'no --dataset to hold the ids against')
  const { openDataset } = await import('../../datasets/open.ts')
  return openDataset({ name: dataset, ...datasetSpecOf(options) })
}

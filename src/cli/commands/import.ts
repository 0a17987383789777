import { basename } from 'node:path'
import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type Dataset } from '../../datasets/dataset.ts'
import { type RawTable } from '../../datasets/tables.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'
import { preprocessingOption, type TagOptions, tagOption } from './options.ts'
import { folder, oneOf } from './parsers.ts'

interface ImportCommandOptions extends DatasetSourceOptions, TagOptions {
  out?: string
  dataset?: string
  model?: string
  preprocessing: PreprocessingMode
  partial: boolean
  example?: 'pytorch'
}

/**
 * Builds the command `geogap import`.
 *
 * @example
 *     geogap import results-imagenet.csv results-sketch.csv --out results
 */
export function command(): Command {
  const command = new Command('import')
    .description(
      "Take in accuracies (timm's results-*.csv, OpenCLIP's openclip_results.csv, or model,benchmark,accuracy,n) " +
        'or per-image predictions (id with top5 or logits) that were made elsewhere.',
    )
    .argument('[files...]', 'CSV or Parquet files')
    .option('--out <dir>', 'folder of results', folder('--out'))
    .option('--dataset <name>', 'of predictions: the data set that their ids are of')
  return addDatasetOptions(command)
    .option('--model <name>', 'of predictions: the model that made them')
    .addOption(preprocessingOption('of predictions').default('native'))
    .option('--partial', 'take predictions that miss some images; those count as failed', false)
    .addOption(tagOption())
    .option(
      '--example <framework>',
      'print a script that makes predictions: pytorch',
      oneOf('--example', ['pytorch']),
    )
    .addHelpText(
      'after',
      '\nExample:\n  geogap import results-imagenet.csv results-sketch.csv --out results',
    )
    .action(run)
}

async function run(files: readonly string[], options: ImportCommandOptions): Promise<void> {
  if (options.example !== undefined) {
    const { pytorchScript } = await import('../print/pytorchScript.ts')
    process.stdout.write(pytorchScript(await openIdDataset(options), options.dataset))
    return
  }
  const { out } = options
  if (files.length === 0)
    throw inputError('bad-usage', 'no file to import; see geogap import --help')
  if (out === undefined) throw inputError('bad-usage', 'no --out to import into')
  const twice = files.find((file, i) =>
    files.slice(0, i).some(other => basename(other) === basename(file)),
  )
  if (twice !== undefined)
    throw inputError(
      'same-name',
      `two files are called ${basename(twice)}, and one would replace the other: rename it`,
    )
  const { readTable } = await import('../../datasets/tables.ts')
  for (const file of files)
    process.stdout.write(`${await importFile(file, await readTable(file), { ...options, out })}\n`)
}

async function importFile(
  file: string,
  table: RawTable,
  options: ImportCommandOptions & { out: string },
): Promise<string> {
  const { readAccuracies } = await import('../../evaluate/import/accuracies.ts')
  const found = readAccuracies(file, table)
  if (found) {
    if (options.tag)
      throw inputError('bad-option', `--tag names a run of predictions; ${file} holds accuracies`)
    const { recordImportedAccuracies } = await import('../../results/importedAccuracies.ts')
    const { format, rows, repeated } = found
    const created = new Date().toISOString()
    await recordImportedAccuracies(options.out, basename(file), {
      schema: 1,
      format,
      source: basename(file),
      created,
      rows,
    })
    return `${file}: ${rows.length} accuracies (${format})${repeated > 0 ? `, ${repeated} repeated rows left out` : ''}`
  }
  if (
    !table.columns.includes('id') ||
    !['top5', 'logits'].some(name => table.columns.includes(name))
  )
    throw inputError(
      'unknown-import',
      `unknown kind of table: ${file}; it needs model,benchmark,accuracy, or id with top5 or logits, not ${table.columns.join(', ')}`,
    )
  if (options.model === undefined)
    throw inputError('bad-usage', `${file} holds predictions: --model is needed`)
  const { importPredictions, coverageText } = await import('../../evaluate/import/predictions.ts')
  const { out, model, preprocessing, partial, tag: tags } = options
  const asked = { file, model, preprocessing, partial, out, tags }
  const report = await importPredictions(await openIdDataset(options), table, asked)
  return `${file}: ${coverageText(report)}`
}

async function openIdDataset({ dataset, ...options }: ImportCommandOptions): Promise<Dataset> {
  if (dataset === undefined) throw inputError('bad-usage', 'no --dataset to hold the ids against')
  const { openDataset } = await import('../../datasets/open.ts')
  return openDataset({ name: dataset, ...datasetSpecOf(options) })
}

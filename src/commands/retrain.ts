import { Command } from 'commander'
import { inputError } from '../errors.ts'
import { type SplitProtocol, splitProtocols } from '../experiments/splits.ts'
import { type Device, devices } from '../inference/devices.ts'
import { type Mode } from '../preprocessing/steps.ts'
import { type Format } from '../report/tables.ts'
import { addDatasetOptions, type DatasetOptions, opening } from './datasetOptions.ts'
import { format, given, oneOf, percents, positive, several, wholeNumber } from './options.ts'

interface Options extends DatasetOptions {
  model?: string
  features?: string[]
  train: string
  eval?: string[]
  split: SplitProtocol
  fractions?: number[]
  seeds: number
  epochs?: number
  rate?: number
  minN: number
  preprocessing?: Mode
  device?: Device
  out: string
  format: Format
}

export function command(): Command {
  const retrain = new Command('retrain')
    .description("Retrain a model's last layer on features that are computed once (section 6.3, tables 4 and 9).")
    .option('--model <name>', 'any model that gives features: of the catalogue, hf:OWNER/REPO, a model.json')
    .option('--features <folder...>', 'kept features (OUT/features/…) instead of a model and images')
    .requiredOption('--train <name>', 'training data: dollarstreet:train, a manifest, a folder')
    .option('--eval <names>', 'evaluated on (default: the test part of the training data)', several)
    .option('--split <protocol>', splitProtocols.join(', '), oneOf('--split', splitProtocols), 'household')
    .option('--fractions <percents>', 'of the training images (default: 5,10,25,50,75,100)', percents('--fractions'))
    .option('--seeds <n>', 'runs of each', wholeNumber('--seeds'), 3)
    .option('--epochs <n>', 'passes over the data (default: 5)', wholeNumber('--epochs'))
    .option('--rate <rate>', "Adam's learning rate (default: 1e-5)", positive('--rate'))
    .option('--min-n <n>', 'smallest region in a disparity', wholeNumber('--min-n'), 30)
    .option(
      '--preprocessing <mode>',
      'native or paper (default: native)',
      oneOf('--preprocessing', ['native', 'paper']),
    )
    .option('--device <name>', 'cpu, cuda or coreml, for the features (default: cpu)', oneOf('--device', devices))
  return addDatasetOptions(retrain)
    .option('--out <dir>', 'folder for features, heads and results', 'geogap-results')
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .addHelpText(
      'after',
      '\nExample:\n  geogap retrain --model vit_base_patch16_224 --train dollarstreet:train --eval dollarstreet:test,geode --seeds 3',
    )
    .action(async (options: Options) => run(options))
}

async function run(options: Options): Promise<void> {
  const { model, features, train, fractions, seeds, epochs, rate, minN, preprocessing, device, out } = options
  if ((model === undefined) === (features === undefined))
    throw inputError('bad-usage', 'give either --model NAME or --features FOLDER')
  const { retraining } = await import('../experiments/retraining.ts')
  const { studyTable } = await import('../report/studyTable.ts')
  const { progressPrinter, transferPrinter } = await import('./progress.ts')
  const { durationText } = await import('../report/text.ts')
  const started = performance.now()
  const done = await retraining({
    ...given({ model, features, fractions, epochs, rate, preprocessing, device }),
    ...{ train, evals: options.eval ?? [], split: options.split, open: opening(options), seeds, minN, out },
    onProgress: progressPrinter(),
    onDownload: transferPrinter(),
    onHead: (fraction, seed, { images, losses }) =>
      process.stderr.write(
        `${Math.round(100 * fraction)} %, seed ${seed}: ${images} images, loss ${losses[0]!.toFixed(3)} to ${losses.at(-1)!.toFixed(3)}, after ${durationText((performance.now() - started) / 1000)}\n`,
      ),
  })
  process.stdout.write(studyTable(done.rows, 'training images', options.format))
  for (const note of done.notes) process.stderr.write(`note: ${note}\n`)
  for (const head of done.heads) process.stderr.write(`head: ${head}\n`)
  process.stderr.write(`next: geogap evaluate --model ${done.heads[0]!} …, geogap table ${out} --paper 4\n`)
}

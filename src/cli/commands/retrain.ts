import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import {
  addDeviceOption,
  addExperimentOptions,
  addTrainingOptions,
  type DeviceOptions,
  trainingOptionsOf,
  type TrainingBaseOptions,
} from './experimentOptions.ts'
import { withoutUndefined } from './options.ts'
import { printNote, progressPrinter, transferPrinter } from './progress.ts'

interface RetrainCommandOptions extends TrainingBaseOptions, DeviceOptions {
  model?: string
  features?: string[]
  fractions?: number[]
}

/**
 * Builds the command `geogap retrain`.
 *
 * @example
 *     geogap retrain --model vit_base_patch16_224 --train dollarstreet:train --eval dollarstreet:test
 */
export function command(): Command {
  const retrain = new Command('retrain')
    .description(
      "Retrain a model's last layer on features that are computed once (section 6.3, tables 4 and 9).",
    )
    .option(
      '--model <name>',
      'any model that gives features: of the catalogue, hf:OWNER/REPO, a model.json',
    )
    .option(
      '--features <folder...>',
      'instead of images: OUT/features, or results of evaluate --keep features',
    )
  addTrainingOptions(retrain, {
    ...{ training: 'training data', seeds: 3, epochs: 5 },
    settings: ['fractions', 'of the training images (default: 5,10,25,50,75,100)'],
  })
  return addExperimentOptions(
    addDeviceOption(retrain, 'features'),
    'features, heads',
    '  geogap retrain --model vit_base_patch16_224 --train dollarstreet:train --eval dollarstreet:test,geode --seeds 3',
  ).action(async (options: RetrainCommandOptions) => run(options))
}

async function run(options: RetrainCommandOptions): Promise<void> {
  const { model, features, fractions, device, out } = options
  if (model === undefined && features === undefined)
    throw inputError('bad-usage', 'give --model NAME, --features FOLDER, or both')
  const { runRetraining } = await import('../../experiments/retraining.ts')
  const { studyTable } = await import('../print/study.ts')
  const { durationText, shellWord } = await import('../../lib/table/text.ts')
  const started = performance.now()
  const done = await runRetraining({
    ...withoutUndefined({ model, features, fractions, device }),
    ...trainingOptionsOf(options),
    onProgress: progressPrinter(),
    onDownload: transferPrinter(),
    onHead: (fraction, seed, { images, losses }) =>
      printNote(
        `${Math.round(100 * fraction)} %, seed ${seed}: ${images} images, loss ${losses[0]!.toFixed(3)} to ${losses.at(-1)!.toFixed(3)}, after ${durationText((performance.now() - started) / 1000)}`,
      ),
  })
  process.stdout.write(studyTable(done.rows, 'training images', options.format))
  for (const text of done.notes) printNote(`note: ${text}`)
  for (const head of done.heads) printNote(`head: ${head}`)
  printNote(
    `next: geogap evaluate --model ${shellWord(done.heads[0]!)} …, geogap table ${shellWord(out)} --paper 4`,
  )
}

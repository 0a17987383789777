import { inputError } from '../../lib/errors.ts'
import { defineCommand, pick } from './command.ts'
import { experimentOptions, trainingOptions, trainingSettingsOf } from './experimentOptions.ts'
import { deviceOption } from './options.ts'
import { printNote, progressPrinter, transferPrinter } from './terminal.ts'

export const command = defineCommand({
  name: 'retrain',
  text: "Retrain a model's last layer on features that are computed once (section 6.3, tables 4 and 9).",
  options: {
    '--model <name>':
      'any model that gives features: of the catalogue, hf:OWNER/REPO, a model.json',
    '--features <folder...>':
      'instead of images: OUT/features, or results of evaluate --keep features',
    ...trainingOptions('training data', {
      setting: 'fractions',
      text: 'of the training images (default: 5,10,25,50,75,100)',
      seeds: 3,
      epochs: 5,
    }),
    ...deviceOption(', for the features'),
    ...experimentOptions('features, heads'),
  },
  examples: [
    'geogap retrain --model vit_base_patch16_224 --train dollarstreet:train --eval dollarstreet:test,geode --seeds 3',
  ],
  run: async options => {
    if (options.model === undefined && options.features === undefined)
      throw inputError('bad-usage', 'give --model NAME, --features FOLDER, or both')
    const { runRetraining } = await import('../../experiments/retraining.ts')
    const { studyTable } = await import('../print/study.ts')
    const { durationText, shellWord } = await import('../../lib/table/text.ts')
    const started = performance.now()
    const done = await runRetraining({
      ...pick(options, ['model', 'features', 'fractions', 'device']),
      ...trainingSettingsOf(options),
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
      `next: geogap evaluate --model ${shellWord(done.heads[0]!)} …, geogap table ${shellWord(options.out)} --paper 4`,
    )
  },
})

import { Command } from 'commander'
import {
  addExperimentOptions,
  addTrainingOptions,
  trainingOptionsOf,
  type TrainingBaseOptions,
} from './experimentOptions.ts'
import { withoutUndefined } from './options.ts'
import { wholeNumber } from './parsers.ts'
import { printNote, progressPrinter, transferPrinter } from './progress.ts'

interface FinetuneCommandOptions extends TrainingBaseOptions {
  model: string
  shares?: number[]
  size?: number
  batch?: number
  microBatch?: number
}

/**
 * Builds the command `geogap finetune`.
 *
 * @example
 *     geogap finetune --model vit_tiny_patch16_224 --train dollarstreet:train --eval dollarstreet:test --epochs 3
 */
export function command(): Command {
  const finetune = new Command('finetune')
    .description(
      'Fine-tune a whole network on samples of one size with more and more western images (appendix H).',
    )
    .requiredOption('--model <name>', 'a transformer or mixer of the catalogue')
  addTrainingOptions(finetune, {
    ...{ training: 'training data with regions', seeds: 1, epochs: 30 },
    settings: ['shares', 'western shares (default: 50,60,70,80,90,100)'],
  })
    .option(
      '--size <n>',
      'training images of every share (default: as many as all allow)',
      wholeNumber('--size'),
    )
    .option('--batch <n>', 'images in an update (default: 32)', wholeNumber('--batch'))
    .option(
      '--micro-batch <n>',
      'images in a pass (default: what half of the free memory holds)',
      wholeNumber('--micro-batch'),
    )
  return addExperimentOptions(
    finetune,
    'checkpoints',
    '  geogap finetune --model vit_tiny_patch16_224 --train dollarstreet:train --eval dollarstreet:test --epochs 3',
  ).action(async (options: FinetuneCommandOptions) => run(options))
}

async function run(options: FinetuneCommandOptions): Promise<void> {
  const { model, shares, size, batch, microBatch, out } = options
  const { runWesternTraining } = await import('../../experiments/westernTraining.ts')
  const { studyTable } = await import('../print/study.ts')
  const { durationText, percent, shellWord } = await import('../../lib/table/text.ts')
  const done = await runWesternTraining({
    ...withoutUndefined({ shares, size, batch, microBatch }),
    ...{ model, ...trainingOptionsOf(options) },
    onProgress: progressPrinter(),
    onDownload: transferPrinter(),
    onPlan: ({ share, seed }, plan, total) => {
      const left = plan.done === 0 ? '' : `, ${plan.done} done`
      printNote(
        `${percent(share, 0)} % western, seed ${seed}: ${plan.images} images, ${plan.epochs} epochs${left} of ${plan.steps} updates, micro-batches of ${plan.microBatch}`,
      )
      printNote(
        `about ${durationText(plan.seconds)} for this run, ${durationText(total)} for all that are left`,
      )
    },
    onEpoch: ({ share }, epoch, loss) =>
      printNote(`${percent(share, 0)} % western: epoch ${epoch}, loss ${loss.toFixed(3)}`),
  })
  process.stdout.write(studyTable(done.rows, 'western share', options.format))
  for (const text of [`${done.size} training images of every share`, ...done.notes])
    printNote(`note: ${text}`)
  printNote(`next: geogap figure western-share ${shellWord(out)} -o western-share.svg`)
}

import { Command } from 'commander'
import { type SplitProtocol, splitProtocols } from '../experiments/splits.ts'
import { type Mode } from '../preprocessing/steps.ts'
import { type Format } from '../report/tables.ts'
import { addDatasetOptions, type DatasetOptions, opening } from './datasetOptions.ts'
import { format, given, oneOf, percents, positive, several, wholeNumber } from './options.ts'

interface Options extends DatasetOptions {
  model: string
  train: string
  eval?: string[]
  split: SplitProtocol
  shares?: number[]
  size?: number
  seeds: number
  epochs?: number
  batch?: number
  microBatch?: number
  rate?: number
  minN: number
  preprocessing?: Mode
  out: string
  format: Format
}

export function command(): Command {
  const finetune = new Command('finetune')
    .description('Fine-tune a whole network on samples of one size with more and more western images (appendix H).')
    .requiredOption('--model <name>', 'a transformer or mixer of the catalogue')
    .requiredOption('--train <name>', 'training data with regions: dollarstreet:train, a manifest, a folder')
    .option('--eval <names>', 'evaluated on (default: the test part of the training data)', several)
    .option('--split <protocol>', splitProtocols.join(', '), oneOf('--split', splitProtocols), 'household')
    .option('--shares <percents>', 'western shares (default: 50,60,70,80,90,100)', percents('--shares'))
    .option('--size <n>', 'training images of every share (default: as many as all allow)', wholeNumber('--size'))
    .option('--seeds <n>', 'runs of each', wholeNumber('--seeds'), 1)
    .option('--epochs <n>', 'passes over the data (default: 30)', wholeNumber('--epochs'))
    .option('--batch <n>', 'images in an update (default: 32)', wholeNumber('--batch'))
    .option(
      '--micro-batch <n>',
      'images in a pass (default: what half of the free memory holds)',
      wholeNumber('--micro-batch'),
    ) // prettier-ignore
    .option('--rate <rate>', "Adam's learning rate (default: 1e-5)", positive('--rate'))
    .option('--min-n <n>', 'smallest region in a difference', wholeNumber('--min-n'), 30)
    .option(
      '--preprocessing <mode>',
      'native or paper (default: native)',
      oneOf('--preprocessing', ['native', 'paper']),
    )
  return addDatasetOptions(finetune)
    .option('--out <dir>', 'folder for checkpoints and results', 'geogap-results')
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .addHelpText(
      'after',
      '\nExample:\n  geogap finetune --model vit_tiny_patch16_224 --train dollarstreet:train --eval dollarstreet:test --epochs 3',
    )
    .action(async (options: Options) => run(options))
}

async function run(options: Options): Promise<void> {
  const { model, train, split, shares, size, seeds, epochs, batch, microBatch, rate, minN, preprocessing, out } =
    options
  const { westernTraining } = await import('../experiments/westernTraining.ts')
  const { studyTable } = await import('../report/studyTable.ts')
  const { durationText, percent } = await import('../report/text.ts')
  const { progressPrinter, transferPrinter } = await import('./progress.ts')
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  const done = await westernTraining({
    ...given({ shares, size, epochs, batch, microBatch, rate, preprocessing }),
    ...{ model, train, evals: options.eval ?? [], split, open: opening(options), seeds, minN, out },
    onProgress: progressPrinter(),
    onDownload: transferPrinter(),
    onPlan: ({ share, seed }, plan, total) => {
      const left = plan.done === 0 ? '' : `, ${plan.done} done`
      say(
        `${percent(share, 0)} % western, seed ${seed}: ${plan.images} images, ${plan.epochs} epochs${left} of ${plan.steps} updates, micro-batches of ${plan.microBatch}`,
      )
      say(`about ${durationText(plan.seconds)} for this run, ${durationText(total)} for all that are left`)
    },
    onEpoch: ({ share }, epoch, loss) => say(`${percent(share, 0)} % western: epoch ${epoch}, loss ${loss.toFixed(3)}`),
  })
  process.stdout.write(studyTable(done.rows, 'western share', options.format))
  for (const note of [`${done.size} training images of every share`, ...done.notes]) say(`note: ${note}`)
  say(`next: geogap figure western-share ${out} -o western-share.svg`)
}

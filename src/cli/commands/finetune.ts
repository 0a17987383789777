import { defineCommand, pick } from './command.ts'
import { experimentOptions, trainingOptions, trainingSettingsOf } from './experimentOptions.ts'
import { wholeNumber } from './parsers.ts'
import { printNote, progressPrinter, transferPrinter } from './terminal.ts'

export const command = defineCommand({
  name: 'finetune',
  text: 'Fine-tune a whole network on samples of one size with more and more western images (appendix H).',
  options: {
    '--model <name>': { text: 'a transformer or mixer of the catalogue', required: true },
    ...trainingOptions('training data with regions', {
      setting: 'shares',
      text: 'western shares (default: 50,60,70,80,90,100)',
      seeds: 1,
      epochs: 30,
    }),
    '--size <n>': {
      text: 'training images of every share (default: as many as all allow)',
      parse: wholeNumber(),
    },
    '--batch <n>': { text: 'images in an update (default: 32)', parse: wholeNumber() },
    '--micro-batch <n>': {
      text: 'images in a pass (default: what half of the free memory holds)',
      parse: wholeNumber(),
    },
    ...experimentOptions('checkpoints'),
  },
  examples: [
    'geogap finetune --model vit_tiny_patch16_224 --train dollarstreet:train --eval dollarstreet:test --epochs 3',
  ],
  run: async options => {
    const { runWesternTraining } = await import('../../experiments/westernTraining.ts')
    const { studyTable } = await import('../print/study.ts')
    const { durationText, percent, shellWord } = await import('../../lib/table/text.ts')
    const done = await runWesternTraining({
      ...pick(options, ['model', 'shares', 'size', 'batch', 'microBatch']),
      ...trainingSettingsOf(options),
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
    printNote(`next: geogap figure western-share ${shellWord(options.out)} -o western-share.svg`)
  },
})

import { defineCommand, pick } from './command.ts'
import {
  formatOption,
  labelsOption,
  manifestOptions,
  promptsOption,
  weightsOption,
} from './options.ts'
import { wholeNumber } from './parsers.ts'
import { printNote } from './terminal.ts'

export const probeCommand = defineCommand({
  name: 'probe',
  text: 'Show images to a model in other channel orders, scales, normalizations, resizes and crops; say when one is far better than declared.',
  arguments: { '<model>': 'a name, a model.json or its folder' },
  options: {
    '--dataset <name>': {
      text: 'a benchmark, manifest, folder or archive with labels',
      required: true,
    },
    ...manifestOptions,
    '--limit <n>': { text: 'images, evenly spaced', parse: wholeNumber(20), default: 100 },
    ...weightsOption('the model'),
    ...labelsOption,
    ...promptsOption,
    ...formatOption,
  },
  examples: ['geogap models probe runs/model.json --dataset photos.csv'],
  run: async ({ model, dataset: name, ...options }) => {
    const { probeModel } = await import('../../experiments/probe/probeRun.ts')
    const { probeAnswer } = await import('../print/probe.ts')
    const { answersText } = await import('../print/answer.ts')
    const dataset = { name, ...pick(options, ['limit', 'data', 'labels', 'classes', 'map']) }
    const onSetting = (done: number, total: number): void => {
      if (process.stderr.isTTY) printNote(`setting ${done} of ${total}`)
    }
    const found = await probeModel(model, dataset, {
      ...pick(options, ['weights', 'prompts']),
      onSetting,
    })
    process.stdout.write(answersText([probeAnswer(found)], options.format))
  },
})

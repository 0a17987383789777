import { defineCommand, pick } from './command.ts'
import { formatOption, minNOption } from './options.ts'
import { list, wholeNumber, wholeNumbers } from './parsers.ts'

export const command = defineCommand({
  name: 'linear-probe',
  text: "How well a model's features tell the region and country of a photograph, beside the model's disparity.",
  arguments: { '<dir>': 'results of evaluate --keep features' },
  options: {
    '--target <columns>': {
      text: 'columns that the features are to tell',
      parse: list,
      default: ['region', 'country'],
    },
    '--shots <numbers>': {
      text: 'photographs of each place to train on, besides all',
      parse: wholeNumbers,
      default: [1, 4, 16],
    },
    '--seeds <n>': {
      text: 'splits into training and test households',
      parse: wholeNumber(),
      default: 5,
    },
    ...minNOption('are left out'),
    ...formatOption,
  },
  examples: ['geogap linear-probe results --target region'],
  run: async ({ dir, target, ...options }) => {
    const { linearProbes } = await import('../../experiments/linearProbe.ts')
    const { answersText } = await import('../print/answer.ts')
    const { linearProbeAnswer } = await import('../print/linearProbe.ts')
    const settings = pick(options, ['shots', 'seeds', 'minN'])
    const rows = await linearProbes(dir, { targets: target, ...settings })
    process.stdout.write(answersText([linearProbeAnswer(rows)], options.format))
  },
})

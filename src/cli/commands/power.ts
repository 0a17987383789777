import { defineCommand } from './command.ts'
import { arrangeOptions, datasetOptions, datasetSpecOf, formatOption } from './options.ts'
import { list, share } from './parsers.ts'

export const command = defineCommand({
  name: 'power',
  text: 'Which differences each region and country of a data set could show, before any model is run.',
  arguments: { '<dataset>': 'benchmark, manifest, folder or archive' },
  options: {
    '--by <columns>': { text: 'groups', parse: list, default: ['region', 'country'] },
    '--accuracy <share>': {
      text: 'accuracy of the other groups to reckon with',
      parse: share,
      default: 0.7,
    },
    '--difference <share>': { text: 'difference to find', parse: share, default: 0.05 },
    '--correlation <share>': {
      text: 'correlation of the outcomes of two images of one household, to reckon with',
      parse: share,
      default: 0.2,
    },
    ...datasetOptions,
    ...formatOption,
    ...arrangeOptions,
  },
  examples: ['geogap power geode --data data'],
  run: async ({ dataset: name, ...options }) => {
    const { readDatasetPower } = await import('../../analysis/power.ts')
    const { answersText } = await import('../print/answer.ts')
    const { powerAnswer } = await import('../print/power.ts')
    const rows = await readDatasetPower({ name, ...datasetSpecOf(options) }, options.by, options)
    process.stdout.write(answersText([powerAnswer(rows, options)], options.format, options))
  },
})

import { inputError } from '../../lib/errors.ts'
import { defineCommand } from './command.ts'
import { excludeOption, metricOption, minNOption, preprocessingOption } from './options.ts'
import { figureWidth, fileEndingIn, wholeNumber } from './parsers.ts'

export const command = defineCommand({
  name: 'figure',
  text: 'Draw a figure of the results; geogap figures lists them.',
  arguments: { '[name]': 'a figure’s name', '[dir]': 'folder of results' },
  options: {
    '--paper <number>': {
      text: 'instead of a name: the paper’s figure of this number',
      parse: wholeNumber(),
    },
    '-o, --output <file>': {
      text: '.svg, .png, .pdf, or .json for the Vega-Lite specification',
      parse: fileEndingIn('.svg', '.png', '.pdf', '.json'),
      required: true,
    },
    '--dataset <name>': 'only this data set; otherwise several data sets give several files',
    '--model <name>': 'the model to show or to mark (default: the best)',
    ...preprocessingOption('(default: the commonest)'),
    ...minNOption('are left out'),
    ...metricOption(
      'what accuracy stands for: top1, top5, mrr or probability (of the right class)',
    ),
    '--width <size>': {
      text: 'about how wide, in pixels or as 85mm (text then has 8 points)',
      parse: figureWidth,
      default: 720,
    },
    ...excludeOption,
  },
  examples: [
    'geogap figure progress results -o progress.svg',
    'geogap figure --paper 1 results -o one.pdf --width 170mm',
  ],
  run: async ({ paper, output, width, exclude, metric, ...options }) => {
    // With `--paper N` the only argument is the folder.
    const words = [paper?.toString(), options.name, options.dir].filter(word => word !== undefined)
    const [name, dir] = words
    if (name === undefined || dir === undefined || words.length > 2)
      throw inputError('bad-option', 'figure takes NAME DIR, or --paper NUMBER DIR')
    const { writeFigures } = await import('../../report/figures/files.ts')
    const { makeFigures } = await import('../../report/figures/index.ts')
    const { openRunByMetric } = await import('../../results/run.ts')
    const figures = makeFigures(await openRunByMetric(dir, { exclude, metric }), name, options)
    for (const { file, figure } of await writeFigures(figures, output, width))
      process.stdout.write(`${file}\n${figure.title}. ${figure.caption}\n`)
  },
})

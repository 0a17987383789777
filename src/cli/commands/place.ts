import { inputError } from '../../lib/errors.ts'
import { type Standing } from '../../analysis/standing.ts'
import { defineCommand } from './command.ts'
import {
  arrangeOptions,
  excludeOption,
  formatOption,
  minNOption,
  modelsOption,
  preprocessingOption,
} from './options.ts'
import { fileEndingIn } from './parsers.ts'
import { printNote } from './terminal.ts'

export const command = defineCommand({
  name: 'place',
  text: 'Where a model stands among comparable ones of its ImageNet accuracy.',
  arguments: { '<run>': 'folder of results, or a pack' },
  options: {
    '--against <what>':
      'published, a folder of results, or a pack (default: published, for own images the run itself)',
    ...modelsOption('models to place (default: all)'),
    ...minNOption('are left out'),
    ...preprocessingOption('(default: native)'),
    '--figure <file>': {
      text: 'draw the model among them: a file ending in .svg, .png, .pdf or .json',
      parse: fileEndingIn('.svg', '.png', '.pdf', '.json'),
    },
    ...formatOption,
    ...arrangeOptions,
    ...excludeOption,
  },
  examples: ['geogap place results --against published --figure place.svg'],
  run: async ({ run, format, figure, ...options }) => {
    const { runStandings } = await import('../../analysis/standingRun.ts')
    const { answersText } = await import('../print/answer.ts')
    const { standingsAnswer } = await import('../print/standing.ts')
    const placed = await runStandings(run, options)
    process.stdout.write(answersText([standingsAnswer(placed)], format, options))
    if (figure !== undefined) await draw(placed, figure)
  },
})

async function draw(placed: readonly Standing[], file: string): Promise<void> {
  const { wideWidthPx } = await import('../../report/figures/figure.ts')
  const { standingFigure } = await import('../../report/figures/standingFigure.ts')
  const { writeFigures } = await import('../../report/figures/files.ts')
  const figures = placed.map(standingFigure).filter(({ rows }) => rows.length > 0)
  if (figures.length === 0)
    throw inputError('no-figure', `no figure ${file}: no measure has enough comparable models`)
  for (const drawn of await writeFigures(figures, file, wideWidthPx))
    printNote(`${drawn.file}: ${drawn.figure.caption}`)
}

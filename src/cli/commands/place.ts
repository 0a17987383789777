import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type TableFormat } from '../../lib/table/columns.ts'
import { type Standing } from '../../analysis/standing.ts'
import { wideWidthPx } from '../../report/figures/figure.ts'
import { excludeOption, type ExcludeOptions, formatOption } from './options.ts'
import { parseList, wholeNumber } from './parsers.ts'
import { printNote } from './progress.ts'

interface PlaceCommandOptions extends ExcludeOptions {
  against: string
  models?: string[]
  minN: number
  figure?: string
  format: TableFormat
}

/**
 * Builds the command `geogap place`.
 *
 * @example
 *     geogap place results --against published --figure place.svg
 */
export function command(): Command {
  return new Command('place')
    .description('Where a model stands among comparable ones of its ImageNet accuracy.')
    .argument('<run>', 'folder of results, or a pack')
    .option('--against <what>', 'published, a folder of results, or a pack', 'published')
    .option('--models <names>', 'models to place (default: all)', parseList)
    .option('--min-n <n>', 'places with fewer images are left out', wholeNumber('--min-n'), 30)
    .option(
      '--figure <file>',
      'draw the model among them: a file ending in .svg, .png, .pdf or .json',
    )
    .addOption(formatOption())
    .addOption(excludeOption())
    .addHelpText(
      'after',
      '\nExample:\n  geogap place results --against published --figure place.svg',
    )
    .action(async (run: string, { format, figure, ...options }: PlaceCommandOptions) => {
      const { runStandings } = await import('../../analysis/standingRun.ts')
      const { answersText } = await import('../print/answer.ts')
      const { standingsAnswer } = await import('../print/standing.ts')
      const placed = await runStandings(run, options)
      process.stdout.write(answersText([standingsAnswer(placed)], format))
      if (figure !== undefined) await draw(placed, figure)
    })
}

async function draw(placed: readonly Standing[], file: string): Promise<void> {
  const { standingFigure } = await import('../../report/figures/standingFigure.ts')
  const { writeFigures } = await import('../../report/figures/files.ts')
  const figures = placed.map(standingFigure).filter(({ rows }) => rows.length > 0)
  if (figures.length === 0)
    throw inputError('no-figure', `no figure ${file}: no measure has enough comparable models`)
  for (const drawn of await writeFigures(figures, file, wideWidthPx))
    printNote(`${drawn.file}: ${drawn.figure.caption}`)
}

import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type Format } from '../../lib/table/columns.ts'
import { type Placed } from '../../analysis/placeText.ts'
import { wide } from '../../report/figures/figure.ts'
import { excludeOption, type Excluding, formatOption, several, wholeNumber } from './options.ts'
import { note } from './progress.ts'

interface Options extends Excluding {
  against: string
  models?: string[]
  minN: number
  figure?: string
  format: Format
}

export function command(): Command {
  return new Command('place')
    .description('Where a model stands among comparable ones of its ImageNet accuracy.')
    .argument('<run>', 'folder of results, or a pack')
    .option('--against <what>', 'published, a folder of results, or a pack', 'published')
    .option('--models <names>', 'models to place (default: all)', several)
    .option('--min-n <n>', 'places with fewer images are left out', wholeNumber('--min-n'), 30)
    .option('--figure <file>', 'draw the model among them: a file ending in .svg, .png, .pdf or .json')
    .addOption(formatOption())
    .addOption(excludeOption())
    .addHelpText('after', '\nExample:\n  geogap place results --against published --figure place.svg')
    .action(async (run: string, { format, figure, ...options }: Options) => {
      const { placeRun } = await import('../../analysis/placeRun.ts')
      const { placedText } = await import('../../analysis/placeText.ts')
      const placed = await placeRun(run, options)
      process.stdout.write(placedText(placed, format))
      if (figure !== undefined) await draw(placed, figure)
    })
}

async function draw(placed: readonly Placed[], file: string): Promise<void> {
  const { placeFigure } = await import('../../report/figures/placeFigure.ts')
  const { writeFigures } = await import('../../report/figures/files.ts')
  const figures = placed.map(placeFigure).filter(({ rows }) => rows.length > 0)
  if (figures.length === 0) throw inputError('no-figure', `no figure ${file}: no measure has enough comparable models`)
  for (const drawn of await writeFigures(figures, file, wide)) note(`${drawn.file}: ${drawn.figure.caption}`)
}

import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { excludeOption, type ExcludeOptions, preprocessingOption } from './options.ts'
import { wholeNumber } from './parsers.ts'

interface FigureCommandOptions extends ExcludeOptions {
  paper?: number
  output: string
  dataset?: string
  model?: string
  preprocessing?: PreprocessingMode
  minN: number
  width: number
}

/**
 * Builds the command `geogap figure`.
 *
 * @example
 *     geogap figure progress results -o progress.svg
 */
export function command(): Command {
  return new Command('figure')
    .description('Draw a figure of the results; geogap figures lists them.')
    .argument('[name]', 'a figure’s name')
    .argument('[dir]', 'folder of results')
    .option(
      '--paper <number>',
      'instead of a name: the paper’s figure of this number',
      wholeNumber('--paper', 1),
    )
    .requiredOption(
      '-o, --output <file>',
      '.svg, .png, .pdf, or .json for the Vega-Lite specification',
    )
    .option(
      '--dataset <name>',
      'only this data set; otherwise several data sets give several files',
    )
    .option('--model <name>', 'the model to show or to mark (default: the best)')
    .addOption(preprocessingOption('(default: the commonest)'))
    .option('--min-n <n>', 'groups with fewer images are left out', wholeNumber('--min-n'), 30)
    .option('--width <pixels>', 'about how wide', wholeNumber('--width', 200), 720)
    .addOption(excludeOption())
    .addHelpText(
      'after',
      '\nExamples:\n  geogap figure progress results -o progress.svg\n  geogap figure --paper 1 results -o one.pdf',
    )
    .action(
      async (name: string | undefined, dir: string | undefined, options: FigureCommandOptions) =>
        run(figureRequestOf([name, dir], options.paper), options),
    )
}

/** The figure and the folder; with a number the only argument is the folder. */
function figureRequestOf(
  [name, dir]: readonly (string | undefined)[],
  paper: number | undefined,
): FigureRequest {
  const [figure, folder, ...more] = paper === undefined ? [name, dir] : [String(paper), name, dir]
  if (figure === undefined || folder === undefined || more.some(extra => extra !== undefined))
    throw inputError('bad-option', 'figure takes NAME DIR, or --paper NUMBER DIR')
  return { name: figure, dir: folder }
}

interface FigureRequest {
  name: string
  dir: string
}

/** Prints each file and its caption. */
async function run(
  { name, dir }: FigureRequest,
  { output, width, exclude, ...options }: FigureCommandOptions,
): Promise<void> {
  const { writeFigures } = await import('../../report/figures/files.ts')
  const { makeFigures } = await import('../../report/figures/index.ts')
  const { openRun } = await import('../../results/run.ts')
  const figures = makeFigures(await openRun(dir, exclude), name, options)
  for (const { file, figure } of await writeFigures(figures, output, width))
    process.stdout.write(`${file}\n${figure.title}. ${figure.caption}\n`)
}

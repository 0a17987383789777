import { Command } from 'commander'
import { GeogapError } from '../../lib/errors.ts'
import { type TableFormat } from '../../lib/table/columns.ts'
import { jsonText } from '../../lib/table/text.ts'
import { excludeOption, type ExcludeOptions, formatOption, withoutUndefined } from './options.ts'
import { parseList, wholeNumber } from './parsers.ts'
import { printNote } from './progress.ts'

interface CompareCommandOptions extends ExcludeOptions {
  models?: string[]
  by?: string[]
  format: TableFormat
  json?: boolean
  minN: number
  flips?: string
}

/**
 * Builds the command `geogap compare`.
 *
 * @example
 *     geogap compare before after --format markdown --flips flips.csv
 */
export function command(): Command {
  return new Command('compare')
    .description(
      'Who gained and who lost between two models, or two runs of one, on the same images.',
    )
    .argument('<first>', 'folder of results')
    .argument(
      '[second]',
      'folder of other results (default: the same folder, with --models first,second)',
    )
    .option('--models <names>', 'the two models, or one that both folders have', parseList)
    .option(
      '--by <columns>',
      'default: region, country, income and label, as far as they are there',
      parseList,
    )
    .option(
      '--min-n <n>',
      'groups with fewer images in common are not tested',
      wholeNumber('--min-n'),
      30,
    )
    .option(
      '--flips <file>',
      'write the images that one side has right and the other wrong, as CSV',
    )
    .addOption(formatOption())
    .option('--json', 'everything as JSON: sentence, coverage, rows, notes')
    .addOption(excludeOption())
    .addHelpText(
      'after',
      '\nExamples:\n  geogap compare results --models resnet50.a1_in1k,vit_base_patch16_224\n' +
        '  geogap compare before after --format markdown --flips flips.csv',
    )
    .action(async (first: string, second: string | undefined, options: CompareCommandOptions) =>
      run(first, second, options),
    )
}

async function run(
  first: string,
  second: string | undefined,
  options: CompareCommandOptions,
): Promise<void> {
  const { chooseEvaluationPairs } = await import('../../analysis/evaluationPairs.ts')
  const { compareEvaluations } = await import('../../analysis/compareRun.ts')
  const { answersText } = await import('../print/answer.ts')
  const { comparisonAnswer, comparisonSentence } = await import('../print/compare.ts')
  const { by, minN } = options
  const sides = await chooseEvaluationPairs(first, second, options)
  const comparisons = []
  for (const side of sides) {
    try {
      comparisons.push(await compareEvaluations(side, { minN, ...withoutUndefined({ by }) }))
    } catch (error) {
      // A data set without the column is left out, unless it is the last that could have it.
      const left = error instanceof GeogapError && error.code === 'unknown-column'
      if (!left || (side === sides.at(-1) && comparisons.length === 0)) throw error
      printNote(`${side.dataset} is left out: ${error.message}`)
    }
  }
  if (options.flips !== undefined) {
    const { writeFlippedImages } = await import('../../analysis/flippedImages.ts')
    const written = await writeFlippedImages(options.flips, first, sides)
    printNote(`${written} flipped images in ${options.flips}`)
  }
  const isNamed = comparisons.length > 1
  process.stdout.write(
    options.json
      ? jsonText(comparisons.map(each => ({ sentence: comparisonSentence(each), ...each })))
      : answersText(
          comparisons.map(each => comparisonAnswer(each, isNamed)),
          options.format,
        ),
  )
}

import { GeogapError, inputError, unknownNameError } from '../../lib/errors.ts'
import { type EvaluationComparison } from '../../analysis/compare.ts'
import { jsonText, shellWord } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import {
  arrangeOptions,
  excludeOption,
  formatOption,
  metricOption,
  minNOption,
  modelsOption,
  preprocessingOption,
} from './options.ts'
import { fileEndingIn, list } from './parsers.ts'
import { printNote } from './terminal.ts'

export const command = defineCommand({
  name: 'compare',
  text: 'Who gained and who lost between two models, or two runs of one, on the same images.',
  arguments: {
    '<first>': 'folder of results',
    '[second]': 'folder of other results (default: the same folder, with --models first,second)',
  },
  options: {
    ...modelsOption('the two models, or one that both folders have'),
    '--by <columns>': {
      text: 'default: region, country, income and label, as far as they are there',
      parse: list,
    },
    ...preprocessingOption('(default: all that both sides have)'),
    ...minNOption('in common are not tested'),
    ...metricOption('top1, top5, mrr or probability (of the right class)'),
    '--flips <file>': {
      text: 'write the images that one side has right and the other wrong, as CSV',
      parse: fileEndingIn('.csv'),
    },
    ...formatOption,
    ...arrangeOptions,
    '--json': 'everything as JSON: sentence, coverage, rows, notes',
    ...excludeOption,
  },
  examples: [
    'geogap compare results --models resnet50.a1_in1k,vit_base_patch16_224',
    'geogap compare before after --format markdown --flips flips.csv',
  ],
  run: async ({ first, second, ...options }) => {
    const { chooseEvaluationPairs } = await import('../../analysis/evaluationPairs.ts')
    const { compareEvaluations } = await import('../../analysis/compareRun.ts')
    const { sharedColumns } = await import('../../analysis/imagePairs.ts')
    const { answersText } = await import('../print/answer.ts')
    const { comparisonAnswer, comparisonSentence } = await import('../print/compare.ts')
    const sides = await chooseEvaluationPairs(first, second, options).catch((error: unknown) => {
      throw second === undefined ? error : withModelsHint(error, first, second)
    })
    const { preprocessing } = options
    const asked = sides.filter(side => side.preprocessing === (preprocessing ?? side.preprocessing))
    if (asked.length === 0)
      throw unknownNameError(
        'preprocessing',
        preprocessing!,
        sides.map(side => side.preprocessing),
      )
    const comparisons: EvaluationComparison[] = []
    const leftOut: string[] = []
    for (const side of asked) {
      const columns = ['label', ...sharedColumns(side.first, side.second)]
      const lacking = options.by?.find(column => !columns.includes(column))
      // Leaves out data sets without the column; that of the last one is an error if none has it.
      if (lacking === undefined || (side === asked.at(-1) && comparisons.length === 0))
        comparisons.push(await compareEvaluations(side, options))
      else leftOut.push(side.dataset)
    }
    if (leftOut.length > 0)
      printNote(`left out, without ${options.by!.join(' or ')}: ${leftOut.join(', ')}`)
    if (options.flips !== undefined) {
      const { writeFlippedImages } = await import('../../analysis/flippedImages.ts')
      const written = await writeFlippedImages(options.flips, first, asked)
      printNote(`${written} flipped images in ${options.flips}`)
    }
    process.stdout.write(
      options.json
        ? jsonText(comparisons.map(each => ({ sentence: comparisonSentence(each), ...each })))
        : answersText(
            comparisons.map(each => comparisonAnswer(each, comparisons)),
            options.format,
            options,
          ),
    )
  },
})

/** Returns an error for a second argument without results with the form for two models of one folder. */
function withModelsHint(error: unknown, first: string, second: string): unknown {
  if (!(error instanceof GeogapError) || !error.message.startsWith(`no results in ${second}:`))
    return error
  const hint = `to compare two models of one folder: geogap compare ${shellWord(first)} --models FIRST,SECOND`
  return inputError('no-results', `${error.message}; ${hint}`)
}

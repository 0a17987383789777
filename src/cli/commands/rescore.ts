import { inputError } from '../../lib/errors.ts'
import { defineCommand, pick } from './command.ts'
import {
  classesOption,
  modelsOption,
  movedDataOption,
  promptsOption,
  scoringOptions,
  tagOption,
  weightsOption,
} from './options.ts'
import { folder } from './parsers.ts'

export const command = defineCommand({
  name: 'rescore',
  text: 'Score kept outputs (evaluate --keep) with other labels, choices, classes or prompts, without running a model on images.',
  arguments: { '<dir>': 'folder of results' },
  options: {
    ...classesOption,
    ...scoringOptions,
    ...promptsOption,
    ...modelsOption('only these models'),
    '--dataset <name>': 'only this data set, by its name in the results',
    '--source <path>': 'where the data set is now: its manifest, folder or archive',
    ...movedDataOption,
    ...weightsOption('the model whose text tower embeds the prompts'),
    '--out <dir>': { text: 'folder for the rows (default: the same)', parse: folder },
    ...tagOption,
  },
  examples: ['geogap rescore results --labels strict.json --out strict'],
  run: async ({ dir, source, tag, ...options }) => {
    const { rescore } = await import('../../evaluate/rescore.ts')
    const { groupAccuracyTable } = await import('../../report/tables/accuracyTables.ts')
    const change = pick(options, ['labels', 'classes', 'choices', 'regions'])
    if (Object.keys(change).length === 0 && options.prompts === undefined)
      throw inputError(
        'nothing-to-change',
        'nothing to change: give --labels, --classes, --choices, --regions or --prompts',
      )
    const run = await rescore(dir, {
      ...pick(options, ['prompts', 'models', 'dataset', 'weights', 'out']),
      change: { ...change, ...pick(options, ['data']), ...(source && { name: source }) },
      ...(tag && { tags: tag }),
    })
    process.stdout.write(groupAccuracyTable(run, []).text('text'))
  },
})

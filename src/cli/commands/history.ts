import { jsonText } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import { arrangeOptions, excludeOption, formatOption, minNOption } from './options.ts'

export const command = defineCommand({
  name: 'history',
  text: 'Accuracy, worst group and disparity of every stored evaluation in the order of time, by their tags.',
  arguments: { '<dirs...>': 'folders of results' },
  options: {
    '--name <tag>': 'the tag that names the lines (default: the one that most have)',
    '--by <column>': 'groups: region, country or any column (default: region, else country)',
    ...minNOption('are left out'),
    ...formatOption,
    ...arrangeOptions,
    ...excludeOption,
  },
  examples: [
    'geogap evaluate --model model.json --dataset geode --tag commit=3fa9c1 --out results',
    'geogap history results',
  ],
  run: async ({ dirs, name, format, ...options }) => {
    const { readHistory } = await import('../../analysis/history.ts')
    const { answersText, arrangeAnswer } = await import('../print/answer.ts')
    const { historyAnswer, historyTable } = await import('../print/history.ts')
    const { tablesJson } = await import('../../lib/table/writeTables.ts')
    const history = await readHistory(dirs, options)
    const answer = arrangeAnswer(historyAnswer(history, options.minN, name), options)
    process.stdout.write(
      format === 'json'
        ? jsonText(tablesJson([historyTable(answer)]))
        : answersText([answer], format),
    )
  },
})

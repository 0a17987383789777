import { jsonText } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import { excludeOption, minNOption, preprocessingOption } from './options.ts'
import { oneOf } from './parsers.ts'
import { printNote, terminalStyle } from './terminal.ts'

const options = {
  '--dataset <name>': 'the data set with places to show (default: the first)',
  '--model <name>': 'the model to show (default: the best on the data set)',
  ...preprocessingOption('(default: the commonest)'),
  ...minNOption('are not compared'),
  '--format <format>': {
    text: 'text or json',
    parse: oneOf(['text', 'json']),
    default: 'text',
  },
  ...excludeOption,
} as const

export const command = defineCommand({
  name: 'show',
  text: 'The answer of a run at one look: a sentence, places as bars with intervals, progress.',
  arguments: { '<dir>': 'folder of results' },
  options,
  examples: ['geogap show results', 'geogap show results --dataset geode --model resnet50'],
  run: async ({ dir, exclude, format, dataset, model, ...view }) => {
    const { firstScreen } = await import('../../analysis/firstScreen.ts')
    const { progressEvidence } = await import('../../analysis/progress/evidence.ts')
    const { runView } = await import('../../analysis/runView.ts')
    const { modelWarnings } = await import('../../results/modelNotes.ts')
    const { readImportedAccuracies } = await import('../../results/importedAccuracies.ts')
    const { openRun } = await import('../../results/run.ts')
    const { firstScreenText } = await import('../print/show.ts')
    const run = await openRun(dir, exclude)
    const results = runView(run, view)
    const evidence = progressEvidence(results, await readImportedAccuracies(run.dir))
    const screen = await firstScreen(results, { dataset, model, evidence })
    modelWarnings(run).forEach(printNote)
    process.stdout.write(
      format === 'json' ? jsonText(screen) : firstScreenText(screen, terminalStyle()),
    )
  },
})

import { jsonText } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'
import {
  arrangeOptions,
  excludeOption,
  metricOption,
  minNOption,
  preprocessingOption,
  textFormatOption,
} from './options.ts'
import { fileEndingIn, share } from './parsers.ts'

/** Exit code of a gate that failed. */
export const gateFailedExitCode = 4

export const command = defineCommand({
  name: 'gate',
  text: `Judge a run against limits, by what the data show and not by the point estimate. Exit code ${gateFailedExitCode} when a limit is broken.`,
  arguments: { '<run>': 'folder of results' },
  options: {
    '--baseline <run>': 'folder of results to compare with, image by image',
    '--max-drop <share>': {
      text: 'largest drop of a group against the baseline (default: 0.02)',
      parse: share,
    },
    '--min-worst <share>': { text: 'least accuracy of every group', parse: share },
    '--max-disparity <share>': { text: 'largest difference between two groups', parse: share },
    '--by <column>': {
      text: 'groups: region, country, label or any column',
      default: 'region',
    },
    ...minNOption('are listed and not judged'),
    ...preprocessingOption('(default: all that both sides have)'),
    ...metricOption('top1 or top5, which are tested exactly'),
    '--junit <file>': { text: 'write the checks as a JUnit file', parse: fileEndingIn('.xml') },
    ...textFormatOption,
    ...arrangeOptions,
    ...excludeOption,
  },
  examples: ['geogap gate results --baseline main-results --by country --junit gate.xml'],
  run: async ({ run, junit, format, ...options }) => {
    const { judgeEvaluations } = await import('../../analysis/gate.ts')
    const { answersText } = await import('../print/answer.ts')
    const { gateAnswer, gateJunit, gateSentence } = await import('../print/gate.ts')
    const result = await judgeEvaluations(run, options)
    process.stdout.write(
      format === 'json'
        ? jsonText({ sentence: gateSentence(result), ...result })
        : answersText([gateAnswer(result)], format, options),
    )
    if (junit !== undefined) {
      const { writeOutput } = await import('../../lib/files.ts')
      await writeOutput(junit, gateJunit(result))
    }
    if (!result.passed) process.exitCode = gateFailedExitCode
  },
})

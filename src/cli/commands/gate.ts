import { Command } from 'commander'
import { type GateOptions } from '../../analysis/gateRun.ts'
import { jsonText } from '../../lib/table/text.ts'
import { excludeOption, textFormatOption } from './options.ts'
import { shareOf, wholeNumber } from './parsers.ts'

/** Exit code of a gate that failed. */
export const gateFailedExitCode = 4

type GateCommandOptions = GateOptions & { junit?: string; format: 'text' | 'markdown' | 'json' }

/**
 * Builds the command `geogap gate`.
 *
 * @example
 *     geogap gate results --baseline main-results --by country --junit gate.xml
 */
export function command(): Command {
  return new Command('gate')
    .description(
      `Judge a run against limits, by what the data show and not by the point estimate. Exit code ${gateFailedExitCode} when a limit is broken.`,
    )
    .argument('<run>', 'folder of results')
    .option('--baseline <run>', 'folder of results to compare with, image by image')
    .option(
      '--max-drop <share>',
      'largest drop of a group against the baseline (default: 0.02)',
      shareOf('--max-drop'),
    )
    .option('--min-worst <share>', 'least accuracy of every group', shareOf('--min-worst'))
    .option(
      '--max-disparity <share>',
      'largest difference between two groups',
      shareOf('--max-disparity'),
    )
    .option('--by <column>', 'groups: region, country, label or any column', 'region')
    .option(
      '--min-n <n>',
      'groups with fewer images are listed and not judged',
      wholeNumber('--min-n'),
      100,
    )
    .option('--junit <file>', 'write the checks as a JUnit file')
    .addOption(textFormatOption())
    .addOption(excludeOption())
    .addHelpText(
      'after',
      '\nExample:\n  geogap gate results --baseline main-results --by country --junit gate.xml',
    )
    .action(async (run: string, options: GateCommandOptions) => judge(run, options))
}

async function judge(
  dir: string,
  { junit, format, ...options }: GateCommandOptions,
): Promise<void> {
  const { judgeEvaluations } = await import('../../analysis/gateRun.ts')
  const { answersText } = await import('../print/answer.ts')
  const { gateAnswer, gateJunit, gateSentence } = await import('../print/gate.ts')
  const result = await judgeEvaluations(dir, options)
  process.stdout.write(
    format === 'json'
      ? jsonText({ sentence: gateSentence(result), ...result })
      : answersText([gateAnswer(result)], format),
  )
  if (junit !== undefined) {
    const { writeOutput } = await import('../../lib/files.ts')
    await writeOutput(junit, gateJunit(result))
  }
  if (!result.passed) process.exitCode = gateFailedExitCode
}

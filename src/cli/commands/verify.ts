import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { jsonText } from '../../lib/table/text.ts'
import { withoutUndefined, textFormatOption } from './options.ts'
import { positive, parseList, wholeNumber } from './parsers.ts'
import { progressPrinter } from './progress.ts'

/** Exit code where stored results differ from their re-run. */
export const verifyFailedExitCode = 5

interface VerifyCommandOptions {
  sample: number
  seed: number
  tolerance: number
  model?: string[]
  weights?: string
  data?: string
  format: 'text' | 'markdown' | 'json'
}

/**
 * Builds the command `geogap verify`.
 *
 * @example
 *     geogap verify results --sample 1%
 */
export function command(): Command {
  return new Command('verify')
    .description(
      `Compute a share of the stored shards again on this machine and compare. Exit code ${verifyFailedExitCode} where they differ.`,
    )
    .argument('<dir>', 'folder of results')
    .option(
      '--sample <percent>',
      'share of the shards of each evaluation, one at least',
      percentOf,
      0.01,
    )
    .option('--seed <n>', 'of the draw', wholeNumber('--seed', 0), 1)
    .option('--tolerance <n>', 'what a logit may move by', positive('--tolerance'), 0.01)
    .option(
      '--model <name...>',
      'only these, named as for evaluate (default: all, by their names in the results)',
    )
    .option('--weights <file>', "one model's weights")
    .option('--data <dir>', 'where the folder of benchmarks, or of the images, is now')
    .addOption(textFormatOption())
    .addHelpText('after', '\nExample:\n  geogap verify results --sample 1%')
    .action(async (dir: string, options: VerifyCommandOptions) => run(dir, options))
}

/** `1%` as 0.01. */
function percentOf(text: string): number {
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? []
  const share = Number(percent) / 100
  if (!(share > 0 && share <= 1))
    throw inputError('bad-option', `--sample takes a percentage such as 1%, not ${text}`)
  return share
}

async function run(
  dir: string,
  { format, model, weights, ...options }: VerifyCommandOptions,
): Promise<void> {
  const { isWithinTolerance, verify } = await import('../../evaluate/verify.ts')
  const { verifySentence, verifyText } = await import('../print/verify.ts')
  const verified = await verify(dir, {
    ...options,
    ...withoutUndefined({ models: await selectSpecs(model, weights) }),
    onProgress: progressPrinter(),
  })
  const json = (): string => jsonText({ sentence: verifySentence(verified), ...verified })
  process.stdout.write(format === 'json' ? json() : verifyText(verified, format))
  if (verified.shards.some(shard => !isWithinTolerance(shard, verified.tolerance)))
    process.exitCode = verifyFailedExitCode
  else if (verified.left.length > 0) process.exitCode = 3
}

async function selectSpecs(names: readonly string[] | undefined, weights: string | undefined) {
  if (!names) {
    if (weights !== undefined) throw inputError('bad-option', '--weights are those of one --model')
    return undefined
  }
  const { selectModels } = await import('../../models/select.ts')
  const { resolveModels } = await import('../../evaluate/targets.ts')
  const models = await selectModels(names.flatMap(name => parseList(name)))
  return resolveModels({ models, datasets: [], ...withoutUndefined({ weights }) })
}

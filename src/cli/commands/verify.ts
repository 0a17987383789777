import { GeogapError, inputError, unknownNameError } from '../../lib/errors.ts'
import { jsonText } from '../../lib/table/text.ts'
import { findModelName } from '../../models/findModelName.ts'
import { plainModelName } from '../../models/promptedName.ts'
import { type ModelSpec } from '../../models/spec.ts'
import { defineCommand, pick } from './command.ts'
import { movedDataOption, textFormatOption, weightsOption } from './options.ts'
import { list, percentage, positive, wholeNumber } from './parsers.ts'
import { progressPrinter } from './terminal.ts'

/** Exit code if stored results differ from their re-run. */
export const verifyFailedExitCode = 5

export const command = defineCommand({
  name: 'verify',
  text: `Compute a share of the stored shards again on this machine and compare. Exit code ${verifyFailedExitCode} where they differ.`,
  arguments: { '<dir>': 'folder of results' },
  options: {
    '--sample <percent>': {
      text: 'share of the shards of each evaluation, one at least',
      parse: percentage,
      default: 0.01,
    },
    '--seed <n>': { text: 'of the draw', parse: wholeNumber(0), default: 1 },
    '--tolerance <n>': { text: 'what a logit may move by', parse: positive, default: 0.01 },
    '--model <name...>':
      'only these, by a name in the results, short or full, or as for evaluate (default: all)',
    ...weightsOption(),
    ...movedDataOption,
    ...textFormatOption,
  },
  examples: ['geogap verify results --sample 1%'],
  run: async ({ dir, format, model, weights, ...options }) => {
    const { isWithinTolerance, verify } = await import('../../evaluate/verify.ts')
    const { verifySentence, verifyText } = await import('../print/verify.ts')
    if (!model && weights !== undefined)
      throw inputError('bad-option', '--weights are those of one --model')
    const verified = await verify(dir, {
      ...pick(options, ['sample', 'seed', 'tolerance', 'data']),
      ...(model && { models: await selectSpecs(dir, model, weights) }),
      onProgress: progressPrinter(),
    })
    process.stdout.write(
      format === 'json'
        ? jsonText({ sentence: verifySentence(verified), ...verified })
        : verifyText(verified, format),
    )
    if (verified.shards.some(shard => !isWithinTolerance(shard, verified.tolerance)))
      process.exitCode = verifyFailedExitCode
    else if (verified.left.length > 0) process.exitCode = 3
  },
})

async function selectSpecs(
  dir: string,
  names: readonly string[],
  weights: string | undefined,
): Promise<ModelSpec[]> {
  const { selectModels } = await import('../../models/select.ts')
  const { resolveModels } = await import('../../evaluate/targets.ts')
  const { modelsToVerify } = await import('../../evaluate/verify.ts')
  const stored = await modelsToVerify(dir)
  const asked = names.flatMap(name => list(name, '--model')).map(name => plainModelName(name))
  const models = await selectModels(asked.map(name => findStoredName(name, stored) ?? name))
  try {
    return (await resolveModels({ models, datasets: [], ...(weights && { weights }) })).specs
  } catch (error) {
    if (!(error instanceof GeogapError) || error.code !== 'unknown-model') throw error
    const own = models.filter(name => stored.includes(name))
    if (own.length === 0) throw unknownNameError('model', models.join(', '), stored)
    throw inputError(
      'unknown-model',
      `${own.join(', ')} is no model of the catalogue: give the file or repository that was evaluated, --model FILE`,
    )
  }
}

/** Returns the full name of a model with results; undefined if none has this name, as for a file or a repository. */
function findStoredName(name: string, stored: readonly string[]): string | undefined {
  try {
    return findModelName(name, stored)
  } catch (error) {
    if (error instanceof GeogapError && error.code === 'unknown-model') return undefined
    throw error
  }
}

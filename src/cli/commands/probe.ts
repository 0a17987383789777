import { Command } from 'commander'
import { type TableFormat } from '../../lib/table/columns.ts'
import { addManifestOptions, type ManifestSourceOptions } from './datasetOptions.ts'
import { formatOption, withoutUndefined, labelsOption } from './options.ts'
import { wholeNumber } from './parsers.ts'
import { printNote } from './progress.ts'

interface ProbeCommandOptions extends ManifestSourceOptions {
  dataset: string
  limit: number
  weights?: string
  labels?: string
  prompts?: string
  format: TableFormat
}

/**
 * Builds the command `geogap models probe`.
 *
 * @example
 *     geogap models probe runs/model.json --dataset photos.csv
 */
export function probeCommand(): Command {
  const probe = new Command('probe')
    .description(
      'Show images to a model in other channel orders, scales, normalizations, resizes and crops; say when one is far better than declared.',
    )
    .argument('<model>', 'a name, a model.json or its folder')
    .requiredOption('--dataset <name>', 'a benchmark, manifest, folder or archive with labels')
  return addManifestOptions(probe)
    .option('--limit <n>', 'images, evenly spaced', wholeNumber('--limit', 20), 100)
    .option('--weights <file>', "the model's weights")
    .addOption(labelsOption())
    .option('--prompts <which>', 'of a zero-shot model: paper, openai, simple or a file')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  geogap models probe runs/model.json --dataset photos.csv')
    .action(async (model: string, options: ProbeCommandOptions) => run(model, options))
}

async function run(model: string, options: ProbeCommandOptions): Promise<void> {
  const { probeModel } = await import('../../experiments/probe/probeRun.ts')
  const { probeAnswer } = await import('../print/probe.ts')
  const { answersText } = await import('../print/answer.ts')
  const { dataset, limit, data, weights, labels, classes, map, prompts, format } = options
  const onSetting = (done: number, total: number): void => printNote(`setting ${done} of ${total}`)
  const found = await probeModel(
    model,
    { name: dataset, limit, ...withoutUndefined({ data, labels, classes, map }) },
    { ...withoutUndefined({ weights, prompts }), ...(process.stderr.isTTY && { onSetting }) },
  )
  process.stdout.write(answersText([probeAnswer(found)], format))
}

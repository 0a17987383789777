import { Command } from 'commander'
import { type Format } from '../../lib/table/columns.ts'
import { addManifestOptions, type ManifestOptions } from './datasetOptions.ts'
import { formatOption, given, labelsOption, wholeNumber } from './options.ts'
import { note } from './progress.ts'

interface Options extends ManifestOptions {
  dataset: string
  limit: number
  weights?: string
  labels?: string
  prompts?: string
  format: Format
}

/** `geogap models probe`. */
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
    .action(async (model: string, options: Options) => run(model, options))
}

async function run(model: string, options: Options): Promise<void> {
  const { probe } = await import('../../experiments/probe/probeRun.ts')
  const { probeText } = await import('../../experiments/probe/probeText.ts')
  const { dataset, limit, data, weights, labels, classes, map, prompts, format } = options
  const onSetting = (done: number, total: number): void => note(`setting ${done} of ${total}`)
  const found = await probe(
    model,
    { name: dataset, limit, ...given({ data, labels, classes, map }) },
    { ...given({ weights, prompts }), ...(process.stderr.isTTY && { onSetting }) },
  )
  process.stdout.write(probeText(found, format))
}

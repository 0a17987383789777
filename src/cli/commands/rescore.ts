import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import {
  choicesOption,
  classesOption,
  withoutUndefined,
  labelsOption,
  regionsOption,
  type TagOptions,
  tagOption,
} from './options.ts'
import { folder, parseList } from './parsers.ts'

interface RescoreCommandOptions extends TagOptions {
  models?: string[]
  dataset?: string
  labels?: string
  classes?: string
  choices?: 'all' | 'mapped'
  prompts?: string
  regions?: string
  source?: string
  data?: string
  weights?: string
  out?: string
}

/**
 * Builds the command `geogap rescore`.
 *
 * @example
 *     geogap rescore results --labels strict.json --out strict
 */
export function command(): Command {
  return new Command('rescore')
    .description(
      'Score kept outputs (evaluate --keep) with other labels, choices, classes or prompts, without running a model on images.',
    )
    .argument('<dir>', 'folder of results')
    .addOption(labelsOption())
    .addOption(classesOption())
    .addOption(choicesOption())
    .option(
      '--prompts <which>',
      'of zero-shot models whose features were kept: paper, openai, simple or a file',
    )
    .addOption(regionsOption())
    .option('--models <names>', 'only these models', parseList)
    .option('--dataset <name>', 'only this data set, by its name in the results')
    .option('--source <path>', 'where the data set is now: its manifest, folder or archive')
    .option('--data <dir>', 'where the folder of benchmarks, or of the images, is now')
    .option('--weights <file>', 'weights of the model whose text tower embeds the prompts')
    .option('--out <dir>', 'folder for the rows (default: the same)', folder('--out'))
    .addOption(tagOption())
    .addHelpText('after', '\nExample:\n  geogap rescore results --labels strict.json --out strict')
    .action(async (dir: string, options: RescoreCommandOptions) => run(dir, options))
}

async function run(dir: string, options: RescoreCommandOptions): Promise<void> {
  const { rescore } = await import('../../evaluate/rescore.ts')
  const { groupAccuracyTable } = await import('../../report/page/resultTables.ts')
  const {
    labels,
    classes,
    choices,
    prompts,
    regions,
    models,
    dataset,
    source,
    data,
    weights,
    out,
  } = options
  const change = withoutUndefined({ labels, classes, choices, regions })
  if (Object.keys(change).length === 0 && prompts === undefined)
    throw inputError(
      'nothing-to-change',
      'nothing to change: give --labels, --classes, --choices, --regions or --prompts',
    )
  const place = withoutUndefined({ data, name: source })
  const run = await rescore(dir, {
    change: { ...change, ...place },
    ...withoutUndefined({ prompts, models, dataset, weights, out, tags: options.tag }),
  })
  process.stdout.write(groupAccuracyTable(run, []).text('text'))
}

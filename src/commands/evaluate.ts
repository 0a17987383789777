import { Command } from 'commander'
import { inputError, unknownName } from '../errors.ts'
import { type EvaluateOptions } from '../evaluate.ts'
import { type Device, devices } from '../inference/devices.ts'
import { type KeptOutput, keptOutputs } from '../predictions/schema.ts'
import { type Mode } from '../preprocessing/steps.ts'
import { assignments, given, oneOf, several, wholeNumber } from './options.ts'

interface Options {
  model: string[]
  dataset?: string[]
  suite?: string
  dryRun?: boolean
  data?: string
  weights?: string
  preprocessing?: Mode
  batch?: number
  device?: Device
  keep?: KeptOutput
  limit?: number
  out: string
  map?: Record<string, string>
  classes?: string
  labels?: string
  choices?: 'all' | 'mapped'
  prompts?: string
  regions?: string
  quiet?: boolean
}

export function command(): Command {
  return new Command('evaluate')
    .description('Evaluate models on data sets and keep one row per image. What is stored already is not done again.')
    .requiredOption('--model <name...>', "names (geogap models), testbed, 'resnet*', family:clip or @list.txt")
    .option('--dataset <name...>', 'benchmarks (geode), manifests (CSV, JSONL, Parquet), folders or archives')
    .option('--suite <name>', 'the benchmarks of a suite: paper, standard or geographic')
    .option('--data <dir>', 'folder that holds the benchmarks (default: data)')
    .option('--weights <file>', "one model's weights: safetensors or a PyTorch checkpoint")
    .option(
      '--preprocessing <mode>',
      'native or paper (default: native)',
      oneOf<Mode>('--preprocessing', ['native', 'paper']),
    )
    .option('--batch <n>', 'images in a batch', wholeNumber('--batch'))
    .option('--device <name>', 'cpu, cuda or coreml (default: cpu)', oneOf('--device', devices))
    .option(
      '--keep <output>',
      'keep logits or features of every image, for geogap rescore',
      oneOf('--keep', keptOutputs),
    )
    .option('--limit <n>', 'at most this many images of each data set, evenly spaced', wholeNumber('--limit'))
    .option('--map <pairs>', "a manifest's other column names: image=photo,label=sku,country=cc", assignments('--map'))
    .option('--classes <file>', "the manifest's own class list, one name a line or a JSON list")
    .option('--labels <map>', 'label map: original, imagenet or a file')
    .option('--choices <which>', 'classes that compete: all or mapped', oneOf('--choices', ['all', 'mapped']))
    .option('--prompts <which>', 'of zero-shot models: paper, openai, simple or a file (default: paper)')
    .option('--regions <scheme>', 'derive regions from countries: a shipped scheme (continents-1) or a file')
    .option('--out <dir>', 'folder for the results', 'geogap-results')
    .option('--dry-run', 'print the plan: images, downloads, time and disk')
    .option('--quiet', 'no progress, only the result')
    .addHelpText('after', '\nExample:\n  geogap evaluate --model resnet50 --dataset geode --data data --out results')
    .action(async (options: Options) => run(options))
}

async function run(options: Options): Promise<void> {
  const { dryRun, evaluate } = await import('../evaluate.ts')
  if (options.dryRun) {
    const { forecastTable } = await import('../report/forecastTable.ts')
    process.stdout.write(forecastTable(await dryRun(await evaluateOptions(options))))
    return
  }
  const { accuracyTable } = await import('../report/resultTables.ts')
  const { progressPrinter, transferPrinter } = await import('./progress.ts')
  const { interruption } = await import('./interrupt.ts')
  const signal = interruption()
  const work = evaluate({
    ...(await evaluateOptions(options)),
    signal,
    ...(options.quiet ? {} : { onProgress: progressPrinter(), onDownload: transferPrinter() }),
  })
  const result = await work.catch((error: unknown) => {
    if (error === signal.reason) process.exit()
    throw error
  })
  process.stdout.write(accuracyTable(result, [], 'text'))
  for (const { model, dataset, message } of result.failures)
    process.stderr.write(`failed: ${model} on ${dataset}: ${message}\n`)
  if (result.failures.length > 0) process.exitCode = 3
  else if (!options.quiet)
    process.stderr.write(`next: geogap table ${options.out} --by region, geogap report ${options.out}\n`)
}

async function evaluateOptions(options: Options): Promise<EvaluateOptions> {
  const { selectModels } = await import('../models/select.ts')
  const { data, weights, preprocessing, batch, device, limit, out, prompts, keep } = options
  const { map, classes, labels, choices, regions } = options
  const adjust = given({ map, classes, labels, choices, regions })
  return {
    models: await selectModels(options.model.flatMap(name => several(name))),
    datasets: (await datasetNames(options)).map(name => ({ name, ...adjust })),
    ...given({ data, weights, preprocessing, batch, device, limit, prompts, keep }),
    out,
  }
}

async function datasetNames({ dataset = [], suite }: Options): Promise<string[]> {
  if (suite === undefined) {
    if (dataset.length === 0)
      throw inputError('no-dataset', 'no data set given: --dataset NAME|FILE|FOLDER or --suite paper')
    return dataset
  }
  const { suites } = await import('../datasets/benchmarks.ts')
  const names = suites[suite]
  if (!names) throw unknownName('suite', suite, Object.keys(suites))
  return [...dataset, ...names]
}

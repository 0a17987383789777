import { Command } from 'commander'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { type EvaluateOptions } from '../../evaluate/evaluate.ts'
import { devices } from '../../lib/onnx/engine.ts'
import { precisions } from '../../lib/onnx/engine.ts'
import { type Engine } from '../../lib/onnx/engine.ts'
import { type KeptOutput, keptOutputs } from '../../results/schema.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { type InferenceProfile } from '../../evaluate/profile.ts'
import { shellWord } from '../../lib/table/text.ts'
import { type Run } from '../../results/run.ts'
import { type WorkShare } from '../../evaluate/units.ts'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'
import { withoutUndefined, preprocessingOption, type TagOptions, tagOption } from './options.ts'
import { oneOf, parseList, wholeNumber } from './parsers.ts'
import { parseShare } from './workShare.ts'
import { printNote, progressPrinter, queuePrinter, transferPrinter } from './progress.ts'

interface EvaluateCommandOptions extends DatasetSourceOptions, Engine, TagOptions {
  model: string[]
  dataset?: string[]
  suite?: string
  dryRun?: boolean
  weights?: string
  preprocessing?: PreprocessingMode
  batch?: number
  keep?: KeptOutput
  out: string
  prompts?: string
  part?: WorkShare
  until?: string
  profile?: boolean
  queue?: string | true
  priority?: number
}

/**
 * Builds the command `geogap evaluate`.
 *
 * @example
 *     geogap evaluate --model resnet50 --dataset geode --data data --out results
 */
export function command(): Command {
  const evaluate = new Command('evaluate')
    .description(
      'Evaluate models on data sets and keep one row per image. What is stored already is not done again.',
    )
    .requiredOption(
      '--model <name...>',
      "names (geogap models), testbed, 'resnet*', family:clip or @list.txt",
    )
    .option(
      '--dataset <name...>',
      'benchmarks (geode), manifests (CSV, JSONL, Parquet), folders or archives',
    )
    .option('--suite <name>', 'the benchmarks of a suite: paper, standard or geographic')
    .option('--weights <file>', "one model's weights: safetensors or a PyTorch checkpoint")
    .addOption(preprocessingOption('(default: native)'))
    .option('--batch <n>', 'images in a batch', wholeNumber('--batch'))
    .option('--device <name>', 'cpu, cuda or coreml (default: cpu)', oneOf('--device', devices))
    .option('--precision <type>', 'fp32 or fp16 (default: fp32)', oneOf('--precision', precisions))
    .option(
      '--keep <output>',
      'keep logits or features of every image, for geogap rescore',
      oneOf('--keep', keptOutputs),
    )
    .option(
      '--prompts <which>',
      'of zero-shot models: paper, openai, simple or a file (default: paper)',
    )
  return addDatasetOptions(evaluate)
    .option('--out <dir>', 'folder for the results', 'geogap-results')
    .option(
      '--part <i/n>',
      'only one of n shares, for n machines; `auto` takes it from Slurm or Kubernetes',
      text => parseShare(text),
    )
    .option(
      '--until <rule>',
      "stop when every group's interval is narrow enough, in points: 'region ±1'",
    )
    .option('--queue [url]', 'let the workers at a queue do it: redis://host:port, or GEOGAP_QUEUE')
    .option(
      '--priority <n>',
      'of this run among those at the queue (default: 0)',
      wholeNumber('--priority', 0),
    )
    .addOption(tagOption())
    .option('--dry-run', 'print the plan: images, downloads, time and disk')
    .option(
      '--profile',
      'show how models were run and where the time went, in milliseconds an image',
    )
    .addHelpText(
      'after',
      '\nExample:\n  geogap evaluate --model resnet50 --dataset geode --data data --out results',
    )
    .action(async (options: EvaluateCommandOptions) => run(options))
}

async function run(options: EvaluateCommandOptions): Promise<void> {
  const { dryRun, evaluate } = await import('../../evaluate/evaluate.ts')
  if (options.dryRun) {
    const { forecastTable } = await import('../print/forecast.ts')
    const { freeDiskBytes } = await import('../../evaluate/forecast.ts')
    const { out, device, until } = options
    const rows = await dryRun(await evaluateOptionsOf(options))
    process.stdout.write(
      forecastTable(rows, { out, free: await freeDiskBytes(out), device, until }),
    )
    return
  }
  const { groupAccuracyTable } = await import('../../report/page/resultTables.ts')
  const { interruptSignal } = await import('./interrupt.ts')
  const signal = interruptSignal()
  const profiles: InferenceProfile[] = []
  const asked = {
    ...(await evaluateOptionsOf(options)),
    signal,
    onProfile: (profile: InferenceProfile) => profiles.push(profile),
    onProgress: progressPrinter(),
    onDownload: transferPrinter(),
  }
  const work = options.queue === undefined ? evaluate(asked) : evaluateAtQueue(asked, options)
  const result = await work.catch((error: unknown) => {
    if (error === signal.reason) process.exit()
    throw error
  })
  process.stdout.write(groupAccuracyTable(result, []).text('text'))
  if (options.until !== undefined && result.estimates.length > 0) {
    const { estimateTable, savingLines } = await import('../../report/page/estimateTable.ts')
    process.stdout.write(
      `\n${estimateTable(result.estimates).text('text')}\n${savingLines(result.estimates).join('\n')}\n`,
    )
  }
  if (options.profile) {
    const { profileTable } = await import('../print/profile.ts')
    process.stdout.write(`\n${profileTable(profiles)}`)
  }
  for (const { model, dataset, message } of result.failures)
    process.stderr.write(`failed: ${model} on ${dataset}: ${message}\n`)
  const { datasetNotes } = await import('../../results/run.ts')
  datasetNotes(result).forEach(printNote)
  const unread = result.accuracy().filter(({ errors }) => errors > 0)
  for (const { model, dataset, n, errors } of unread)
    printNote(
      `${errors} of ${n + errors} images of ${dataset} gave ${model} no prediction; geogap datasets check lists them`,
    )
  if (result.failures.length > 0 || unread.some(({ n }) => n === 0)) process.exitCode = 3
  else {
    const [out, by] = [
      shellWord(options.out),
      ['region', 'country'].find(name => result.columns.includes(name)),
    ]
    printNote(`next: geogap table ${out} --by ${by ?? 'label'}, geogap report ${out}`)
  }
}

async function evaluateAtQueue(
  asked: EvaluateOptions & { out: string },
  { queue, priority }: EvaluateCommandOptions,
): Promise<Run> {
  const url = queue === true ? process.env['GEOGAP_QUEUE'] : queue
  if (url === undefined)
    throw inputError('no-queue', 'no queue given: --queue redis://host:port or GEOGAP_QUEUE')
  const { evaluateByQueue } = await import('../../evaluate/queue/evaluate.ts')
  const { run, driven } = await evaluateByQueue(asked, {
    ...{ queue: url, ...withoutUndefined({ priority }), onState: queuePrinter() },
  })
  if (driven.outcome === 'cancelled') process.stderr.write('cancelled; what is stored stays\n')
  return run
}

async function evaluateOptionsOf(
  options: EvaluateCommandOptions,
): Promise<EvaluateOptions & { out: string }> {
  const { selectModels } = await import('../../models/select.ts')
  const { weights, preprocessing, batch, device, precision, out, prompts, keep, until } = options
  const adjust = datasetSpecOf(options)
  return {
    models: await selectModels(options.model.flatMap(name => parseList(name))),
    datasets: (await datasetNames(options)).map(name => ({ name, ...adjust })),
    ...withoutUndefined({ weights, preprocessing, batch, device, precision, prompts, keep, until }),
    ...withoutUndefined({ shard: options.part, tags: options.tag }),
    out,
  }
}

async function datasetNames({ dataset = [], suite }: EvaluateCommandOptions): Promise<string[]> {
  if (suite === undefined) {
    if (dataset.length === 0)
      throw inputError(
        'no-dataset',
        'no data set given: --dataset NAME|FILE|FOLDER or --suite paper',
      )
    return dataset
  }
  const { suites } = await import('../../datasets/benchmarks/benchmarks.ts')
  const names = suites[suite]
  if (!names) throw unknownNameError('suite', suite, Object.keys(suites))
  return [...dataset, ...names]
}

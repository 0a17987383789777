import { ownValue } from '../../lib/ownValue.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { type EvaluateOptions } from '../../evaluate/evaluate.ts'
import { precisions } from '../../lib/onnx/engine.ts'
import { keptOutputs } from '../../results/schema.ts'
import { type InferenceProfile } from '../../evaluate/profile.ts'
import { countText, shellWord, stripControlCharacters } from '../../lib/table/text.ts'
import { type Run } from '../../results/run.ts'
import { defineCommand, type InputValues, pick } from './command.ts'
import {
  datasetOptions,
  datasetSpecOf,
  deviceOption,
  preprocessingOption,
  promptsOption,
  tagOption,
  weightsOption,
} from './options.ts'
import { list, oneOf, wholeNumber } from './parsers.ts'
import { parseShare } from './workShare.ts'
import { printNote, progressPrinter, queuePrinter, transferPrinter } from './terminal.ts'

const options = {
  '--model <name...>': {
    text: "names (geogap models), testbed, 'resnet*', family:clip or @list.txt",
    required: true,
  },
  '--dataset <name...>': 'benchmarks (geode), manifests (CSV, JSONL, Parquet), folders or archives',
  '--suite <name>': 'the benchmarks of a suite: paper, standard or geographic',
  ...weightsOption(),
  ...preprocessingOption('(default: native)'),
  '--batch <n>': { text: 'images in a batch', parse: wholeNumber() },
  ...deviceOption(),
  '--precision <type>': { text: 'fp32 or fp16 (default: fp32)', parse: oneOf(precisions) },
  '--keep <output>': {
    text: 'keep logits or features of every image, for geogap rescore',
    parse: oneOf(keptOutputs),
  },
  '--replace': 'let --keep replace kept outputs of the other kind',
  ...promptsOption,
  ...datasetOptions,
  '--recheck': 'read all images again, also those whose files look unchanged',
  '--out <dir>': { text: 'folder for the results', default: 'geogap-results' },
  '--part <i/n>': {
    text: 'only one of n shares, for n machines; `auto` takes it from Slurm or Kubernetes',
    parse: (text: string) => parseShare(text),
  },
  '--until <rule>': "stop when every group's interval is narrow enough, in points: 'region ±1'",
  '--queue [url]': 'let the workers at a queue do it: redis://host:port, or GEOGAP_QUEUE',
  '--priority <n>': {
    text: 'of this run among those at the queue (default: 0)',
    parse: wholeNumber(0),
  },
  ...tagOption,
  '--dry-run': 'print the plan: images, downloads, time and disk',
  '--profile': 'show how models were run and where the time went, in milliseconds an image',
} as const

type Inputs = InputValues<typeof options>

/** Returns a function that prints, once, what is evaluated. It is called after names and files have been found. */
function planNote({ models, datasets, out }: EvaluateOptions): () => void {
  let said = false
  return () => {
    if (said) return
    said = true
    printNote(
      `evaluating ${countText(models.length, 'model')} on ${countText(datasets.length, 'data set')} into ${out}; finished parts are not repeated`,
    )
  }
}

/** Returns `print` with a note before its first output. */
const afterNote =
  <Arguments extends unknown[]>(note: () => void, print: (...values: Arguments) => void) =>
  (...values: Arguments): void => {
    note()
    print(...values)
  }

export const command = defineCommand({
  name: 'evaluate',
  text: 'Evaluate models on data sets and keep one row per image. Finished parts are not repeated.',
  options,
  examples: ['geogap evaluate --model resnet50 --dataset geode --data data --out results'],
  run: async inputs => {
    const options = await evaluateOptionsOf(inputs)
    if (inputs.dryRun) {
      await printForecast(options)
      return
    }
    const { interruptSignal } = await import('./interrupt.ts')
    const signal = interruptSignal()
    const profiles: InferenceProfile[] = []
    const note = planNote(options)
    const asked = {
      ...options,
      signal,
      onProfile: (profile: InferenceProfile) => profiles.push(profile),
      onProgress: afterNote(note, progressPrinter()),
      onDownload: afterNote(note, transferPrinter()),
    }
    const { evaluate } = await import('../../evaluate/evaluate.ts')
    const work = inputs.queue === undefined ? evaluate(asked) : evaluateAtQueue(asked, inputs)
    const result = await work.catch((error: unknown) => {
      if (error === signal.reason) process.exit()
      throw error
    })
    await printResult(result, options)
    if (inputs.profile) {
      const { profileTable } = await import('../print/profile.ts')
      process.stdout.write(`\n${profileTable(profiles)}`)
    }
    await printProblems(result, options.out)
    await offerProbes(result, inputs)
  },
})

async function printForecast(options: EvaluateOptions & { out: string }): Promise<void> {
  const { dryRun } = await import('../../evaluate/evaluate.ts')
  const { freeDiskBytes } = await import('../../lib/files.ts')
  const { forecastTable } = await import('../print/forecast.ts')
  const rows = await dryRun(options)
  process.stdout.write(forecastTable(rows, { ...options, free: await freeDiskBytes(options.out) }))
}

async function printResult(result: Run, { until }: EvaluateOptions): Promise<void> {
  const { groupAccuracyTable } = await import('../../report/tables/accuracyTables.ts')
  process.stdout.write(groupAccuracyTable(result, []).text('text'))
  const { leftOutNotes } = await import('../../results/leftOutImages.ts')
  for (const note of leftOutNotes(result)) process.stdout.write(`${stripControlCharacters(note)}\n`)
  if (until === undefined || result.estimates.length === 0) return
  const { estimateTable, savingLines } = await import('../../report/tables/estimateTable.ts')
  process.stdout.write(
    `\n${estimateTable(result.estimates).text('text')}\n${savingLines(result.estimates).join('\n')}\n`,
  )
}

/** Prints failures and images without a prediction, or, if there are none, the next commands. */
async function printProblems(result: Run, out: string): Promise<void> {
  const { datasetNotes } = await import('../../results/run.ts')
  const { failureText } = await import('../../results/records.ts')
  for (const failure of result.failures) process.stderr.write(`failed: ${failureText(failure)}\n`)
  const { modelWarnings } = await import('../../results/modelNotes.ts')
  for (const note of [...modelWarnings(result), ...datasetNotes(result)]) printNote(note)
  const unread = result.accuracy().filter(({ errors }) => errors > 0)
  for (const { model, dataset, n, errors } of unread)
    printNote(
      `${errors} of ${n + errors} images of ${dataset} gave ${model} no prediction; geogap datasets check lists them`,
    )
  if (result.failures.length > 0 || unread.some(({ n }) => n === 0)) process.exitCode = 3
  else {
    const by = ['region', 'country'].find(name => result.columns.includes(name)) ?? 'label'
    printNote(`next: geogap table ${shellWord(out)} --by ${by}, geogap report ${shellWord(out)}`)
  }
}

/** Names the command that checks the preprocessing of each model that was guessed and has the data set's classes. */
async function offerProbes({ modelNotes, entries }: Run, inputs: Inputs): Promise<void> {
  const { isGuessNote, readOwnModel } = await import('../../models/ownModel.ts')
  const { isZeroShot } = await import('../../results/schema.ts')
  if (![...modelNotes.values()].some(isGuessNote)) return
  const [dataset] = await datasetNames(inputs)
  const data = (['data', 'classes', 'labels'] as const)
    .flatMap(name => (inputs[name] === undefined ? [] : ` --${name} ${shellWord(inputs[name])}`))
    .join('')
  for (const word of inputs.model) {
    const name = await readOwnModel(word).then(
      own => own.name,
      () => word,
    )
    const evaluated = entries.find(({ identity }) => identity.model === name)
    if (!isGuessNote(modelNotes.get(name)) || !evaluated || isZeroShot(evaluated.identity)) continue
    if (dataset === undefined || evaluated.rows === 0) continue
    printNote(
      `${name} may be wrong by its preprocessing alone; 100 evenly spaced images tell: geogap models probe ${shellWord(word)} --dataset ${shellWord(dataset)}${data}`,
    )
  }
}

async function evaluateAtQueue(
  asked: EvaluateOptions & { out: string },
  { queue, priority }: Inputs,
): Promise<Run> {
  const url = queue === true ? process.env['GEOGAP_QUEUE'] : queue
  if (url === undefined)
    throw inputError('no-queue', 'no queue given: --queue redis://host:port or GEOGAP_QUEUE')
  const { evaluateByQueue } = await import('../../evaluate/queue/evaluateByQueue.ts')
  const how = { queue: url, priority, onState: queuePrinter() }
  const { run, driven } = await evaluateByQueue(asked, how)
  if (driven.outcome === 'cancelled') process.stderr.write('cancelled; what is stored stays\n')
  return run
}

async function evaluateOptionsOf(inputs: Inputs): Promise<EvaluateOptions & { out: string }> {
  const { selectModels } = await import('../../models/select.ts')
  const adjust = datasetSpecOf(inputs)
  return {
    ...pick(inputs, ['weights', 'preprocessing', 'batch', 'device', 'precision']),
    ...pick(inputs, ['prompts', 'keep', 'replace', 'until', 'out']),
    models: await selectModels(inputs.model.flatMap(name => list(name, '--model'))),
    datasets: (await datasetNames(inputs)).map(name => ({
      name,
      ...adjust,
      recheck: inputs.recheck,
    })),
    ...(inputs.part && { shard: inputs.part }),
    ...(inputs.tag && { tags: inputs.tag }),
  }
}

async function datasetNames({ dataset = [], suite }: Inputs): Promise<string[]> {
  if (suite === undefined) {
    if (dataset.length === 0)
      throw inputError(
        'no-dataset',
        'no data set given: --dataset NAME|FILE|FOLDER or --suite paper',
      )
    return dataset
  }
  const { suites } = await import('../../datasets/benchmarks/index.ts')
  const names = ownValue(suites, suite)
  if (!names) throw unknownNameError('suite', suite, Object.keys(suites))
  return [...dataset, ...names]
}

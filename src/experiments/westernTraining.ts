/*
 * Fine-tunes under western bias, from names to results (appendix H): for every western share and seed, a whole network is
 * fine-tuned on a sample of one size and evaluated.
 */
import { defaultMinN } from '../metrics/disparity.ts'
import { join } from 'node:path'
import { checkDataset } from '../datasets/checkDataset.ts'
import { type Dataset, type Sample } from '../datasets/dataset.ts'
import { openDataset } from '../datasets/open.ts'
import { inputError, dataError } from '../lib/errors.ts'
import { evaluate } from '../evaluate/evaluate.ts'
import { createCropPreparer, type CropPreparer } from '../evaluate/workers/cropBatches.ts'
import { findArchitecture } from '../models/architectures.ts'
import { fixedSize, volume } from '../lib/onnx/shapes.ts'
import { readParameters } from '../lib/tensors/bindWeights.ts'
import { classifierGraph } from '../models/runtime/loadModel.ts'
import { loadModelSpec } from '../models/loadModelSpec.ts'
import { descriptionName } from '../models/ownModel.ts'
import { readWeights } from '../lib/tensors/readWeights.ts'
import { type NamedTensor } from '../lib/tensors/safetensors.ts'
import { type LocalModel } from '../models/spec.ts'
import { modelSteps, stepsFor } from '../evaluate/jobs.ts'
import { writeJson } from '../results/records.ts'
import { slug } from '../results/storedEvaluations.ts'
import { recordStudy } from '../results/studies.ts'
import { type PreprocessingMode, type PreprocessingStep } from '../lib/pixels/steps.ts'
import { sha256 } from '../lib/hash.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { type EvaluationProgress } from '../evaluate/progress.ts'
import { finetune, type FinetuneOptions, type FinetunePlan } from './finetune.ts'
import { type TrainableNetwork, networkOf } from './network.ts'
import { figureLabelOf, openDatasets, type TrainingOptions } from './parts.ts'
import { headNames, prepareNamedModel } from './pretrained.ts'
import { namePartFigures } from './scorePart.ts'
import { requireClassesEvaluated } from './splits.ts'
import { runStudy, type StudySummaryRow } from './study.ts'
import { largestSize, drawWesternSample, westernShares } from './westernShare.ts'

/** Options of the training under western bias; one seed by default, as in the paper. */
export interface WesternTrainingOptions
  extends TrainingOptions, Pick<FinetuneOptions, 'epochs' | 'batch' | 'rate' | 'microBatch'> {
  model: string
  /** Western shares. Default 0.5 … 1. */
  shares?: readonly number[]
  /** Training images of every share. Default: as many as all shares allow. */
  size?: number
  preprocessing?: PreprocessingMode
  out: string
  /** Called before each run with its plan and the estimated seconds of all remaining runs. */
  onPlan?: (run: WesternRun, plan: FinetunePlan, totalSeconds: number) => void
  onEpoch?: (run: WesternRun, epoch: number, loss: number) => void
  onProgress?: (progress: EvaluationProgress) => void
}

export interface WesternRun {
  share: number
  seed: number
}

export interface WesternTrainingResult {
  /** Figures by western share; `europe minus africa` is that of the first evaluation. */
  rows: StudySummaryRow[]
  notes: string[]
  /** Folders of the fine-tuned models, each of which can be given as a model. */
  models: string[]
  size: number
}

/**
 * Fine-tunes, evaluates, and records the study `western-share` of `out`. An interrupted run continues where it stopped.
 * @throws GeogapError `empty-region`, `share-too-large`, `class-not-evaluated`, and errors of `finetune`.
 */
export async function runWesternTraining(
  options: WesternTrainingOptions,
): Promise<WesternTrainingResult> {
  const {
    out,
    shares = westernShares,
    seeds = 1,
    minN = defaultMinN,
    split = 'household',
  } = options
  const opened = await openDatasets({ ...options, split }, name =>
    openDataset({ ...options.open, name }),
  )
  const { items, notes } = await usableSamples(opened.train)
  requireClassesEvaluated(
    items,
    opened.evals.flatMap(part => part.samples),
  )
  const regions = items.map(({ groups }) =>
    groups['region'] === null ? null : String(groups['region'] ?? ''),
  )
  const size = options.size ?? largestSize(regions, shares)
  if (size === 0)
    throw inputError(
      'empty-region',
      `no training images for western shares of ${shares.join(', ')}`,
    )
  const samples = (share: number, seed: number) => drawWesternSample(regions, { size, share, seed })
  for (const share of shares) samples(share, 1)
  const task = await prepareTask(options, opened.train)
  const runs = shares.length * seeds
  const models: string[] = []
  const run = async (share: number, seed: number) => {
    const chosen = samples(share, seed).map(position => items[position]!)
    const planned = { share, seed, chosen, runsLeft: runs - models.length }
    const folder = await finetuneModel(options, task, planned)
    models.push(folder)
    return evaluateModel(folder, opened.evals, { ...options, minN })
  }
  const rows = await runStudy({ settings: shares, seeds, run })
  await recordStudy(out, { study: 'western-share', model: task.name }, rows)
  return { rows, notes: [...opened.notes, ...notes, ...task.notes], models, size }
}

/** Returns the samples that can be read and have a class. */
async function usableSamples(dataset: Dataset): Promise<{ items: Sample[]; notes: string[] }> {
  const { missing, unreadable } = await checkDataset(dataset)
  const lost = new Set([...missing, ...unreadable.map(({ id }) => id)])
  const items = dataset.samples.filter(({ id, labels }) => labels.length > 0 && !lost.has(id))
  const notes =
    lost.size > 0
      ? [`${lost.size} images of ${dataset.name} could not be read and are left out`]
      : []
  return { items, notes }
}

interface FinetuneTask {
  name: string
  architecture: string
  network: TrainableNetwork
  parameters: NamedTensor[]
  steps: readonly PreprocessingStep[]
  /** Applies `steps` and the fixes of this data set. */
  preparer: CropPreparer
  classes: 'imagenet-1k' | readonly string[]
  content: string
  notes: string[]
}

async function prepareTask(
  { model: name, preprocessing = 'native', onDownload }: WesternTrainingOptions,
  train: Dataset,
): Promise<FinetuneTask> {
  const ready = await prepareNamedModel(name, onDownload, spec => {
    if (spec.graph || spec.head)
      throw inputError(
        'not-trainable',
        `${spec.name} is no architecture of the catalogue, which fine-tuning needs`,
      )
  })
  const { spec } = ready
  const steps = modelSteps(spec.recipe, preprocessing)
  const classes = train.labelSpace === 'imagenet-1k' ? train.labelSpace : train.classes
  const network = networkOf({ ...ready.model, classes: train.classes.length }, steps)
  const own = String(spec.classes) === String(classes)
  const parameters = own
    ? await startingValues(ready.model, steps)
    : await withNewHead(ready, steps, train.classes.length)
  return {
    name: spec.name,
    architecture: spec.architecture,
    network,
    parameters,
    steps,
    classes,
    preparer: await createCropPreparer(stepsFor(spec.recipe, preprocessing, train.imageFixes)),
    content: train.hash,
    notes: own
      ? []
      : [`${spec.name} has other classes than ${train.name}: its head starts from zeros`],
  }
}

async function startingValues(
  model: LocalModel,
  steps: readonly PreprocessingStep[],
): Promise<NamedTensor[]> {
  const files = await Promise.all(model.files.map(readWeights))
  return readParameters(
    classifierGraph(model, steps),
    files,
    findArchitecture(model.architecture).names,
  )
}

async function withNewHead(
  { model }: PreparedModel,
  steps: readonly PreprocessingStep[],
  classes: number,
): Promise<NamedTensor[]> {
  const graph = classifierGraph({ ...model, classes }, steps)
  const names = headNames(graph)
  if (!names) throw inputError('no-head', `${model.architecture} has no linear head to replace`)
  const values = new Map((await startingValues(model, steps)).map(value => [value.name, value]))
  return Array.from(graph.parameters, ([name, { tensor }]) => {
    if (name !== names.weight && name !== names.bias) return values.get(name)!
    const shape = tensor.shape.map(size => fixedSize(size, name))
    return { name, shape, data: new Float32Array(volume(shape)) }
  })
}

/** Fine-tunes on the chosen samples and describes the last checkpoint as a model. Returns its folder. */
async function finetuneModel(
  { out, epochs, batch, rate, microBatch, onPlan, onEpoch }: WesternTrainingOptions,
  task: FinetuneTask,
  { chosen, runsLeft, ...run }: WesternRun & { chosen: readonly Sample[]; runsLeft: number },
): Promise<string> {
  const name = `${task.name}.western_${Math.round(100 * run.share)}_seed_${run.seed}`
  const folder = join(out, 'finetuned', slug(name))
  const { file } = await finetune({
    network: task.network,
    parameters: task.parameters,
    folder,
    seed: run.seed,
    epochs,
    batch,
    rate,
    microBatch,
    labels: chosen.map(({ labels }) => labels[0]!),
    data: sha256([task.content, ...chosen.map(({ id }) => id)].join('\n')),
    crops: async positions => {
      const some = positions.map(position => chosen[position]!)
      const { crops, failed } = await task.preparer.finish(task.preparer.begin(some, 0))
      const [lost] = failed
      if (lost)
        throw dataError(lost.code, `cannot read image ${some[lost.at]!.id} any more: ${lost.code}`)
      return crops
    },
    onPlan: plan =>
      onPlan?.(
        run,
        plan,
        (plan.seconds * (runsLeft * plan.epochs - plan.done)) / (plan.epochs - plan.done),
      ),
    onEpoch: (epoch, loss) => onEpoch?.(run, epoch, loss),
  })
  const weights = file.slice(folder.length + 1)
  const { architecture, steps: preprocessing, classes } = task
  await writeJson(join(folder, descriptionName), {
    name,
    architecture,
    weights,
    preprocessing,
    classes,
  })
  return folder
}

async function evaluateModel(
  model: string,
  evals: readonly Dataset[],
  { out, minN, onProgress }: WesternTrainingOptions & { minN: number },
): Promise<Record<string, number | null>> {
  const run = await evaluate({
    models: [model],
    datasets: evals,
    out,
    ...(onProgress && { onProgress }),
  })
  const { name } = await loadModelSpec(model)
  const figures: Record<string, number | null> = {}
  for (const [i, { name: dataset }] of evals.entries()) {
    const slot = { model: name, dataset, preprocessing: 'native' }
    const [found] = run.disparity({ ...slot, minN })
    const europeMinusAfrica = found?.europeMinusAfrica ?? null
    if (i === 0) figures['europe minus africa'] = europeMinusAfrica
    const own = namePartFigures(figureLabelOf(dataset), {
      accuracy: run.accuracy(slot)[0]?.top1 ?? null,
      disparity: found?.disparity ?? null,
      europeMinusAfrica,
    })
    Object.assign(figures, own)
  }
  return figures
}

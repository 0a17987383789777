/*
 * Fine-tunes a whole network (appendix H). The gradients of a batch are summed over micro-batches that fit the memory. After
 * every epoch the run's folder holds a checkpoint. An interrupted run continues from it with the same settings and ends with
 * bit-identical parameters.
 */
import { createHash } from 'node:crypto'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { GeogapError, inputError } from '../lib/errors.ts'
import { type ParameterRole } from '../lib/onnx/graph.ts'
import { type ParameterBinding } from '../lib/onnx/encode.ts'
import { adam } from '../lib/onnx/optimizers.ts'
import { type NamedTensor } from '../lib/tensors/safetensors.ts'
import { asBytes } from '../lib/tensors/tensors.ts'
import { randomPermutation, randomFor } from '../lib/random.ts'
import { sha256 } from '../lib/hash.ts'
import { type Feeds } from './training/buffers.ts'
import {
  loadCheckpoint,
  parametersFile,
  saveCheckpoint,
  type TrainingSettings,
} from './training/checkpoint.ts'
import { peakBytes } from './training/memory.ts'
import { accumulationGraph } from './training/step.ts'
import {
  type AccumulatingTrainer,
  createAccumulatingTrainer,
  type Trainer,
} from './training/trainer.ts'
import { type TrainableNetwork, networkGraph, objectiveOf } from './network.ts'
import { loadOnnxRuntime } from '../lib/onnx/runtime.ts'

/** The size of a run and an estimate of its time. */
export interface FinetunePlan {
  images: number
  epochs: number
  /** Epochs done by an earlier run. */
  done: number
  /** Updates per epoch. */
  steps: number
  /** Images per forward and backward pass. */
  microBatch: number
  /** Estimated seconds of the remaining epochs. */
  seconds: number
}

export interface FinetuneOptions {
  network: TrainableNetwork
  /** Values of all parameters at the start. */
  parameters: readonly NamedTensor[]
  /** Returns the crops of training images, uint8 [positions, 3, size, size]. */
  crops: (positions: readonly number[]) => Promise<Uint8Array>
  /** The class of every training image. */
  labels: readonly number[]
  /** Identifies the images: the hash of the data set and of the drawn sample. */
  data: string
  /** Folder of the checkpoints. */
  folder: string
  seed: number
  /** Default 30, as in the paper. */
  epochs?: number | undefined
  /** Images per update. Default 32; the paper states none. */
  batch?: number | undefined
  /** Learning rate. Default 1e-5, as in the paper, which does not name the optimizer; here it is Adam. */
  rate?: number | undefined
  /** Images per pass. Default: as many as fit half of the free memory. */
  microBatch?: number | undefined
  onPlan?: (plan: FinetunePlan) => void
  onEpoch?: (epoch: number, loss: number) => void
}

export interface FinetuneResult {
  /** The safetensors file with the parameters after the last epoch, under the architecture's own names. */
  file: string
  /** Mean loss of each epoch. */
  losses: readonly number[]
  steps: number
}

interface FinetuneRun extends FinetuneOptions {
  epochs: number
  batch: number
  rate: number
}

/**
 * Trains all parameters with Adam on cross-entropy, without augmentation.
 * @throws GeogapError `bad-training-data`, `checkpoint-mismatch`, `bad-checkpoint`; `bad-loss` and `bad-parameters` when
 * training diverges, which leaves the last good checkpoint.
 */
export async function finetune(options: FinetuneOptions): Promise<FinetuneResult> {
  const { network, labels, folder, epochs = 30, batch = 32, rate = 1e-5 } = options
  const run: FinetuneRun = { ...options, epochs, batch, rate }
  requireValidData(run)
  const settings = trainingSettingsOf(run)
  const saved = await loadCheckpoint(folder, settings)
  const { trained, frozen } = splitParameters(network, saved?.parameters ?? run.parameters)
  const microBatch = saved
    ? Number(saved.settings['micro-batch'])
    : (run.microBatch ?? largestMicroBatch(network, trained, batch))
  const start = saved ?? { epoch: 0, steps: 0, losses: [], parameters: [], slots: [] }
  if (start.epoch > epochs)
    throw inputError('checkpoint-mismatch', `${folder} has ${start.epoch} epochs, not ${epochs}`)
  const { epoch: done, steps, slots, losses: before } = start
  if (done === epochs) return { file: join(folder, parametersFile(epochs)), losses: before, steps }
  const trainer = await createAccumulatingTrainer(
    {
      objective: objectiveOf(network),
      optimizer: adam(run),
      parameters: trained,
      slots,
      steps,
      frozen: bindingOf(frozen),
    },
    feeds => feeds['labels']!.dims[0]!,
  )
  const losses = [...before]
  try {
    const plan = {
      images: labels.length,
      epochs,
      done,
      steps: Math.ceil(labels.length / batch),
      microBatch,
    }
    run.onPlan?.({ ...plan, seconds: await estimateSeconds(run, trainer, plan) })
    while (losses.length < epochs) {
      const epoch = losses.length + 1
      losses.push(await runEpoch({ ...run, microBatch }, trainer, epoch))
      await saveCheckpoint(folder, {
        settings: { ...settings, 'micro-batch': microBatch },
        epoch,
        losses,
        steps: trainer.steps(),
        parameters: [...trainer.parameters(), ...frozen],
        slots: trainer.slots(),
      })
      run.onEpoch?.(epoch, losses.at(-1)!)
    }
  } catch (error) {
    throw withCheckpointHint(error, folder)
  } finally {
    await trainer.release()
  }
  return { file: join(folder, parametersFile(epochs)), losses, steps: trainer.steps() }
}

/** Trains on all images once, in a random order of the epoch, and returns the mean loss. The next batch is prepared during a step. */
async function runEpoch(
  run: FinetuneRun & { microBatch: number },
  trainer: Trainer,
  epoch: number,
): Promise<number> {
  const order = [...randomPermutation(run.labels.length, randomFor(run.seed, `epoch ${epoch}`))]
  const batches = Array.from({ length: Math.ceil(order.length / run.batch) }, (_, i) =>
    order.slice(i * run.batch, (i + 1) * run.batch),
  )
  let total = 0
  let prepared = feedsOf(run, batches[0]!, run.microBatch)
  for (const [i, positions] of batches.entries()) {
    const parts = await prepared
    if (i + 1 < batches.length) prepared = feedsOf(run, batches[i + 1]!, run.microBatch)
    prepared.catch(() => undefined)
    total += (await trainer.step(...parts)) * positions.length
  }
  return total / order.length
}

/** Returns a batch as micro-batches. */
async function feedsOf(
  run: FinetuneRun,
  positions: readonly number[],
  microBatch: number,
): Promise<Feeds[]> {
  const { Tensor } = await loadOnnxRuntime()
  const { size } = run.network
  const parts: Feeds[] = []
  for (let at = 0; at < positions.length; at += microBatch) {
    const part = positions.slice(at, at + microBatch)
    const crops = await run.crops(part)
    if (crops.length !== part.length * 3 * size * size)
      throw inputError(
        'bad-training-data',
        `${crops.length} bytes for ${part.length} crops of 3×${size}×${size}`,
      )
    parts.push({
      crops: new Tensor('uint8', crops, [part.length, 3, size, size]),
      labels: new Tensor(
        'int64',
        BigInt64Array.from(part, position => BigInt(run.labels[position]!)),
        [part.length],
      ),
    })
  }
  return parts
}

/** Estimates the seconds of the remaining epochs from the second of two passes over the first images. */
async function estimateSeconds(
  run: FinetuneRun,
  trainer: AccumulatingTrainer,
  plan: Omit<FinetunePlan, 'seconds'>,
): Promise<number> {
  const first = Array.from({ length: Math.min(plan.microBatch, plan.images) }, (_, i) => i)
  let started = 0
  for (let pass = 0; pass < 2; pass++) {
    started = performance.now()
    const [part] = await feedsOf(run, first, first.length)
    await trainer.rehearse(part!)
  }
  const perImage = (performance.now() - started) / 1000 / first.length
  return perImage * plan.images * (plan.epochs - plan.done)
}

/** Parameters with these roles stay as they are. */
const frozenRoles = new Set<ParameterRole>(['mean', 'variance', 'fixed'])

function splitParameters(
  network: TrainableNetwork,
  parameters: readonly NamedTensor[],
): { trained: NamedTensor[]; frozen: NamedTensor[] } {
  const declared = networkGraph(network).parameters
  const known = new Map(parameters.map(tensor => [tensor.name, tensor]))
  const all = Array.from(declared.values(), ({ tensor: { name, shape }, role }) => {
    const tensor = known.get(name)
    if (String(tensor?.shape) !== String(shape))
      throw inputError(
        'bad-training-data',
        `no starting values for parameter ${name} [${String(shape)}]`,
      )
    return { tensor: tensor!, role }
  })
  const of = (wanted: boolean): NamedTensor[] =>
    all.filter(({ role }) => frozenRoles.has(role) !== wanted).map(({ tensor }) => tensor)
  return { trained: of(true), frozen: of(false) }
}

function bindingOf(frozen: readonly NamedTensor[]): { bind: (name: string) => ParameterBinding } {
  const values = new Map(frozen.map(({ name, data }) => [name, asBytes(data)]))
  return { bind: name => ({ dtype: 'float32', values: values.get(name)! }) }
}

/** Returns the largest power of two up to `batch` whose pass needs at most half of the free memory. */
function largestMicroBatch(
  network: TrainableNetwork,
  trained: readonly NamedTensor[],
  batch: number,
): number {
  const names = trained.map(({ name }) => name)
  const graph = accumulationGraph(objectiveOf(network), names)
  const state = 8 * trained.reduce((bytes, { data }) => bytes + data.byteLength, 0)
  let images = 2 ** Math.floor(Math.log2(batch))
  while (images > 1 && state + 1.5 * peakBytes(graph, images) > freemem() / 2) images /= 2
  return images
}

function requireValidData({ network, labels, batch, epochs, microBatch = 1 }: FinetuneRun): void {
  const wrong = Object.entries({ batch, epochs, 'micro-batch': microBatch }).find(
    ([, n]) => !(Number.isInteger(n) && n > 0),
  )
  if (wrong)
    throw inputError('bad-training-data', `${wrong[0]} ${wrong[1]} is not a positive whole number`)
  if (labels.length === 0) throw inputError('bad-training-data', 'no images to train on')
  const classes = Number(networkGraph(network).outputs.get('logits')!.shape[1])
  const bad = labels.find(label => !(Number.isInteger(label) && label >= 0 && label < classes))
  if (bad !== undefined)
    throw inputError('bad-training-data', `label ${bad} is not a class of 0 … ${classes - 1}`)
}

function trainingSettingsOf({
  network,
  parameters,
  labels,
  data,
  seed,
  batch,
  rate,
}: FinetuneRun): TrainingSettings {
  const weights = createHash('sha256')
  for (const { name, data: values } of parameters)
    weights.update(`${name}\n`).update(asBytes(values))
  return {
    network: network.name,
    weights: weights.digest('hex'),
    data,
    labels: sha256(JSON.stringify(labels)),
    seed,
    batch,
    rate,
  }
}

/** Adds the folder of the last good checkpoint to the error of a diverged run. */
function withCheckpointHint(error: unknown, folder: string): unknown {
  if (!(error instanceof GeogapError) || !['bad-loss', 'bad-parameters'].includes(error.code))
    return error
  const message = `${error.message}; the last good checkpoint stays in ${folder}`
  return new GeogapError({ kind: error.kind, code: error.code, message, cause: error })
}

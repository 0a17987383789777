import { type InferenceSession, type Tensor as Value } from 'onnxruntime-node'
import { dataError } from '../../lib/errors.ts'
import { type Graph, shapeError } from '../../lib/onnx/graph.ts'
import { type ParameterBinding, encodeModel } from '../../lib/onnx/encode.ts'
import { type Optimizer } from '../../lib/onnx/optimizers.ts'
import { createSession } from '../../models/runtime/session.ts'
import { type NamedTensor } from '../../lib/tensors/safetensors.ts'
import {
  createBuffers,
  type Feeds,
  outputFeeds,
  shareMemory,
  type TrainingStart,
  zeroTensor,
} from './buffers.ts'
import { accumulationGraph, type Objective, slotName, stepGraph, updateGraph } from './step.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

export interface TrainerOptions extends TrainingStart {
  objective: Objective
  optimizer: Optimizer
  /** Source of the parameters that are not trained. */
  frozen?: { bind: (name: string) => ParameterBinding; folder?: string }
  threads?: number
}

export interface Trainer {
  /**
   * Updates the parameters by a batch, whole or in micro-batches, and returns its mean loss.
   * @throws GeogapError `bad-loss` when the loss is not a finite number.
   */
  step(...batch: readonly Feeds[]): Promise<number>
  /** Returns the number of updates done. */
  steps(): number
  /** Returns the trained parameters; later steps change these values. */
  parameters(): NamedTensor[]
  /** Returns the optimizer's state; later steps change these values. */
  slots(): NamedTensor[]
  release(): Promise<void>
}

/** Trains with loss, gradients and update in one graph; `step` takes a single whole batch. */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { objective, optimizer, parameters } = options
  const names = parameters.map(({ name }) => name)
  const buffers = await createBuffers(options, optimizer)
  const session = await createTrainingSession(stepGraph(objective, names, optimizer), options)
  return {
    ...buffers,
    step: async batch => {
      const found = await session.run(
        { ...batch, ...buffers.feeds() },
        { loss: null, ...buffers.fetches() },
      )
      const loss = requireFiniteLoss(found.loss!, buffers.steps() + 1)
      buffers.commit()
      return loss
    },
    release: () => session.release(),
  }
}

export interface AccumulatingTrainer extends Trainer {
  /** Does the work of a micro-batch without an update, to measure its time. */
  rehearse(part: Feeds): Promise<void>
}

/** Trains with gradients summed over micro-batches; `rows` counts a micro-batch's images. */
export async function createAccumulatingTrainer(
  options: TrainerOptions,
  rows: (batch: Feeds) => number,
): Promise<AccumulatingTrainer> {
  const { objective, optimizer, parameters } = options
  const { Tensor } = await loadOnnxRuntime()
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]))
  const buffers = await createBuffers(options, optimizer)
  const add = await createTrainingSession(accumulationGraph(objective, [...shapes.keys()]), options)
  const update = await createTrainingSession(updateGraph(shapes, optimizer), options)
  const sums = await shareMemory(
    parameters.map(tensor => zeroTensor({ ...tensor, name: slotName('gradient', tensor.name) })),
  )
  const accumulate = async (part: Feeds, total: number): Promise<number> => {
    const scale = new Tensor('float32', Float32Array.of(1 / total), [])
    const feeds = { ...part, ...pickFeeds(buffers.feeds(), add.inputNames), ...sums.values, scale }
    const found = await add.run(feeds, { loss: null, ...outputFeeds(sums.values) })
    return requireFiniteLoss(found.loss!, buffers.steps() + 1)
  }
  return {
    ...buffers,
    step: async (...batch) => {
      for (const { data } of sums.tensors) data.fill(0)
      const total = batch.reduce((count, part) => count + rows(part), 0)
      let loss = 0
      for (const part of batch) loss += await accumulate(part, total)
      await update.run({ ...buffers.feeds(), ...sums.values }, buffers.fetches())
      buffers.commit()
      return loss
    },
    rehearse: async part => {
      await accumulate(part, rows(part))
    },
    release: async () => {
      await add.release()
      await update.release()
    },
  }
}

const pickFeeds = (feeds: Feeds, names: readonly string[]): Feeds =>
  Object.fromEntries(Object.entries(feeds).filter(([name]) => names.includes(name)))

function createTrainingSession(
  graph: Graph,
  { frozen, threads }: TrainerOptions,
): Promise<InferenceSession> {
  const bind = (name: string): ParameterBinding => {
    if (!frozen) throw shapeError('train', `parameter ${name} is neither trained nor bound`)
    return frozen.bind(name)
  }
  return createSession(encodeModel(graph, { bind }), {
    memoryPattern: false,
    ...(frozen?.folder !== undefined && { folder: frozen.folder }),
    ...(threads !== undefined && { threads }),
  })
}

function requireFiniteLoss(loss: Value, step: number): number {
  const value = (loss.data as Float32Array)[0]!
  if (Number.isFinite(value)) return value
  throw dataError(
    'bad-loss',
    `the loss is ${value} at step ${step}: the learning rate may be too large`,
  )
}

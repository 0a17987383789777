import { type InferenceSession, type Tensor as Value } from 'onnxruntime-node'
import { GeogapError } from '../../lib/errors.ts'
import { type Graph, shapeError } from '../../lib/onnx/graph.ts'
import { type ParameterBinding, encodeModel } from '../../lib/onnx/encode.ts'
import { type Optimizer } from '../../lib/onnx/optimizers.ts'
import { createSession } from '../../models/runtime/session.ts'
import { type NamedTensor } from '../../lib/tensors/safetensors.ts'
import { createBuffers, type Feeds, shareMemory, outputFeeds, zeroTensor } from './buffers.ts'
import { accumulationGraph, type Objective, slotName, stepGraph, updateGraph } from './step.ts'

export interface TrainerOptions {
  objective: Objective
  optimizer: Optimizer
  /** Starting values of the trained parameters; not changed. */
  parameters: readonly NamedTensor[]
  /** Optimizer state to go on from, `slot:parameter`; zeros by default. */
  slots?: readonly NamedTensor[]
  /** Updates already done. */
  steps?: number
  /** Where the parameters that are not trained come from. */
  frozen?: { bind: (name: string) => ParameterBinding; folder?: string }
  threads?: number
}

export interface Trainer {
  /**
   * One update by a batch, whole or in micro-batches; gives the batch's mean loss.
   * @throws GeogapError `bad-loss` when the loss is not a finite number.
   */
  step(...batch: readonly Feeds[]): Promise<number>
  /** Updates done so far. */
  steps(): number
  /** The trained parameters now; later steps change these values. */
  parameters(): NamedTensor[]
  /** The optimizer's state now, likewise. */
  slots(): NamedTensor[]
  release(): Promise<void>
}

/** Trains with loss, gradients and update in one graph; `step` takes a single whole batch. */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { objective, optimizer, parameters } = options
  const names = parameters.map(({ name }) => name)
  const buffers = await createBuffers(parameters, optimizer, options.slots, options.steps)
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
  /** The work of a micro-batch without an update, to see how long it takes. */
  rehearse(part: Feeds): Promise<void>
}

/** Trains with gradients summed over micro-batches; `rows` counts a micro-batch's images. */
export async function createAccumulatingTrainer(
  options: TrainerOptions,
  rows: (batch: Feeds) => number,
): Promise<AccumulatingTrainer> {
  const { objective, optimizer, parameters } = options
  const { Tensor } = await import('onnxruntime-node')
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]))
  const buffers = await createBuffers(parameters, optimizer, options.slots, options.steps)
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
  const folder = frozen?.folder
  return createSession(encodeModel(graph, { bind }), {
    memoryPattern: false,
    ...(folder === undefined ? {} : { folder }),
    ...(threads === undefined ? {} : { threads }),
  })
}

function requireFiniteLoss(loss: Value, step: number): number {
  const value = (loss.data as Float32Array)[0]!
  if (Number.isFinite(value)) return value
  throw new GeogapError(
    'data',
    'bad-loss',
    `the loss is ${value} at step ${step}: the learning rate may be too large`,
  )
}

/*
 * Retrains the last layer of a model (section 6.3, appendix G): trains the classifier alone, on features that are computed once,
 * starting from the pretrained classifier. Results with one seed are bit-identical on one machine.
 */
import { inputError } from '../lib/errors.ts'
import { crossEntropies } from '../lib/onnx/blocks/loss.ts'
import { addInput } from '../lib/onnx/graph.ts'
import { adam, type Optimizer } from '../lib/onnx/optimizers.ts'
import { randomPermutation, randomFor } from '../lib/random.ts'
import { type Feeds } from './training/buffers.ts'
import { type Objective } from './training/step.ts'
import { createTrainer } from './training/trainer.ts'
import {
  classify,
  type FeatureMatrix,
  type LinearHead,
  headTensors,
  selectRows,
  countRows,
} from '../models/runtime/head.ts'
import { loadOnnxRuntime } from '../lib/onnx/runtime.ts'

export interface RetrainOptions {
  features: FeatureMatrix
  /** The class of every row of `features`, 0 … classes - 1. */
  labels: ArrayLike<number>
  /** The head to start from; not changed. */
  head: LinearHead
  seed: number
  /** Passes over the data. Default 5, as in the paper. */
  epochs?: number | undefined
  /** Rows per step. Default 32, as in the paper; the last step of an epoch has the remaining rows. */
  batch?: number | undefined
  /** Adam's learning rate. Default 1e-5, as in the paper. */
  rate?: number | undefined
  /** Another optimizer than Adam. */
  optimizer?: Optimizer
  /** Share of the rows to train on, drawn by the seed; a larger share contains the rows of a smaller one. Default 1. */
  fraction?: number | undefined
}

export interface RetrainedHead {
  head: LinearHead
  /** Mean loss of each epoch. */
  losses: number[]
  /** Rows trained on. */
  images: number
}

/**
 * Trains a copy of `head` on cross-entropy, with Adam unless told otherwise.
 * @throws GeogapError `bad-features`, `bad-labels`, `bad-fraction`; `bad-loss` when a loss is not a finite number.
 */
export async function retrainHead(options: RetrainOptions): Promise<RetrainedHead> {
  const { head, seed, epochs = 5, batch = 32, rate = 1e-5, optimizer = adam({ rate }) } = options
  const chosen = drawRows(options)
  const shuffling = randomFor(seed, 'order')
  const task = {
    objective: objectiveOf(head),
    optimizer,
    parameters: headTensors(head),
  }
  const trainer = await createTrainer({ ...task, threads: 1 })
  try {
    const losses: number[] = []
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = randomPermutation(chosen.length, shuffling).map(i => chosen[i]!)
      let total = 0
      for (let at = 0; at < order.length; at += batch) {
        const some = order.subarray(at, at + batch)
        total += (await trainer.step(await feedsOf(options, some))) * some.length
      }
      losses.push(total / order.length)
    }
    const [weight, bias] = trainer.parameters()
    return {
      head: { ...head, weight: weight!.data, bias: bias!.data },
      losses,
      images: chosen.length,
    }
  } finally {
    await trainer.release()
  }
}

function drawRows({ features, labels, head, seed, fraction = 1 }: RetrainOptions): Int32Array {
  const rows = countRows(features, head)
  if (labels.length !== rows)
    throw inputError('bad-labels', `${labels.length} labels for ${rows} rows of features`)
  for (let i = 0; i < rows; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= head.classes)
      throw inputError(
        'bad-labels',
        `label ${label} of row ${i} is not a class of 0 … ${head.classes - 1}`,
      )
  }
  const count = Math.round(fraction * rows)
  if (!(count >= 1 && count <= rows))
    throw inputError(
      'bad-fraction',
      `fraction ${fraction} of ${rows} rows is not between 1 and ${rows} rows`,
    )
  return randomPermutation(rows, randomFor(seed, 'fraction')).subarray(0, count)
}

const objectiveOf =
  (head: LinearHead): Objective =>
  (graph, w) =>
    crossEntropies(
      classify(w, addInput(graph, 'features', { shape: ['n', head.width] }), head),
      addInput(graph, 'labels', { dtype: 'int64', shape: ['n'] }),
    )

/** Returns the chosen rows as tensors. */
async function feedsOf({ features, labels }: RetrainOptions, chosen: Int32Array): Promise<Feeds> {
  const { Tensor } = await loadOnnxRuntime()
  const classes = BigInt64Array.from({ length: chosen.length }, (_, i) =>
    BigInt(labels[chosen[i]!]!),
  )
  return {
    features: new Tensor('float32', selectRows(features, chosen).data, [
      chosen.length,
      features.width,
    ]),
    labels: new Tensor('int64', classes, [chosen.length]),
  }
}

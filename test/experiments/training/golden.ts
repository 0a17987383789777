import { readFileSync } from 'node:fs'
import { Tensor as Value } from 'onnxruntime-node'
import { formulaImages, type FormulaTensor, formulaValues } from '../../../scripts/formula.ts'
import { crossEntropies } from '../../../src/lib/onnx/blocks/loss.ts'
import { addInput, type Tensor, type ParameterScope } from '../../../src/lib/onnx/graph.ts'
import { type ParameterBinding } from '../../../src/lib/onnx/encode.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { type NamedTensor } from '../../../src/lib/tensors/safetensors.ts'
import { type Feeds } from '../../../src/experiments/training/buffers.ts'
import { type Objective } from '../../../src/experiments/training/step.ts'
import { sharedPath } from '../../helpers/shared.ts'

interface Summary {
  norm: number
  first: number[]
}

export interface GoldenTraining {
  optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number }
  batch: number
  steps: number
  losses: number[]
  gradients_at_step_0: Record<string, Summary>
  parameters_after: Record<string, Summary>
  logits_after: number[][]
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(sharedPath(`golden/training/${name}.json`), 'utf8')) as unknown

export const goldenTraining = (name: string): GoldenTraining => read(name) as GoldenTraining

/** The formula weights of vit_tiny_patch16_224. */
export function startingWeights(): NamedTensor[] {
  const { tensors } = read('vit_tiny_patch16_224') as { tensors: FormulaTensor[] }
  return tensors.map(({ name, shape, center = 0, radius = 0 }) => ({
    name,
    shape,
    data: formulaValues(
      name,
      shape.reduce((a, b) => a * b, 1),
      center,
      radius,
    ),
  }))
}

/** vit_tiny's logits for `image` [n, 3, 224, 224]. */
export function logits(w: ParameterScope, image: Tensor): Tensor {
  const model = findArchitecture('vit_tiny_patch16_224')
  if (model.kind !== 'classifier') throw new Error('expected a classifier')
  return model.build(w, image, 1000).logits
}

/** Cross-entropies for inputs `image` and `labels` [n]. */
export const objective: Objective = (graph, w) =>
  crossEntropies(
    logits(w, addInput(graph, 'image', { shape: ['n', 3, 224, 224] })),
    addInput(graph, 'labels', { dtype: 'int64', shape: ['n'] }),
  )

/** Finds parameters among tensors in memory. */
export function bindTo(tensors: readonly NamedTensor[]): (name: string) => ParameterBinding {
  const known = new Map(tensors.map(({ name, data }) => [name, new Uint8Array(data.buffer)]))
  return name => ({ dtype: 'float32', values: known.get(name)! })
}

/** The batch of a golden step. */
export function batchOf(step: number, batch: number): Feeds {
  const labels = formulaValues(`label:${step}`, batch, 0.5, 0.5)
  return {
    image: new Value('float32', formulaImages(`train:${step}`, 224, batch), [batch, 3, 224, 224]),
    labels: new Value(
      'int64',
      BigInt64Array.from(labels, unit => BigInt(Math.floor(20 * unit))),
      [batch],
    ),
  }
}

const norm = (data: Float32Array): number =>
  Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))

/**
 * How far `tensors` are from the golden summaries, each figure over what the golden README allows (so 1 is the bound):
 * norms to 1e-4 relative, first values to 1e-4 of the tensor's largest and of `travelled`. The key third of `qkv.bias` and
 * the norms of `qkv.bias` do not count: its true gradient is zero.
 */
export function distance(
  tensors: readonly NamedTensor[],
  expected: Record<string, Summary>,
  travelled = 0,
): { norm: number; first: number } {
  const worst = { norm: 0, first: 0 }
  const found = new Map(tensors.map(({ name, data }) => [name, data]))
  for (const [name, { norm: size, first }] of Object.entries(expected)) {
    const data = found.get(name)!
    if (!name.endsWith('qkv.bias'))
      worst.norm = Math.max(worst.norm, Math.abs(norm(data) / size - 1) / 1e-4)
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    for (const [i, value] of first.entries()) {
      worst.first = Math.max(
        worst.first,
        Math.abs(data[i]! - value) / (1e-4 * (largest + travelled)),
      )
    }
  }
  return worst
}

/** Largest relative difference of the losses, over the bound of 1e-4. */
export const lossDistance = (ours: readonly number[], expected: readonly number[]): number =>
  Math.max(...expected.map((loss, i) => Math.abs(ours[i]! / loss - 1) / 1e-4))

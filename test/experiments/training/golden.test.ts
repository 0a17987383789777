import { Tensor as Value } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { formulaImages } from '../../../scripts/formula.ts'
import { createGraph, addInput, addOutput, parameterScope } from '../../../src/lib/onnx/graph.ts'
import { encodeModel } from '../../../src/lib/onnx/encode.ts'
import { add, sub } from '../../../src/lib/onnx/ops.ts'
import { adam, type Optimizer } from '../../../src/lib/onnx/optimizers.ts'
import { createSession } from '../../../src/models/runtime/session.ts'
import { type NamedTensor } from '../../../src/lib/tensors/safetensors.ts'
import { createTrainer } from '../../../src/experiments/training/trainer.ts'
import { shared } from '../../helpers/shared.ts'
import { long } from '../../helpers/torture.ts'
import {
  batchOf,
  bindTo,
  distance,
  goldenTraining,
  logits,
  lossDistance,
  objective,
  startingWeights,
} from './golden.ts'

/** Keeps the gradient as its state. */
const gradientKeeper: Optimizer = {
  name: 'gradients',
  slots: ['velocity'],
  begin:
    () =>
    (parameter, gradient, [velocity]) => ({
      parameter: sub(parameter, gradient),
      state: [add(velocity!, gradient)],
    }),
}

/** Up to three steps, or all in the long form, of vit_tiny with the given parameters trained; the first step's gradients come from a velocity that was zero. */
async function train(name: string, isTrained: (parameter: string) => boolean) {
  const golden = goldenTraining(name)
  const steps = long ? golden.steps : Math.min(golden.steps, 3)
  const all = startingWeights()
  const parameters = all.filter(tensor => isTrained(tensor.name))
  const options = { objective, parameters, frozen: { bind: bindTo(all) } }
  const probe = await createTrainer({ ...options, optimizer: gradientKeeper })
  await probe.step(batchOf(0, golden.batch))
  const gradients = probe
    .slots()
    .map(tensor => ({ ...tensor, name: tensor.name.replace('velocity:', '') }))
  await probe.release()

  const trainer = await createTrainer({
    ...options,
    optimizer: adam({ rate: golden.optimizer.lr }),
  })
  const losses: number[] = []
  for (let step = 0; step < steps; step++)
    losses.push(await trainer.step(batchOf(step, golden.batch)))
  const after = trainer.parameters()
  await trainer.release()
  const merged = new Map([...all, ...after].map(tensor => [tensor.name, tensor]))
  return {
    golden,
    gradients,
    losses,
    after,
    merged: [...merged.values()],
    whole: steps === golden.steps,
  }
}

async function logitsOf(tensors: readonly NamedTensor[]): Promise<Float32Array> {
  const graph = createGraph()
  addOutput(
    'logits',
    logits(parameterScope(graph), addInput(graph, 'image', { shape: ['n', 3, 224, 224] })),
  )
  const session = await createSession(encodeModel(graph, { bind: bindTo(tensors) }))
  const image = new Value('float32', formulaImages('public', 224, 2), [2, 3, 224, 224])
  const found = await session.run({ image })
  await session.release()
  return found.logits!.data as Float32Array
}

describe.skipIf(!shared)('training follows PyTorch (needs the golden cases)', () => {
  it.each([
    ['last_layer', (name: string) => name.startsWith('head.')],
    ['full_finetune', () => true],
  ])(
    '%s',
    async (name, isTrained) => {
      const { golden, gradients, losses, after, merged, whole } = await train(name, isTrained)
      expect(gradients.map(tensor => tensor.name).sort()).toEqual(
        Object.keys(golden.gradients_at_step_0).sort(),
      )
      expect(lossDistance(losses, golden.losses.slice(0, losses.length))).toBeLessThan(1)
      const travelled = golden.optimizer.lr * golden.steps
      for (const { norm, first } of [
        distance(gradients, golden.gradients_at_step_0),
        ...(whole ? [distance(after, golden.parameters_after, travelled)] : []),
      ]) {
        expect(norm).toBeLessThan(1)
        expect(first).toBeLessThan(1)
      }
      if (!whole) return
      const ours = await logitsOf(merged)
      for (const [i, value] of golden.logits_after.flat().entries())
        expect(Math.abs(ours[i]! - value)).toBeLessThan(1e-3)
    },
    300_000,
  )
})

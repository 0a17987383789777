import { Tensor as Value } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { linear } from '../../../src/lib/onnx/blocks/linear.ts'
import { crossEntropies } from '../../../src/lib/onnx/blocks/loss.ts'
import { addInput } from '../../../src/lib/onnx/graph.ts'
import { adam } from '../../../src/lib/onnx/optimizers.ts'
import { type NamedTensor } from '../../../src/lib/tensors/safetensors.ts'
import { randomFor } from '../../../src/lib/random.ts'
import { type Feeds } from '../../../src/experiments/training/buffers.ts'
import { type Objective } from '../../../src/experiments/training/step.ts'
import {
  createAccumulatingTrainer,
  createTrainer,
  type Trainer,
} from '../../../src/experiments/training/trainer.ts'

const [width, classes, rows] = [7, 3, 6]
const draw = randomFor(5, 'values')
const floats = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => 2 * draw() - 1)

const objective: Objective = (graph, w) =>
  crossEntropies(
    linear(w.at('head'), addInput(graph, 'x', { shape: ['n', width] }), classes),
    addInput(graph, 'y', { dtype: 'int64', shape: ['n'] }),
  )

const parameters: NamedTensor[] = [
  { name: 'head.weight', shape: [classes, width], data: floats(classes * width) },
  { name: 'head.bias', shape: [classes], data: floats(classes) },
]
const x = floats(rows * width)
const y = BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % classes))

const part = (from: number, to: number): Feeds => ({
  x: new Value('float32', x.slice(from * width, to * width), [to - from, width]),
  y: new Value('int64', y.slice(from, to), [to - from]),
})

const options = { objective, optimizer: adam({ rate: 0.01 }), parameters, threads: 1 }
const accumulating = () => createAccumulatingTrainer(options, feeds => feeds.y!.dims[0]!)

async function run(trainer: Trainer, batch: readonly Feeds[], steps = 5): Promise<number[]> {
  const losses: number[] = []
  for (let step = 0; step < steps; step++) losses.push(await trainer.step(...batch))
  return losses
}

const values = (trainer: Trainer): number[] => trainer.parameters().flatMap(({ data }) => [...data])

describe('trainers', () => {
  it('lower the loss and leave the starting values as they were', async () => {
    const before = parameters.map(({ data }) => [...data])
    const trainer = await createTrainer(options)
    const losses = await run(trainer, [part(0, rows)], 50)
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!)
    expect(trainer.steps()).toBe(50)
    expect(parameters.map(({ data }) => [...data])).toEqual(before)
    await trainer.release()
  })

  it('give the same with micro-batches of unequal size as with the whole batch', async () => {
    const [whole, parts] = [await createTrainer(options), await accumulating()]
    const expected = await run(whole, [part(0, rows)])
    const losses = await run(parts, [part(0, 1), part(1, 5), part(5, rows)])
    for (const [i, loss] of expected.entries()) expect(losses[i]).toBeCloseTo(loss, 5)
    const reference = values(whole)
    for (const [i, value] of values(parts).entries()) expect(value).toBeCloseTo(reference[i]!, 5)
    await whole.release()
    await parts.release()
  })

  it('go on from saved parameters and slots to the last bit', async () => {
    const straight = await createTrainer(options)
    await run(straight, [part(0, 4)], 6)
    const first = await createTrainer(options)
    await run(first, [part(0, 4)], 4)
    const state = { parameters: first.parameters(), slots: first.slots(), steps: first.steps() }
    const second = await createTrainer({ ...options, ...state })
    await run(second, [part(0, 4)], 2)
    expect(values(second)).toEqual(values(straight))
    for (const trainer of [straight, first, second]) await trainer.release()
  })

  it('stop at a loss that is not finite and keep the last parameters', async () => {
    const trainer = await createTrainer(options)
    await run(trainer, [part(0, 4)], 1)
    const kept = values(trainer)
    const bad = part(0, 4)
    ;(bad.x!.data as Float32Array)[0] = NaN
    await expect(trainer.step(bad)).rejects.toThrow('the loss is NaN at step 2')
    expect(values(trainer)).toEqual(kept)
    await trainer.release()
  })

  it('name a parameter that the model does not have, or that has no values', async () => {
    const stranger = { name: 'tail.weight', shape: [1], data: floats(1) }
    await expect(createTrainer({ ...options, parameters: [stranger] })).rejects.toThrow(
      'no parameter tail.weight',
    )
    await expect(createTrainer({ ...options, parameters: [parameters[0]!] })).rejects.toThrow(
      'head.bias is neither',
    )
  })

  it('refuse state of another optimizer', async () => {
    const slots = [{ ...parameters[0]!, name: 'velocity:head.weight' }]
    await expect(createTrainer({ ...options, slots })).rejects.toThrow(
      'no state first:head.weight [3,7]',
    )
  })
})

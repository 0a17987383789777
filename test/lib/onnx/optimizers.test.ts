import { readFileSync } from 'node:fs'
import { Tensor as Value } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { addInput } from '../../../src/lib/onnx/graph.ts'
import { mul, sum } from '../../../src/lib/onnx/ops.ts'
import { adam, nesterov, type Optimizer } from '../../../src/lib/onnx/optimizers.ts'
import { createTrainer } from '../../../src/experiments/training/trainer.ts'

const { parameters: expected } = JSON.parse(
  readFileSync(new URL('./optimizers.expected.json', import.meta.url), 'utf8'),
) as { parameters: Record<string, number[][]> }

const optimizers: Record<string, Optimizer> = {
  adam: adam({ rate: 0.05 }),
  nesterov: nesterov({ rate: 0.02, decay: 0.1 }),
}

/** The gradient that the reference was given at a step, of very different sizes. */
const gradientAt = (step: number): Float32Array =>
  Float32Array.from({ length: 5 }, (_, i) => ((((7 * step + 3 * i) % 11) - 5) / 8) * 10 ** (i - 2))

/** The parameter after each step of a loss whose gradient is what `gradientAt` says. */
async function path(optimizer: Optimizer, steps: number): Promise<number[][]> {
  const trainer = await createTrainer({
    objective: (graph, w) =>
      sum(mul(addInput(graph, 'slope', { shape: ['n', 5] }), w.get('p', [5])), [1]),
    optimizer,
    parameters: [{ name: 'p', shape: [5], data: Float32Array.of(0.5, -1.25, 2, 0, -0.03125) }],
    threads: 1,
  })
  const seen: number[][] = []
  for (let step = 1; step <= steps; step++) {
    await trainer.step({ slope: new Value('float32', gradientAt(step), [1, 5]) })
    seen.push([...trainer.parameters()[0]!.data])
  }
  await trainer.release()
  return seen
}

describe('optimizers follow PyTorch', () => {
  it.each(Object.entries(optimizers))('%s', async (name, optimizer) => {
    const reference = expected[name]!
    const ours = await path(optimizer, reference.length)
    for (const [step, values] of reference.entries()) {
      for (const [i, value] of values.entries())
        expect(Math.abs(ours[step]![i]! - value)).toBeLessThan(5e-7)
    }
  })
})

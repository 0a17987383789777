import { describe, expect, it } from 'vitest'
import { selfAttention } from '../../../src/lib/onnx/blocks/attention.ts'
import { crossEntropies } from '../../../src/lib/onnx/blocks/loss.ts'
import { mlp } from '../../../src/lib/onnx/blocks/mlp.ts'
import { gradients, gradientRules } from '../../../src/lib/onnx/gradient.ts'
import {
  constant,
  createGraph,
  addInput,
  type Tensor,
  type ParameterScope,
} from '../../../src/lib/onnx/graph.ts'
import * as ops from '../../../src/lib/onnx/ops.ts'
import { randomFor } from '../../../src/lib/random.ts'
import { gradientError } from './finiteDifferences.ts'
import { cases } from './gradientCases.ts'

/** Weights that are the given tensors, where a model would declare parameters. */
function scope(tensors: Map<string, Tensor>, path = ''): ParameterScope {
  const full = (name: string | number): string => (path === '' ? String(name) : `${path}.${name}`)
  return {
    graph: [...tensors.values()][0]!.graph,
    path,
    at: name => scope(tensors, full(name)),
    each: (name, count) =>
      Array.from({ length: count }, (_, i) => scope(tensors, `${full(name)}.${i}`)),
    get: name => tensors.get(full(name))!,
  }
}

const seeds = [1, 2, 3, 4, 5, 6]

describe('gradient rules against finite differences', () => {
  it.each(Object.entries(cases))('%s', async (_, make) => {
    for (const seed of seeds) {
      const { operands, build } = make(randomFor(seed, 'case'))
      expect(await gradientError(operands, build, seed)).toBeLessThan(5e-4)
    }
  })

  it('has a check for every rule', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(gradientRules).sort())
  })
})

describe('gradients', () => {
  it('of a transformer block agree with finite differences', async () => {
    const sizes = {
      'attn.qkv.weight': [6, 2],
      'attn.qkv.bias': [6],
      'attn.proj.weight': [2, 2],
      'attn.proj.bias': [2],
    }
    const more = {
      'mlp.fc1.weight': [3, 2],
      'mlp.fc1.bias': [3],
      'mlp.fc2.weight': [2, 3],
      'mlp.fc2.bias': [2],
    }
    const names = Object.keys({ ...sizes, ...more })
    const operands = Object.values({ ...sizes, ...more }).map(shape => ({ shape }))
    const error = await gradientError(
      [{ shape: [2, 3, 2], open: true }, ...operands],
      (x, ...values) => {
        const w = scope(new Map(names.map((name, i) => [name, values[i]!])))
        return mlp(w.at('mlp'), ops.add(x, selfAttention(w.at('attn'), x, { heads: 1 })), {
          hidden: 3,
        })
      },
    )
    expect(error).toBeLessThan(5e-4)
  })

  it('of a cross-entropy agree with finite differences', async () => {
    const error = await gradientError([{ shape: [3, 5] }], x => {
      return crossEntropies(x, constant(x.graph, BigInt64Array.of(4n, 0n, 4n), [3]))
    })
    expect(error).toBeLessThan(5e-4)
  })

  it('sums over the uses of a tensor', async () => {
    const error = await gradientError([{ shape: [3] }], x =>
      ops.add(ops.mul(x, x), ops.mul(x, ops.tanh(x))),
    )
    expect(error).toBeLessThan(5e-4)
  })

  it('names an operator without a rule', () => {
    const x = addInput(createGraph(), 'x', { shape: ['n', 4] })
    expect(() => gradients(ops.sum(ops.max(x, [1]), [0]), [x])).toThrow(
      /^no gradient rule for ReduceMax \(at /,
    )
  })

  it('names an input without a rule', () => {
    const x = addInput(createGraph(), 'x', { shape: [4] })
    expect(() => gradients(ops.sum(ops.pow(x, x), [0]), [x])).toThrow(
      /^no gradient rule for input 2 of Pow/,
    )
  })

  it('names a tensor that the loss does not depend on', () => {
    const graph = createGraph()
    const x = addInput(graph, 'x', { shape: [4] })
    const other = addInput(graph, 'other', { shape: [4] })
    expect(() => gradients(ops.sum(x, [0]), [other])).toThrow('the loss does not depend on other')
    expect(() => gradients(ops.sum(x, [0]), [x, other])).toThrow(
      'the loss does not depend on other',
    )
  })

  it('wants a scalar', () => {
    const x = addInput(createGraph(), 'x', { shape: ['n', 4] })
    expect(() => gradients(x, [x])).toThrow('the loss must be a scalar, not [n,4]')
  })
})

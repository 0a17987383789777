import { describe, expect, it } from 'vitest'
import { createGraph, addInput, addOutput } from '../../../src/lib/onnx/graph.ts'
import { add, exp, mul, reshape } from '../../../src/lib/onnx/ops.ts'
import { peakBytes } from '../../../src/experiments/training/memory.ts'

describe('peakBytes', () => {
  it('frees what is used for the last time and takes views for free', () => {
    const graph = createGraph()
    const x = addInput(graph, 'x', { shape: ['n', 4] })
    const a = exp(x)
    const b = exp(reshape(a, ['n', 2, 2]))
    addOutput('y', reshape(exp(b), ['n', 4]))
    expect(peakBytes(graph, 10)).toBe(2 * 160)
  })

  it('keeps what is used later', () => {
    const graph = createGraph()
    const a = exp(addInput(graph, 'x', { shape: ['n', 4] }))
    const b = exp(a)
    addOutput('y', add(a, mul(b, b)))
    expect(peakBytes(graph, 1)).toBe(3 * 16)
  })
})

import { type Tensor, type Weights } from '../graph.ts'
import { conv2d, gemm, reshape, type Window } from '../ops.ts'
import { fixed, product } from '../shapes.ts'

/**
 * x weightᵀ + bias over the last axis of any shape. Rows are flattened first: a two-dimensional Gemm reads PyTorch's
 * [out, in] weights as they lie, where MatMul would need a transposed copy.
 */
export function linear(w: Weights, x: Tensor, out: number, bias = true): Tensor {
  const inner = fixed(x.shape.at(-1), 'linear')
  const weight = w.get('weight', [out, inner])
  const rows = x.shape.slice(0, -1)
  const flat = x.shape.length === 2 ? x : reshape(x, [product(rows), inner])
  const y = gemm(flat, weight, bias ? w.get('bias', [out], 'bias') : undefined)
  return x.shape.length === 2 ? y : reshape(y, [...rows, out])
}

/** A convolution with PyTorch's parameter names; `kernel` is square. */
export function conv(
  w: Weights,
  x: Tensor,
  out: number,
  kernel: number,
  options: Window & { groups?: number; bias?: boolean } = {},
): Tensor {
  const { bias = false, groups = 1, ...window } = options
  const weight = w.get('weight', [out, fixed(x.shape[1], 'conv') / groups, kernel, kernel])
  return conv2d(x, weight, bias ? w.get('bias', [out], 'bias') : undefined, { groups, ...window })
}

import { type Tensor, type ParameterScope } from '../graph.ts'
import { conv2d, gemm, reshape, type SlidingWindow } from '../ops.ts'
import { fixedSize, product } from '../shapes.ts'

/**
 * x weightᵀ + bias over the last axis of any shape. Rows are flattened first: a two-dimensional Gemm reads PyTorch's
 * [out, in] weights as they lie, where MatMul would need a transposed copy.
 */
export function affine(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  if (x.shape.length === 2) return gemm(x, weight, bias)
  const rows = x.shape.slice(0, -1)
  return reshape(gemm(reshape(x, [product(rows), x.shape.at(-1)!]), weight, bias), [
    ...rows,
    weight.shape[0]!,
  ])
}

/** A linear layer to width `out`, with PyTorch's parameter names. */
export function linear(w: ParameterScope, x: Tensor, out: number, bias = true): Tensor {
  const weight = w.get('weight', [out, fixedSize(x.shape.at(-1), 'linear')])
  return affine(x, weight, bias ? w.get('bias', [out], 'bias') : undefined)
}

/** A convolution with PyTorch's parameter names; `kernel` is square. */
export function conv(
  w: ParameterScope,
  x: Tensor,
  out: number,
  kernel: number,
  options: SlidingWindow & { groups?: number; bias?: boolean } = {},
): Tensor {
  const { bias = false, groups = 1, ...window } = options
  const weight = w.get('weight', [out, fixedSize(x.shape[1], 'conv') / groups, kernel, kernel])
  return conv2d(x, weight, bias ? w.get('bias', [out], 'bias') : undefined, { groups, ...window })
}

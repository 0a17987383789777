import { type Tensor, type ParameterScope } from '../graph.ts'
import { conv2d, gemm, reshape, type SlidingWindow, transposedConv2d } from '../ops.ts'
import { channelsOf, product, sizeAt } from '../shapes.ts'

/**
 * x weightᵀ + bias over the last axis of any shape. Rows are flattened first: a two-dimensional Gemm reads PyTorch's
 * [out, in] weights as they lie, where MatMul would need a transposed copy.
 */
export function affine(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  if (x.shape.length === 2) return gemm(x, weight, bias)
  const rows = x.shape.slice(0, -1)
  const flat = gemm(reshape(x, [product(rows), x.shape.at(-1)!]), weight, bias)
  return reshape(flat, [...rows, weight.shape[0]!])
}

const linearWeight = (w: ParameterScope, x: Tensor, out: number): Tensor =>
  w.get('weight', [out, sizeAt(x, -1)])

/** Applies a linear layer to width `out` over the last axis, with PyTorch's parameter names. */
export const linear = (w: ParameterScope, x: Tensor, out: number): Tensor =>
  affine(x, linearWeight(w, x, out), w.get('bias', [out], 'bias'))

/** Applies a linear layer without bias over the last axis. */
export const unbiasedLinear = (w: ParameterScope, x: Tensor, out: number): Tensor =>
  affine(x, linearWeight(w, x, out))

interface ConvOptions extends SlidingWindow {
  /** Number of output channels. */
  out: number
  /** Side of the kernel, or its height and width; 1 by default. */
  kernel?: number | readonly [height: number, width: number]
  groups?: number
  bias?: boolean | undefined
}

/** Applies a convolution to [n, c, h, w], with PyTorch's parameter names. */
export function conv(w: ParameterScope, x: Tensor, options: ConvOptions): Tensor {
  const { out, kernel = 1, groups = 1, bias = false, ...window } = options
  const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel
  const weight = w.get('weight', [out, channelsOf(x) / groups, height, width])
  const parameters = { weight, bias: bias ? w.get('bias', [out], 'bias') : undefined }
  return conv2d(x, parameters, { groups, ...window })
}

interface TransposedOptions {
  out: number
  kernel: number
  stride: number
  padding: number
}

/** Applies a transposed convolution with bias to [n, c, h, w], with PyTorch's parameter names. */
export function transposedConv(w: ParameterScope, x: Tensor, options: TransposedOptions): Tensor {
  const { out, kernel, ...window } = options
  const weight = w.get('weight', [channelsOf(x), out, kernel, kernel])
  return transposedConv2d(x, { weight, bias: w.get('bias', [out], 'bias') }, window)
}

interface DepthwiseOptions extends SlidingWindow {
  /** Side of the kernel. */
  kernel: number
  bias?: boolean
}

/** Applies a depthwise convolution to x [n, c, h, w], padded to keep the size at stride 1 unless told otherwise. */
export function depthwiseConv(w: ParameterScope, x: Tensor, options: DepthwiseOptions): Tensor {
  const channels = channelsOf(x)
  const padding = (options.kernel - 1) / 2
  return conv(w, x, { padding, ...options, out: channels, groups: channels })
}

/** Applies a linear layer over the channels of [n, c, h, w]. */
export function channelLinear(
  w: ParameterScope,
  x: Tensor,
  { out, bias = true }: { out: number; bias?: boolean },
): Tensor {
  const width = channelsOf(x)
  const weight = reshape(w.get('weight', [out, width]), [out, width, 1, 1])
  return conv2d(x, { weight, bias: bias ? w.get('bias', [out], 'bias') : undefined })
}

/* ONNX operators on images [n, channels, height, width]; `ops.ts` has those on tensors of any shape and exports these too. */
import {
  appendOp,
  constant,
  type GraphNode,
  integers,
  shapeError,
  type Tensor,
  type TensorShape,
} from './graph.ts'
import { fixedSize } from './shapes.ts'

export interface SlidingWindow {
  stride?: number
  /** Same on all sides, or [top, left, bottom, right]. */
  padding?: number | readonly [number, number, number, number]
  /** Whether a window that reaches past the padding counts (pooling only). */
  ceil?: boolean
  /** Distance between neighbours in the kernel (convolutions only). */
  dilation?: number
}

/** Slides a kernel over x [n, c, h, w]: attributes of the operator, and the shape of its output without channels. */
function slideWindow(
  x: Tensor,
  kernel: readonly number[],
  { stride = 1, padding = 0, ceil = false, dilation = 1 }: SlidingWindow,
) {
  const pads = typeof padding === 'number' ? [padding, padding, padding, padding] : padding
  const dims = kernel.map((k, i) => {
    const size = fixedSize(x.shape[2 + i], 'spatial size')
    const room = size + pads[i]! + pads[i + 2]! - dilation * (k - 1) - 1
    const steps = Math.floor(room / stride) + 1
    return ceil && (steps - 1) * stride < room && steps * stride < size + pads[i]!
      ? steps + 1
      : steps
  })
  const spread = dilation === 1 ? {} : { dilations: [dilation, dilation] }
  return { dims, attributes: { kernel_shape: kernel, strides: [stride, stride], pads, ...spread } }
}

/** x [n, in, h, w], weight [out, in / groups, kh, kw], bias [out]. */
export function conv2d(
  x: Tensor,
  { weight, bias }: { weight: Tensor; bias?: Tensor | undefined },
  { groups = 1, ...window }: SlidingWindow & { groups?: number } = {},
): Tensor {
  const [out, perGroup, ...kernel] = weight.shape.map(dim => fixedSize(dim, 'Conv'))
  if (x.shape[1] !== perGroup! * groups || out! % groups !== 0) {
    throw shapeError(
      'Conv',
      `[${String(x.shape)}] by [${String(weight.shape)}] in ${groups} groups`,
    )
  }
  const { dims, attributes } = slideWindow(x, kernel, window)
  return appendOp('Conv', bias ? [x, weight, bias] : [x, weight], {
    shape: [x.shape[0]!, out!, ...dims],
    attributes: { ...attributes, group: groups },
  })
}

/** x [n, in, h, w], weight [in, out, k, k], bias [out]: the gradient of a convolution in its input (PyTorch's ConvTranspose2d). */
export function transposedConv2d(
  x: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor },
  { stride, padding }: { stride: number; padding: number },
): Tensor {
  const [inputs, out, kernel] = weight.shape.map(dim => fixedSize(dim, 'ConvTranspose'))
  if (x.shape[1] !== inputs)
    throw shapeError('ConvTranspose', `[${String(x.shape)}] by [${String(weight.shape)}]`)
  const sizes = x.shape
    .slice(2)
    .map(dim => (fixedSize(dim, 'ConvTranspose') - 1) * stride - 2 * padding + kernel!)
  return appendOp('ConvTranspose', [x, weight, bias], {
    shape: [x.shape[0]!, out!, ...sizes],
    attributes: {
      kernel_shape: [kernel!, kernel!],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
    },
  })
}

const pool =
  (op: string, flags: GraphNode['attributes'] = {}) =>
  (x: Tensor, kernel: number, window: SlidingWindow = {}): Tensor => {
    const { dims, attributes } = slideWindow(x, [kernel, kernel], window)
    return appendOp(op, [x], {
      shape: [x.shape[0]!, x.shape[1]!, ...dims],
      attributes: { ...attributes, ceil_mode: window.ceil ? 1 : 0, ...flags },
    })
  }

export const maxPool = pool('MaxPool')
/** Averages over windows [n, c, h, w]; padding does not count. */
export const avgPool = pool('AveragePool', { count_include_pad: 0 })
/** Averages over windows [n, c, h, w]; padding counts as zeros. */
export const avgPoolWithPadding = pool('AveragePool', { count_include_pad: 1 })

/** Averages [n, c, h, w] over all positions: [n, c, 1, 1]. */
export const globalAvgPool = (x: Tensor): Tensor =>
  appendOp('GlobalAveragePool', [x], { shape: [x.shape[0]!, x.shape[1]!, 1, 1] })

export function batchNormalization(
  x: Tensor,
  { scale, bias, mean, variance }: Record<'scale' | 'bias' | 'mean' | 'variance', Tensor>,
  epsilon: number,
): Tensor {
  if (scale.shape[0] !== x.shape[1])
    throw shapeError('BatchNormalization', `[${String(x.shape)}] by [${String(scale.shape)}]`)
  return appendOp('BatchNormalization', [x, scale, bias, mean, variance], {
    shape: x.shape,
    attributes: { epsilon: { float: epsilon } },
  })
}

/** Normalizes every channel of [n, channels, …] over its values. */
export const instanceNormalization = (
  x: Tensor,
  { scale, bias }: Record<'scale' | 'bias', Tensor>,
  epsilon: number,
): Tensor =>
  appendOp('InstanceNormalization', [x, scale, bias], {
    shape: x.shape,
    attributes: { epsilon: { float: epsilon } },
  })

/** How many values are put before and after those of each axis. */
interface AxisPadding {
  before: readonly number[]
  after: readonly number[]
}

/** Pads every axis with zeros, or with the values reflected at its ends. */
export function pad(
  x: Tensor,
  { before, after }: AxisPadding,
  mode: 'constant' | 'reflect' = 'constant',
): Tensor {
  const shape = x.shape.map((dim, axis) => {
    const added = before[axis]! + after[axis]!
    return added === 0 ? dim : fixedSize(dim, 'Pad') + added
  })
  const pads = integers(x.graph, [...before, ...after])
  return appendOp('Pad', [x, pads], { shape, attributes: { mode } })
}

/** Pads the last two of four axes: [top, left, bottom, right]. */
export const pad2d = (
  x: Tensor,
  [top, left, bottom, right]: readonly [number, number, number, number],
  mode: 'constant' | 'reflect' = 'constant',
): Tensor => pad(x, { before: [0, 0, top, left], after: [0, 0, bottom, right] }, mode)

export interface ResizeOptions {
  mode: 'nearest' | 'linear' | 'cubic'
  /** How positions map: `half_pixel` as PyTorch and Pillow do, `asymmetric` for nearest as PyTorch does, or corner to corner. */
  coordinates?: 'half_pixel' | 'asymmetric' | 'align_corners'
  /** As Pillow and PyTorch's antialiasing compute it: a = -0.5 for cubic, weights beyond a border go to those within. */
  antialias?: boolean
  /** Factors as PyTorch's bicubic resize with an explicit scale uses them, instead of new size / old size. */
  scales?: readonly number[]
}

/** Resizes to `shape`; cubic as PyTorch does it without antialiasing, with a = -0.75 and borders repeated. */
export function resize(x: Tensor, shape: TensorShape, options: ResizeOptions): Tensor {
  const { mode, coordinates = 'half_pixel', scales, antialias } = options
  const sizes = scales ? undefined : shape.slice(2).map(dim => fixedSize(dim, 'Resize'))
  const target = sizes && integers(x.graph, sizes)
  const factors = scales && constant(x.graph, Float32Array.from(scales), [scales.length])
  const rounding = mode === 'nearest' ? { nearest_mode: 'floor' } : {}
  const isCubic = mode === 'cubic'
  const shrinks = sizes?.some((size, i) => size < fixedSize(x.shape[2 + i], 'Resize')) ?? false
  const kernel = {
    ...(antialias && isCubic ? { cubic_coeff_a: { float: -0.5 } } : {}),
    ...(antialias && (isCubic || shrinks) ? { exclude_outside: 1 } : {}),
    ...(antialias && shrinks ? { antialias: 1 } : {}),
  }
  const axes = sizes ? { axes: [2, 3] } : {}
  const places = { mode, coordinate_transformation_mode: coordinates, ...axes }
  const attributes = { ...places, ...rounding, ...kernel }
  return appendOp('Resize', [x, undefined, factors, target], { shape, attributes })
}

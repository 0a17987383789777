/*
 * ONNX operators (opset 20) as typed functions. Every function checks its operands and infers the result's shape before
 * it appends a node. Images are [n, channels, height, width], tokens [n, length, width].
 */
import {
  appendNode,
  type NodeAttribute,
  constant,
  type DType,
  type Dim,
  integers,
  scalar,
  type TensorShape,
  shapeError,
  type Tensor,
} from './graph.ts'
import { normalizeAxis, broadcast, fixedSize, product } from './shapes.ts'

type NodeAttributes = Readonly<Record<string, NodeAttribute>>

function appendOp(
  op: string,
  inputs: readonly (Tensor | undefined)[],
  shape: TensorShape,
  attributes: NodeAttributes = {},
  dtype?: DType,
): Tensor {
  const first = inputs[0]!
  return appendNode(
    first.graph,
    op,
    inputs,
    [{ dtype: dtype ?? first.dtype, shape }],
    attributes,
  )[0]!
}

const unary =
  (op: string) =>
  (x: Tensor): Tensor =>
    appendOp(op, [x], x.shape)

export const relu = unary('Relu')
export const sigmoid = unary('Sigmoid')
export const tanh = unary('Tanh')
export const erf = unary('Erf')
export const exp = unary('Exp')
export const log = unary('Log')
export const sqrt = unary('Sqrt')
export const neg = unary('Neg')
export const hardSwish = unary('HardSwish')
/** Exact GELU, x Φ(x). */
export const gelu = unary('Gelu')

/** max(0, min(1, x / 6 + 1/2)), PyTorch's hard sigmoid. */
export const hardSigmoid = (x: Tensor): Tensor =>
  appendOp('HardSigmoid', [x], x.shape, { alpha: { float: 1 / 6 }, beta: { float: 0.5 } })

const binary =
  (op: string) =>
  (a: Tensor, b: Tensor | number): Tensor => {
    const right = typeof b === 'number' ? scalar(a.graph, b) : b
    return appendOp(op, [a, right], broadcast(op, a.shape, right.shape))
  }

export const add = binary('Add')
export const sub = binary('Sub')
export const mul = binary('Mul')
export const div = binary('Div')
export const pow = binary('Pow')

/** x sigmoid(x), also called swish. */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x))
/** x sigmoid(1.702 x), OpenAI CLIP's approximation of GELU. */
export const quickGelu = (x: Tensor): Tensor => mul(x, sigmoid(mul(x, 1.702)))

export const clip = (x: Tensor, low: number, high: number): Tensor =>
  appendOp('Clip', [x, scalar(x.graph, low), scalar(x.graph, high)], x.shape)

export const cast = (x: Tensor, dtype: DType): Tensor =>
  appendOp('Cast', [x], x.shape, { to: onnxType[dtype] }, dtype)

/** ONNX's numbers of the element types (TensorProto.DataType). */
export const onnxType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
}

/** Batched matrix product of [..., m, k] and [..., k, p]. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.shape.at(-1) !== b.shape.at(-2))
    throw shapeError('MatMul', `[${String(a.shape)}] × [${String(b.shape)}]`)
  const batch = broadcast('MatMul', a.shape.slice(0, -2), b.shape.slice(0, -2))
  return appendOp('MatMul', [a, b], [...batch, a.shape.at(-2)!, b.shape.at(-1)!])
}

/** x weightᵀ + bias for x [rows, in], weight [out, in], bias [out]. */
export function gemm(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  if (x.shape.length !== 2 || x.shape[1] !== weight.shape[1]) {
    throw shapeError('Gemm', `[${String(x.shape)}] × [${String(weight.shape)}]ᵀ`)
  }
  return appendOp('Gemm', bias ? [x, weight, bias] : [x, weight], [x.shape[0]!, weight.shape[0]!], {
    transB: 1,
  })
}

/** At most one dim of `shape` may be known only at run time. */
export function reshape(x: Tensor, shape: TensorShape): Tensor {
  if (product(x.shape) !== product(shape))
    throw shapeError('Reshape', `[${String(x.shape)}] to [${String(shape)}]`)
  const sizes = shape.map(dim => (typeof dim === 'number' ? dim : -1))
  if (sizes.filter(size => size === -1).length > 1)
    throw shapeError('Reshape', `two open sizes in [${String(shape)}]`)
  return appendOp('Reshape', [x, integers(x.graph, sizes)], shape)
}

/** [n, a, b, …] to [n, a·b·…]. */
export const flatten = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, product(x.shape.slice(1))])

export function transpose(x: Tensor, order: readonly number[]): Tensor {
  if (order.length !== x.shape.length)
    throw shapeError('Transpose', `[${String(x.shape)}] by [${String(order)}]`)
  return appendOp(
    'Transpose',
    [x],
    order.map(axis => x.shape[axis]!),
    { perm: order },
  )
}

export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0]!
  const at = normalizeAxis(axis, first.shape.length)
  for (const { shape } of tensors) {
    if (
      shape.length !== first.shape.length ||
      shape.some((dim, i) => i !== at && dim !== first.shape[i])
    ) {
      throw shapeError('Concat', `[${String(first.shape)}] with [${String(shape)}] along ${axis}`)
    }
  }
  const size = tensors.reduce((sum, { shape }) => sum + fixedSize(shape[at], 'Concat'), 0)
  return appendOp('Concat', tensors, first.shape.with(at, size), { axis: at })
}

export function split(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  const at = normalizeAxis(axis, x.shape.length)
  if (x.shape[at] !== sizes.reduce((sum, size) => sum + size, 0)) {
    throw shapeError('Split', `[${String(x.shape)}] into ${String(sizes)} along ${axis}`)
  }
  const outputs = sizes.map(size => ({ dtype: x.dtype, shape: x.shape.with(at, size) }))
  return appendNode(x.graph, 'Split', [x, integers(x.graph, sizes)], outputs, { axis: at })
}

/** Values `start` … `end - 1` along `axis`; negative ends count from the back. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  const at = normalizeAxis(axis, x.shape.length)
  const size = fixedSize(x.shape[at], 'Slice')
  const from = start < 0 ? start + size : start
  const to = Math.min(end < 0 ? end + size : end, size)
  if (from < 0 || from >= to) throw shapeError('Slice', `${start}:${end} of ${size}`)
  const bounds = [from, to, at].map(value => integers(x.graph, [value]))
  return appendOp('Slice', [x, ...bounds], x.shape.with(at, to - from))
}

/** Rows of `x` along `axis` by int64 `indices`. */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  const at = normalizeAxis(axis, x.shape.length)
  return appendOp(
    'Gather',
    [x, indices],
    [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)],
    {
      axis: at,
    },
  )
}

/** Per entry of the first axis, the row of the second that `indices` int64 [n, 1] names: [n, length, width] to [n, width]. */
export function gatherPerRow(x: Tensor, indices: Tensor): Tensor {
  if (indices.shape.length !== 2 || indices.shape[0] !== x.shape[0] || indices.shape[1] !== 1) {
    throw shapeError('GatherND', `[${String(x.shape)}] by [${String(indices.shape)}]`)
  }
  return appendOp('GatherND', [x, indices], x.shape.toSpliced(1, 1), { batch_dims: 1 })
}

/** The single row `index` along `axis`, which is dropped. */
export function pick(x: Tensor, axis: number, index: number): Tensor {
  const at = normalizeAxis(axis, x.shape.length)
  return reshape(
    slice(x, at, index, index === -1 ? fixedSize(x.shape[at], 'pick') : index + 1),
    x.shape.toSpliced(at, 1),
  )
}

export function expand(x: Tensor, shape: Tensor, result: TensorShape): Tensor {
  return appendOp('Expand', [x, shape], result)
}

export const shapeOf = (x: Tensor): Tensor => appendOp('Shape', [x], [x.shape.length], {}, 'int64')

/** Scaled dot-product attention of q, k, v [n, length, width] in `heads` heads, of the same shape; there is no gradient. */
export const multiHeadAttention = (q: Tensor, k: Tensor, v: Tensor, heads: number): Tensor =>
  appendOp('MultiHeadAttention', [q, k, v], q.shape, { num_heads: heads })

export function softmax(x: Tensor, axis = -1): Tensor {
  return appendOp('Softmax', [x], x.shape, { axis: normalizeAxis(axis, x.shape.length) })
}

export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return appendOp('LogSoftmax', [x], x.shape, { axis: normalizeAxis(axis, x.shape.length) })
}

/** Normalizes over the last axis; weight and bias are [width]. */
export function layerNormalization(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  epsilon: number,
): Tensor {
  if (weight.shape[0] !== x.shape.at(-1))
    throw shapeError('LayerNormalization', `[${String(x.shape)}] by [${String(weight.shape)}]`)
  return appendOp('LayerNormalization', [x, weight, bias], x.shape, {
    axis: x.shape.length - 1,
    epsilon: { float: epsilon },
  })
}

function appendReduction(op: string, x: Tensor, axes: readonly number[], keep: boolean): Tensor {
  const at = axes.map(axis => normalizeAxis(axis, x.shape.length))
  const shape = keep
    ? x.shape.map((dim, i) => (at.includes(i) ? 1 : dim))
    : x.shape.filter((_, i) => !at.includes(i))
  return appendOp(op, [x, integers(x.graph, at)], shape, { keepdims: keep ? 1 : 0 })
}

export const mean = (x: Tensor, axes: readonly number[], keep = false): Tensor =>
  appendReduction('ReduceMean', x, axes, keep)
export const sum = (x: Tensor, axes: readonly number[], keep = false): Tensor =>
  appendReduction('ReduceSum', x, axes, keep)
export const max = (x: Tensor, axes: readonly number[], keep = false): Tensor =>
  appendReduction('ReduceMax', x, axes, keep)
/** Euclidean length along `axis`, which is kept with size 1. */
export const norm = (x: Tensor, axis = -1): Tensor => appendReduction('ReduceL2', x, [axis], true)

/** The `k` largest values along the last axis and their int64 positions, largest first. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const shape = x.shape.with(-1, k)
  const outputs = [
    { dtype: x.dtype, shape },
    { dtype: 'int64' as const, shape },
  ]
  const [values, indices] = appendNode(x.graph, 'TopK', [x, integers(x.graph, [k])], outputs, {
    axis: x.shape.length - 1,
  })
  return { values: values!, indices: indices! }
}

export interface SlidingWindow {
  stride?: number
  /** Same on all sides, or [top, left, bottom, right]. */
  padding?: number | readonly [number, number, number, number]
}

function slideWindow(
  x: Tensor,
  kernel: readonly number[],
  window: SlidingWindow,
  ceil = false,
): { dims: Dim[]; attributes: NodeAttributes } {
  const { stride = 1, padding = 0 } = window
  const pads = typeof padding === 'number' ? [padding, padding, padding, padding] : padding
  const dims = kernel.map((k, i) => {
    const size = fixedSize(x.shape[2 + i], 'spatial size')
    const room = size + pads[i]! + pads[i + 2]! - k
    const steps = Math.floor(room / stride) + 1
    return ceil && (steps - 1) * stride < room && steps * stride < size + pads[i]!
      ? steps + 1
      : steps
  })
  return {
    dims,
    attributes: { kernel_shape: kernel, strides: [stride, stride], pads },
  }
}

/** x [n, in, h, w], weight [out, in / groups, kh, kw], bias [out]. */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: SlidingWindow & { groups?: number } = {},
): Tensor {
  const { groups = 1, ...window } = options
  const [out, perGroup, ...kernel] = weight.shape.map(dim => fixedSize(dim, 'Conv'))
  if (x.shape[1] !== perGroup! * groups || out! % groups !== 0) {
    throw shapeError(
      'Conv',
      `[${String(x.shape)}] by [${String(weight.shape)}] in ${groups} groups`,
    )
  }
  const { dims, attributes } = slideWindow(x, kernel, window)
  const inputs = bias ? [x, weight, bias] : [x, weight]
  return appendOp('Conv', inputs, [x.shape[0]!, out!, ...dims], { ...attributes, group: groups })
}

export function maxPool(
  x: Tensor,
  kernel: number,
  window: SlidingWindow & { ceil?: boolean } = {},
): Tensor {
  const { dims, attributes } = slideWindow(x, [kernel, kernel], window, window.ceil)
  return appendOp('MaxPool', [x], [x.shape[0]!, x.shape[1]!, ...dims], {
    ...attributes,
    ceil_mode: window.ceil ? 1 : 0,
  })
}

/** Padding does not count. */
export function avgPool(
  x: Tensor,
  kernel: number,
  window: SlidingWindow & { ceil?: boolean } = {},
): Tensor {
  const { dims, attributes } = slideWindow(x, [kernel, kernel], window, window.ceil)
  const flags = { ceil_mode: window.ceil ? 1 : 0, count_include_pad: 0 }
  return appendOp('AveragePool', [x], [x.shape[0]!, x.shape[1]!, ...dims], {
    ...attributes,
    ...flags,
  })
}

/** [n, c, h, w] to [n, c, 1, 1]. */
export const globalAvgPool = (x: Tensor): Tensor =>
  appendOp('GlobalAveragePool', [x], [x.shape[0]!, x.shape[1]!, 1, 1])

export function batchNormalization(
  x: Tensor,
  parameters: { scale: Tensor; bias: Tensor; mean: Tensor; variance: Tensor },
  epsilon: number,
): Tensor {
  const { scale, bias, mean, variance } = parameters
  if (scale.shape[0] !== x.shape[1])
    throw shapeError('BatchNormalization', `[${String(x.shape)}] by [${String(scale.shape)}]`)
  return appendOp('BatchNormalization', [x, scale, bias, mean, variance], x.shape, {
    epsilon: { float: epsilon },
  })
}

/** Pads the last two axes: [top, left, bottom, right]. */
export function pad2d(
  x: Tensor,
  [top, left, bottom, right]: readonly [number, number, number, number],
  mode: 'constant' | 'reflect' = 'constant',
): Tensor {
  const [n, c, h, w] = x.shape
  const shape = [n!, c!, fixedSize(h, 'Pad') + top + bottom, fixedSize(w, 'Pad') + left + right]
  return appendOp('Pad', [x, integers(x.graph, [0, 0, top, left, 0, 0, bottom, right])], shape, {
    mode,
  })
}

export interface ResizeOptions {
  mode: 'nearest' | 'linear' | 'cubic'
  /** How positions map: `half_pixel` as PyTorch and Pillow do, `asymmetric` for nearest as PyTorch does. */
  coordinates?: 'half_pixel' | 'asymmetric'
  /** Factors as PyTorch's bicubic resize with an explicit scale uses them, instead of new size / old size. */
  scales?: readonly number[]
}

/** Resizes to `shape`; cubic as PyTorch does it, with a = -0.75 and borders repeated. */
export function resize(x: Tensor, shape: TensorShape, options: ResizeOptions): Tensor {
  const { mode, coordinates = 'half_pixel', scales } = options
  const sizes = scales ? undefined : shape.map(dim => fixedSize(dim, 'Resize'))
  const target = sizes && integers(x.graph, sizes)
  const factors = scales && constant(x.graph, Float32Array.from(scales), [scales.length])
  return appendOp('Resize', [x, undefined, factors, target], shape, {
    mode,
    coordinate_transformation_mode: coordinates,
    ...(mode === 'nearest' ? { nearest_mode: 'floor' } : {}),
  })
}

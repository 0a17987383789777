/*
 * ONNX operators (opset 20) as typed functions. Every function checks its operands and infers the result's shape before
 * it appends a node. Images are [n, channels, height, width], tokens [n, length, width].
 */
import {
  appendNode,
  appendOp,
  type DType,
  integers,
  scalar,
  type TensorShape,
  shapeError,
  type Tensor,
} from './graph.ts'
import { normalizeAxis, broadcast, fixedSize, product, sizeAt } from './shapes.ts'

import { globalAvgPool } from './imageOps.ts'

export * from './imageOps.ts'

const unary =
  (op: string) =>
  (x: Tensor): Tensor =>
    appendOp(op, [x], x)

export const relu = unary('Relu')
export const sigmoid = unary('Sigmoid')
export const tanh = unary('Tanh')
export const erf = unary('Erf')
export const exp = unary('Exp')
export const log = unary('Log')
export const sqrt = unary('Sqrt')
export const neg = unary('Neg')
export const sin = unary('Sin')
export const cos = unary('Cos')
export const hardSwish = unary('HardSwish')
/** Exact GELU, x Φ(x). */
export const gelu = unary('Gelu')
/** GELU by a hyperbolic tangent (Hendrycks and Gimpel 2016). */
export const geluTanh = (x: Tensor): Tensor =>
  appendOp('Gelu', [x], { shape: x.shape, attributes: { approximate: 'tanh' } })

/** max(0, min(1, x / 6 + 1/2)), PyTorch's hard sigmoid. */
export const hardSigmoid = (x: Tensor): Tensor =>
  appendOp('HardSigmoid', [x], {
    shape: x.shape,
    attributes: { alpha: { float: 1 / 6 }, beta: { float: 0.5 } },
  })

/** x where it is positive, else `slope` x. */
export const leakyRelu = (x: Tensor, slope: number): Tensor =>
  appendOp('LeakyRelu', [x], { shape: x.shape, attributes: { alpha: { float: slope } } })

const binary =
  (op: string) =>
  (a: Tensor, b: Tensor | number): Tensor => {
    const right = typeof b === 'number' ? scalar(a.graph, b) : b
    return appendOp(op, [a, right], { shape: broadcast(op, a.shape, right.shape) })
  }

export const add = binary('Add')
export const sub = binary('Sub')
export const mul = binary('Mul')
export const div = binary('Div')
export const pow = binary('Pow')
export const min = binary('Min')

/** x sigmoid(x), also called swish. */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x))
/** x sigmoid(1.702 x), OpenAI CLIP's approximation of GELU. */
export const quickGelu = (x: Tensor): Tensor => mul(x, sigmoid(mul(x, 1.702)))

/** Returns the mean of tensors of one shape. */
export const average = (tensors: readonly Tensor[]): Tensor =>
  div(
    tensors.reduce((total, tensor) => add(total, tensor)),
    tensors.length,
  )

export const clip = (x: Tensor, low: number, high: number): Tensor =>
  appendOp('Clip', [x, scalar(x.graph, low), scalar(x.graph, high)], x)

export const cast = (x: Tensor, dtype: DType): Tensor =>
  appendOp('Cast', [x], { shape: x.shape, dtype, attributes: { to: onnxType[dtype] } })

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
  return appendOp('MatMul', [a, b], { shape: [...batch, a.shape.at(-2)!, b.shape.at(-1)!] })
}

/** x weightᵀ + bias for x [rows, in], weight [out, in], bias [out]. */
export function gemm(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  if (x.shape.length !== 2 || x.shape[1] !== weight.shape[1]) {
    throw shapeError('Gemm', `[${String(x.shape)}] × [${String(weight.shape)}]ᵀ`)
  }
  return appendOp('Gemm', bias ? [x, weight, bias] : [x, weight], {
    shape: [x.shape[0]!, weight.shape[0]!],
    attributes: { transB: 1 },
  })
}

/** At most one dim of `shape` may be known only at run time. */
export function reshape(x: Tensor, shape: TensorShape): Tensor {
  if (product(x.shape) !== product(shape))
    throw shapeError('Reshape', `[${String(x.shape)}] to [${String(shape)}]`)
  const sizes = shape.map(dim => (typeof dim === 'number' ? dim : -1))
  if (sizes.filter(size => size === -1).length > 1)
    throw shapeError('Reshape', `two open sizes in [${String(shape)}]`)
  return appendOp('Reshape', [x, integers(x.graph, sizes)], { shape })
}

/** Reshapes [n, a, b, …] to [n, a·b·…]. */
export const flatten = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, product(x.shape.slice(1))])

/** Averages [n, c, h, w] over all positions: [n, c]. */
export const globalMean = (x: Tensor): Tensor => flatten(globalAvgPool(x))

export function transpose(x: Tensor, order: readonly number[]): Tensor {
  if (order.length !== x.shape.length)
    throw shapeError('Transpose', `[${String(x.shape)}] by [${String(order)}]`)
  const shape = order.map(axis => x.shape[axis]!)
  return appendOp('Transpose', [x], { shape, attributes: { perm: order } })
}

/** Moves the channels of images behind their positions: [n, c, h, w] to [n, h, w, c]. */
export const channelsLast = (x: Tensor): Tensor => transpose(x, [0, 2, 3, 1])

/** Moves the channels of a grid before its positions: [n, h, w, c] to [n, c, h, w]. */
export const channelsFirst = (x: Tensor): Tensor => transpose(x, [0, 3, 1, 2])

export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const [first, ...others] = tensors as readonly [Tensor, ...Tensor[]]
  const at = normalizeAxis(axis, first.shape.length)
  for (const { shape } of others) {
    if (
      shape.length !== first.shape.length ||
      shape.some((dim, i) => i !== at && dim !== first.shape[i])
    ) {
      throw shapeError('Concat', `[${String(first.shape)}] with [${String(shape)}] along ${axis}`)
    }
  }
  const size = tensors.reduce((sum, { shape }) => sum + fixedSize(shape[at], 'Concat'), 0)
  return appendOp('Concat', [first, ...others], {
    shape: first.shape.with(at, size),
    attributes: { axis: at },
  })
}

export function split(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  const at = normalizeAxis(axis, x.shape.length)
  if (x.shape[at] !== sizes.reduce((sum, size) => sum + size, 0)) {
    throw shapeError('Split', `[${String(x.shape)}] into ${String(sizes)} along ${axis}`)
  }
  const outputs = sizes.map(size => ({ dtype: x.dtype, shape: x.shape.with(at, size) }))
  return appendNode('Split', [x, integers(x.graph, sizes)], { outputs, attributes: { axis: at } })
}

/** Returns the first and the second half of `x` along `axis`. */
export function halves(x: Tensor, axis = -1): readonly [first: Tensor, second: Tensor] {
  const size = fixedSize(x.shape.at(axis), 'halves') / 2
  const [first, second] = split(x, [size, size], axis)
  return [first!, second!]
}

/** Returns the values `start` … `end - 1` along `axis`; negative bounds count from the back. */
export function slice(
  x: Tensor,
  axis: number,
  [start, end]: readonly [start: number, end: number],
): Tensor {
  const at = normalizeAxis(axis, x.shape.length)
  const size = sizeAt(x, at)
  const from = start < 0 ? start + size : start
  const to = Math.min(end < 0 ? end + size : end, size)
  if (from < 0 || from >= to) throw shapeError('Slice', `${start}:${end} of ${size}`)
  const bounds = [from, to, at].map(value => integers(x.graph, [value]))
  return appendOp('Slice', [x, ...bounds], { shape: x.shape.with(at, to - from) })
}

/** Returns the rows of `x` along `axis` that int64 `indices` name. */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  const at = normalizeAxis(axis, x.shape.length)
  return appendOp('Gather', [x, indices], {
    shape: [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)],
    attributes: { axis: at },
  })
}

/** Returns for each entry of the first axis the row that `indices` int64 [n, 1] name: [n, length, width] to [n, width]. */
export function gatherPerRow(x: Tensor, indices: Tensor): Tensor {
  if (indices.shape.length !== 2 || indices.shape[0] !== x.shape[0] || indices.shape[1] !== 1) {
    throw shapeError('GatherND', `[${String(x.shape)}] by [${String(indices.shape)}]`)
  }
  return appendOp('GatherND', [x, indices], {
    shape: x.shape.toSpliced(1, 1),
    attributes: { batch_dims: 1 },
  })
}

/** Returns the row `index` along `axis`, without that axis. */
export function pick(x: Tensor, axis: number, index: number): Tensor {
  const at = normalizeAxis(axis, x.shape.length)
  const end = index === -1 ? sizeAt(x, at) : index + 1
  return reshape(slice(x, at, [index, end]), x.shape.toSpliced(at, 1))
}

/** Broadcasts `x` to the run-time `size`, whose shape is declared as `shape`. */
export const expand = (x: Tensor, size: Tensor, shape: TensorShape): Tensor =>
  appendOp('Expand', [x, size], { shape })

export const shapeOf = (x: Tensor): Tensor =>
  appendOp('Shape', [x], { shape: [x.shape.length], dtype: 'int64' })

/** Queries, keys and values, each [n, length, width]. */
export type Qkv = readonly [q: Tensor, k: Tensor, v: Tensor]

/** Computes scaled dot-product attention in `heads` heads; the operator has no gradient rule. */
export const multiHeadAttention = (qkv: Qkv, heads: number): Tensor =>
  appendOp('MultiHeadAttention', qkv, {
    shape: qkv[0].shape.with(-1, qkv[2].shape.at(-1)!),
    attributes: { num_heads: heads },
  })

/**
 * Turns the pairs of channels of x [n, length, heads · head width] by angles with cosines and sines [length, head width / 2];
 * the operator has no gradient rule.
 */
export const rotaryEmbedding = (
  x: Tensor,
  { cosines, sines }: Record<'cosines' | 'sines', Tensor>,
  interleaved: boolean,
): Tensor =>
  appendOp('RotaryEmbedding', [x, integers(x.graph, [0]), cosines, sines], {
    shape: x.shape,
    attributes: { interleaved: interleaved ? 1 : 0 },
  })

const alongAxis =
  (op: string) =>
  (x: Tensor, axis = -1): Tensor =>
    appendOp(op, [x], { shape: x.shape, attributes: { axis: normalizeAxis(axis, x.shape.length) } })

export const softmax = alongAxis('Softmax')
export const logSoftmax = alongAxis('LogSoftmax')

/** Normalizes over the last axis; scale and bias are [width]. */
export function layerNormalization(
  x: Tensor,
  { scale, bias }: Record<'scale' | 'bias', Tensor>,
  epsilon: number,
): Tensor {
  if (scale.shape[0] !== x.shape.at(-1))
    throw shapeError('LayerNormalization', `[${String(x.shape)}] by [${String(scale.shape)}]`)
  return appendOp('LayerNormalization', [x, scale, bias], {
    shape: x.shape,
    attributes: { axis: x.shape.length - 1, epsilon: { float: epsilon } },
  })
}

const reduction =
  (op: string) =>
  (x: Tensor, axes: readonly number[], keep = false): Tensor => {
    const at = axes.map(axis => normalizeAxis(axis, x.shape.length))
    const shape = keep
      ? x.shape.map((dim, i) => (at.includes(i) ? 1 : dim))
      : x.shape.filter((_, i) => !at.includes(i))
    return appendOp(op, [x, integers(x.graph, at)], {
      shape,
      attributes: { keepdims: keep ? 1 : 0 },
    })
  }

export const mean = reduction('ReduceMean')
export const sum = reduction('ReduceSum')
export const max = reduction('ReduceMax')
const euclideanLength = reduction('ReduceL2')
/** Returns the Euclidean length along the axes, which are kept with size 1. */
export const norm = (x: Tensor, axes: readonly number[] = [-1]): Tensor =>
  euclideanLength(x, axes, true)

/** Returns the `k` largest values along the last axis and their int64 positions, largest first. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const shape = x.shape.with(-1, k)
  const outputs = [
    { dtype: x.dtype, shape },
    { dtype: 'int64' as const, shape },
  ]
  const attributes = { axis: x.shape.length - 1 }
  const [values, indices] = appendNode('TopK', [x, integers(x.graph, [k])], { outputs, attributes })
  return { values: values!, indices: indices! }
}

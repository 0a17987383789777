import { appendOp, constant, integers, type Tensor } from '../../../src/lib/onnx/graph.ts'
import * as ops from '../../../src/lib/onnx/ops.ts'
import { type Random } from '../../../src/lib/random.ts'
import { type Operand } from './finiteDifferences.ts'

export interface Case {
  operands: readonly Operand[]
  build: (...inputs: Tensor[]) => Tensor
}

/** Draws one function of random shapes that goes through the operator. */
export type MakeCase = (draw: Random) => Case

const between = (draw: Random, low: number, high: number): number =>
  low + Math.floor(draw() * (high - low + 1))
const oneOf = <T>(draw: Random, choices: readonly T[]): T =>
  choices[Math.floor(draw() * choices.length)]!

function anyShape(draw: Random, rank = between(draw, 1, 4), largest = 3): number[] {
  return Array.from({ length: rank }, () => between(draw, 1, largest))
}

const unary =
  (build: (x: Tensor) => Tensor, range?: readonly [number, number]): MakeCase =>
  draw => ({
    operands: [{ shape: anyShape(draw), open: draw() < 0.5, ...(range ? { range } : {}) }],
    build,
  })

/** Two shapes that broadcast: one loses leading sizes of the other, or has 1 in their place. */
const binary =
  (build: (a: Tensor, b: Tensor) => Tensor, second?: readonly [number, number]): MakeCase =>
  draw => {
    const wide = anyShape(draw)
    const narrow = wide
      .map(size => (draw() < 0.4 ? 1 : size))
      .slice(between(draw, 0, wide.length - 1))
    const open = draw() < 0.5
    const both = open && narrow.length === wide.length && narrow[0] === wide[0]
    const pair: Operand[] = [
      { shape: wide, open },
      { shape: narrow, open: both },
    ]
    const [a, b] = draw() < 0.5 ? pair : pair.reverse()
    return { operands: [a!, second ? { ...b!, range: second } : b!], build }
  }

const matMul: MakeCase = draw => {
  const [m, k, p] = [between(draw, 1, 4), between(draw, 1, 4), between(draw, 1, 4)]
  const batch = anyShape(draw, between(draw, 0, 2))
  const second = oneOf(draw, [batch, batch.map(() => 1), []])
  const open = batch.length > 0 && draw() < 0.5
  const operands = [
    { shape: [...batch, m, k], open },
    { shape: [...second, k, p], open: open && second === batch },
  ]
  return { operands, build: ops.matmul }
}

const gemm: MakeCase = draw => {
  const [rows, inner, out] = [between(draw, 1, 4), between(draw, 1, 4), between(draw, 1, 4)]
  const [transA, transB] = [draw() < 0.5, draw() < 0.5]
  const x = { shape: transA ? [inner, rows] : [rows, inner], open: !transA && draw() < 0.5 }
  const operands = [x, { shape: transB ? [out, inner] : [inner, out] }, { shape: [out] }]
  return {
    operands: draw() < 0.3 ? operands.slice(0, 2) : operands,
    build: (a, b, c) =>
      appendOp('Gemm', [a, b, c], {
        shape: [x.open ? 'n' : rows, out],
        attributes: { transA: +transA, transB: +transB },
      }),
  }
}

const patchConvolution: MakeCase = draw => {
  const [n, channels, out, patch] = [
    between(draw, 1, 2),
    between(draw, 1, 3),
    between(draw, 1, 3),
    between(draw, 1, 3),
  ]
  const operands = [
    {
      shape: [n, channels, patch * between(draw, 1, 2), patch * between(draw, 1, 3)],
      open: draw() < 0.5,
    },
    { shape: [out, channels, patch, patch] },
    { shape: [out] },
  ]
  const build = (x: Tensor, weight: Tensor, bias?: Tensor) =>
    ops.conv2d(x, { weight, bias }, { stride: patch })
  return { operands: draw() < 0.3 ? operands.slice(0, 2) : operands, build }
}

const layerNormalization: MakeCase = draw => {
  const shape = [...anyShape(draw, between(draw, 1, 3)), between(draw, 2, 5)]
  const width = shape.at(-1)!
  return {
    operands: [{ shape, open: draw() < 0.5 }, { shape: [width] }, { shape: [width] }],
    build: (x, weight, bias) => ops.layerNormalization(x, { scale: weight, bias }, 0.1),
  }
}

const transpose: MakeCase = draw => {
  const shape = anyShape(draw)
  const order = shape.map((_, i) => ({ i, key: draw() })).sort((a, b) => a.key - b.key)
  return {
    operands: [{ shape, open: draw() < 0.5 }],
    build: x =>
      ops.transpose(
        x,
        order.map(({ i }) => i),
      ),
  }
}

const reshape: MakeCase = draw => {
  const [n, a, b, c] = anyShape(draw, 4) as [number, number, number, number]
  return {
    operands: [{ shape: [n, a * b, c], open: true }],
    build: x => ops.reshape(x, ['n', a, b * c]),
  }
}

const unsqueeze: MakeCase = draw => ({
  operands: [{ shape: anyShape(draw, 2), open: true }],
  build: x =>
    appendOp('Unsqueeze', [x, integers(x.graph, [1])], { shape: [x.shape[0]!, 1, x.shape[1]!] }),
})

const squeeze: MakeCase = draw => ({
  operands: [{ shape: [...anyShape(draw, 2), 1], open: true }],
  build: x => appendOp('Squeeze', [x, integers(x.graph, [2])], { shape: x.shape.slice(0, 2) }),
})

/** The first operand is used twice, so that its two gradients must add up. */
const concat: MakeCase = draw => {
  const shape = anyShape(draw, between(draw, 2, 3))
  const axis = between(draw, 1, shape.length - 1)
  const other = shape.with(axis, between(draw, 1, 3))
  const operands = [shape, other].map(sizes => ({ shape: sizes, open: true }))
  return { operands, build: (a, b) => ops.concat([a, b, a], axis) }
}

/** Of three parts the second is not used. */
const split: MakeCase = draw => {
  const shape = anyShape(draw, between(draw, 2, 3))
  const axis = between(draw, 1, shape.length - 1)
  const sizes = anyShape(draw, 3)
  const size = sizes[0]! + sizes[1]! + sizes[2]!
  return {
    operands: [{ shape: shape.with(axis, size), open: true }],
    build: x => {
      const [first, , last] = ops.split(x, sizes, axis)
      return ops.concat([ops.mul(last!, last!), first!], axis)
    },
  }
}

const slice: MakeCase = draw => {
  const shape = anyShape(draw, between(draw, 1, 3), 5)
  const axis = between(draw, 0, shape.length - 1)
  const start = between(draw, 0, shape[axis]! - 1)
  const end = between(draw, start + 1, shape[axis]!)
  return { operands: [{ shape, open: axis > 0 }], build: x => ops.slice(x, axis, [start, end]) }
}

/** Some rows are taken more than once. */
const gather: MakeCase = draw => {
  const shape = anyShape(draw, between(draw, 1, 3), 4)
  const axis = between(draw, 0, shape.length - 1)
  const sizes = anyShape(draw, between(draw, 0, 2))
  const count = sizes.reduce((a, b) => a * b, 1)
  const rows = BigInt64Array.from({ length: count }, () =>
    BigInt(between(draw, 0, shape[axis]! - 1)),
  )
  return {
    operands: [{ shape, open: axis > 0 }],
    build: x => ops.gather(x, constant(x.graph, rows, sizes), axis),
  }
}

const expand: MakeCase = draw => {
  const [a, b, c] = anyShape(draw, 3) as [number, number, number]
  return {
    operands: [{ shape: [b, 1] }],
    build: x => ops.expand(x, integers(x.graph, [a, b, c]), [a, b, c]),
  }
}

const reduction =
  (reduce: (x: Tensor, axes: number[], keep: boolean) => Tensor): MakeCase =>
  draw => {
    const shape = anyShape(draw)
    const chosen = shape.map((_, i) => i).filter(() => draw() < 0.5)
    const axes = chosen.length > 0 ? chosen : [shape.length - 1]
    const keep = draw() < 0.5
    return { operands: [{ shape, open: draw() < 0.5 }], build: x => reduce(x, axes, keep) }
  }

const alongAxis =
  (build: (x: Tensor, axis: number) => Tensor): MakeCase =>
  draw => {
    const shape = anyShape(draw)
    const axis = between(draw, 0, shape.length - 1)
    return { operands: [{ shape, open: draw() < 0.5 }], build: x => build(x, axis) }
  }

const resizings: readonly ops.ResizeOptions[] = [
  { mode: 'linear' },
  { mode: 'cubic' },
  { mode: 'nearest', coordinates: 'asymmetric' },
]

const resize: MakeCase = draw => {
  const [n, c, h, w] = anyShape(draw, 4) as [number, number, number, number]
  const [newHeight, newWidth] = [between(draw, 1, 5), between(draw, 1, 5)]
  const options = oneOf(draw, resizings)
  const byFactors: ops.ResizeOptions = { ...options, scales: [1, 1, 2, 1.5] }
  return draw() < 0.3
    ? {
        operands: [{ shape: [n, c, h, 2] }],
        build: x => ops.resize(x, [n, c, 2 * h, 3], byFactors),
      }
    : {
        operands: [{ shape: [n, c, h, w] }],
        build: x => ops.resize(x, [n, c, newHeight, newWidth], options),
      }
}

const identity = (x: Tensor): Tensor => appendOp('Identity', [x], x)

/** What exercises each gradient rule. */
export const cases: Readonly<Record<string, MakeCase>> = {
  Add: binary(ops.add),
  Sub: binary(ops.sub),
  Mul: binary(ops.mul),
  Div: binary(ops.div, [0.5, 2]),
  Pow: draw => unary(x => ops.pow(x, oneOf(draw, [2, 3, 0.5, -1])), [0.5, 2])(draw),
  Sqrt: unary(ops.sqrt, [0.5, 2]),
  Exp: unary(ops.exp),
  Sin: unary(ops.sin),
  Cos: unary(ops.cos),
  Log: unary(ops.log, [0.5, 2]),
  Neg: unary(ops.neg),
  Tanh: unary(ops.tanh),
  Sigmoid: unary(ops.sigmoid),
  Erf: unary(ops.erf),
  Relu: unary(ops.relu),
  Gelu: draw => unary(oneOf(draw, [ops.gelu, ops.geluTanh]))(draw),
  Identity: unary(identity),
  Cast: unary(x => ops.cast(ops.cast(x, 'float64'), 'float32')),
  MatMul: matMul,
  Gemm: gemm,
  Conv: patchConvolution,
  LayerNormalization: layerNormalization,
  Transpose: transpose,
  Reshape: reshape,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Expand: expand,
  ReduceSum: reduction(ops.sum),
  ReduceMean: reduction(ops.mean),
  ReduceL2: alongAxis((x, axis) => ops.norm(x, [axis])),
  Resize: resize,
  Softmax: alongAxis(ops.softmax),
  LogSoftmax: alongAxis(ops.logSoftmax),
}

import { appendOp, type GraphNode, shapeError, type Tensor } from '../graph.ts'
import { matmul, reshape, sum, transpose } from '../ops.ts'
import { fixedSize, product as sizeOf } from '../shapes.ts'
import { type GradientRule, type GradientRules } from './rule.ts'
import { integerAttribute } from './support.ts'

/** A B with either one transposed first: [m, k] × [k, p] to [m, p]. */
function matrixProduct(a: Tensor, b: Tensor, { transA = false, transB = false } = {}): Tensor {
  const [rows, inner] = transA ? a.shape.toReversed() : a.shape
  const [depth, columns] = transB ? b.shape.toReversed() : b.shape
  if (inner !== depth) throw shapeError('Gemm', `[${String(a.shape)}] × [${String(b.shape)}]`)
  return appendOp('Gemm', [a, b], {
    shape: [rows!, columns!],
    attributes: { transA: Number(transA), transB: Number(transB) },
  })
}

const swapLast = (x: Tensor): Tensor => {
  const rank = x.shape.length
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2])
}

/** [..., width] to [rows, width]. */
const flattenRows = (x: Tensor): Tensor =>
  reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!])

/** A matrix that every batch shares gets one product over all rows instead of a sum of products. */
const matMul: GradientRule = ({ x: [a, b], dy }) => [
  () => matmul(dy, swapLast(b!)),
  () =>
    b!.shape.length === 2 && a!.shape.length > 2
      ? matrixProduct(flattenRows(a!), flattenRows(dy), { transA: true })
      : matmul(swapLast(a!), dy),
]

const gemm: GradientRule = ({ node, x: [a, b, c], dy }) => {
  if ('alpha' in node.attributes || 'beta' in node.attributes) return []
  const transA = integerAttribute(node, 'transA', 0) === 1
  const transB = integerAttribute(node, 'transB', 0) === 1
  return [
    () =>
      transA
        ? matrixProduct(b!, dy, { transA: transB, transB: true })
        : matrixProduct(dy, b!, { transB: !transB }),
    () =>
      transB
        ? matrixProduct(dy, a!, { transA: true, transB: transA })
        : matrixProduct(a!, dy, { transA: !transA }),
    c && (() => dy),
  ]
}

/** True for windows that neither overlap nor leave gaps: what cuts an image into patches. */
function isPatchConvolution({ inputs, attributes }: GraphNode): boolean {
  const [height, width] = inputs[0]!.shape.slice(2).map(size => fixedSize(size, 'Conv'))
  const [kh, kw] = inputs[1]!.shape.slice(2).map(size => fixedSize(size, 'Conv'))
  const all = (name: string, expected: number): boolean =>
    !(name in attributes) ||
    (attributes[name] as readonly number[]).every(entry => entry === expected)
  const [sh, sw] = attributes.strides as readonly number[]
  const whole = height! % kh! === 0 && width! % kw! === 0
  return whole && sh === kh && sw === kw && all('pads', 0) && (attributes.group ?? 1) === 1
}

/** x [n, in, h, w] cut into rows [n·gh·gw, in·kh·kw], one per patch. */
function cutPatches(x: Tensor, [kh, kw]: readonly number[]): Tensor {
  const [n, channels, h, w] = x.shape
  const gh = fixedSize(h, 'Conv') / kh!
  const gw = fixedSize(w, 'Conv') / kw!
  const cut = transpose(reshape(x, [n!, channels!, gh, kh!, gw, kw!]), [0, 2, 4, 1, 3, 5])
  return reshape(cut, [sizeOf([n!, gh, gw]), sizeOf([channels!, kh!, kw!])])
}

/** The inverse of `cutPatches`, to the shape of `x`. */
function assemblePatches(cut: Tensor, x: Tensor, [kh, kw]: readonly number[]): Tensor {
  const [n, channels, h, w] = x.shape
  const gh = fixedSize(h, 'Conv') / kh!
  const gw = fixedSize(w, 'Conv') / kw!
  return reshape(
    transpose(reshape(cut, [n!, gh, gw, channels!, kh!, kw!]), [0, 3, 1, 4, 2, 5]),
    x.shape,
  )
}

const conv: GradientRule = ({ node, x: [x, weight], dy }) => {
  if (!isPatchConvolution(node)) return []
  const kernel = weight!.shape.slice(2).map(size => fixedSize(size, 'Conv'))
  const flat = reshape(weight!, [weight!.shape[0]!, sizeOf(weight!.shape.slice(1))])
  const perPatch = flattenRows(transpose(dy, [0, 2, 3, 1]))
  return [
    () => assemblePatches(matrixProduct(perPatch, flat), x!, kernel),
    () => reshape(matrixProduct(perPatch, cutPatches(x!, kernel), { transA: true }), weight!.shape),
    () => sum(perPatch, [0]),
  ]
}

export const productRules: GradientRules = { MatMul: matMul, Gemm: gemm, Conv: conv }

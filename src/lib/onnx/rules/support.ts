import {
  appendOp,
  type NodeAttribute,
  integers,
  type GraphNode,
  scalar,
  type TensorShape,
  shapeError,
  type Tensor,
} from '../graph.ts'
import { cast, expand, gather, reshape, shapeOf, sum } from '../ops.ts'
import { product } from '../shapes.ts'

/** Sums over the axes that broadcasting added or widened, so that the result has `shape`. */
export function sumTo(x: Tensor, shape: TensorShape): Tensor {
  const extra = x.shape.length - shape.length
  const added = Array.from({ length: extra }, (_, i) => i)
  const widened = shape.flatMap((dim, i) =>
    dim === 1 && x.shape[i + extra] !== 1 ? [i + extra] : [],
  )
  if (added.length + widened.length === 0) return x
  const summed = sum(x, [...added, ...widened], true)
  return extra === 0 ? summed : reshape(summed, shape)
}

/** `x` repeated to the shape of `like`. */
export const expandLike = (x: Tensor, like: Tensor): Tensor =>
  String(x.shape) === String(like.shape) ? x : expand(x, shapeOf(like), like.shape)

export const zerosLike = (like: Tensor): Tensor => expandLike(scalar(like.graph, 0), like)

/** The number of values along `axes` of `x`, as a float32 scalar. */
export function countAlong(x: Tensor, axes: readonly number[]): Tensor {
  const count = product(axes.map(axis => x.shape[axis]!))
  if (typeof count === 'number') return scalar(x.graph, count)
  const sizes = gather(shapeOf(x), integers(x.graph, axes))
  const result = { shape: [], attributes: { keepdims: 0 } }
  return cast(appendOp('ReduceProd', [sizes], result), 'float32')
}

/** The values of an int64 constant. */
export function constantIntegers(tensor: Tensor, op: string): number[] {
  const data = tensor.graph.constants.get(tensor.name)?.data
  if (!(data instanceof BigInt64Array)) throw shapeError(op, `${tensor.name} must be a constant`)
  return Array.from(data, Number)
}

/** An integer attribute, or `missing` where the node does not say. */
export function integerAttribute(node: GraphNode, name: string, missing: number): number {
  const value: NodeAttribute | undefined = node.attributes[name]
  return typeof value === 'number' ? value : missing
}

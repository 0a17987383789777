import { append, integers, type Node, type Tensor } from '../graph.ts'
import { div, exp, mul, sub, sum } from '../ops.ts'
import { axisOf } from '../shapes.ts'
import { type Rule, type Rules, type Step } from './rule.ts'
import { constantIntegers, countAlong, expandLike, integerAttribute } from './support.ts'

function axesOf({ inputs, op }: Node): number[] {
  const rank = inputs[0]!.shape.length
  return inputs[1] ? constantIntegers(inputs[1], op).map(axis => axisOf(axis, rank)) : [...Array(rank).keys()]
}

/** `tensor` with the reduced axes back as size 1. */
function kept({ node, x: [x] }: Step, tensor: Tensor): Tensor {
  if (tensor.shape.length === x!.shape.length) return tensor
  const axes = axesOf(node)
  const shape = x!.shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
  return append(x!.graph, 'Unsqueeze', [tensor, integers(x!.graph, axes)], [{ dtype: x!.dtype, shape }])[0]!
}

const mean: Rule = step => {
  const [x] = step.x
  return [() => expandLike(div(kept(step, step.dy), countAlong(x!, axesOf(step.node))), x!), undefined]
}

/** Euclidean length. */
const length: Rule = step => [() => mul(step.x[0]!, div(kept(step, step.dy), kept(step, step.y))), undefined]

const total = (x: Tensor, node: Node): Tensor => sum(x, [integerAttribute(node, 'axis', -1)], true)

export const reductionRules: Rules = {
  ReduceSum: step => [() => expandLike(kept(step, step.dy), step.x[0]!), undefined],
  ReduceMean: mean,
  ReduceL2: length,
  Softmax: ({ node, y, dy }) => [() => mul(y, sub(dy, total(mul(dy, y), node)))],
  LogSoftmax: ({ node, dy, y }) => [() => sub(dy, mul(exp(y), total(dy, node)))],
}

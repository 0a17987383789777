import { appendOp, integers, type GraphNode, type Tensor } from '../graph.ts'
import { div, exp, mul, sub, sum } from '../ops.ts'
import { normalizeAxis } from '../shapes.ts'
import { type GradientRule, type GradientRules, type BackwardStep } from './rule.ts'
import { constantIntegers, countAlong, expandLike, integerAttribute } from './support.ts'

function axesOf({ inputs, op }: GraphNode): number[] {
  const rank = inputs[0]!.shape.length
  return inputs[1]
    ? constantIntegers(inputs[1], op).map(axis => normalizeAxis(axis, rank))
    : [...Array(rank).keys()]
}

/** `tensor` with the reduced axes back as size 1. */
function restoreAxes({ node, x: [x] }: BackwardStep, tensor: Tensor): Tensor {
  if (tensor.shape.length === x!.shape.length) return tensor
  const axes = axesOf(node)
  const shape = x!.shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
  return appendOp('Unsqueeze', [tensor, integers(x!.graph, axes)], { shape })
}

const meanRule: GradientRule = step => {
  const [x] = step.x
  return [
    () => expandLike(div(restoreAxes(step, step.dy), countAlong(x!, axesOf(step.node))), x!),
    undefined,
  ]
}

/** Euclidean length. */
const lengthRule: GradientRule = step => [
  () => mul(step.x[0]!, div(restoreAxes(step, step.dy), restoreAxes(step, step.y))),
  undefined,
]

const sumAlongAxis = (x: Tensor, node: GraphNode): Tensor =>
  sum(x, [integerAttribute(node, 'axis', -1)], true)

export const reductionRules: GradientRules = {
  ReduceSum: step => [() => expandLike(restoreAxes(step, step.dy), step.x[0]!), undefined],
  ReduceMean: meanRule,
  ReduceL2: lengthRule,
  Softmax: ({ node, y, dy }) => [() => mul(y, sub(dy, sumAlongAxis(mul(dy, y), node)))],
  LogSoftmax: ({ node, dy, y }) => [() => sub(dy, mul(exp(y), sumAlongAxis(dy, node)))],
}

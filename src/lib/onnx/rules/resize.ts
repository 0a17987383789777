import { appendOp, constant, integers, type GraphNode, type Tensor } from '../graph.ts'
import { matmul, transpose } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { type GradientRule, type GradientRules } from './rule.ts'

/**
 * What a Resize of [n, c, h, w] does along an axis (2 or 3), as a matrix [new size, old size]: the same Resize of an
 * identity matrix, whose columns stay as they are.
 */
function resizeMatrix(axis: 2 | 3, { inputs, outputs, attributes }: GraphNode): Tensor {
  const { graph, shape } = inputs[0]!
  const size = fixedSize(shape[axis], 'Resize')
  const made = fixedSize(outputs[0]!.shape[axis], 'Resize')
  const identity = Float32Array.from({ length: size * size }, (_, i) =>
    i % (size + 1) === 0 ? 1 : 0,
  )
  const factors = inputs[2] && (graph.constants.get(inputs[2].name)!.data as Float32Array)
  const scales = factors && constant(graph, Float32Array.of(1, 1, factors[axis]!, 1), [4])
  const target = scales ? undefined : integers(graph, [made, size])
  const columns = constant(graph, identity, [1, 1, size, size])
  return appendOp('Resize', [columns, undefined, scales, target], {
    shape: [1, 1, made, size],
    attributes,
  })
}

/** Resizing is linear and works on rows and columns apart: y = A x Bᵀ, so its gradient is Aᵀ dy B. */
const resizeRule: GradientRule = ({ node, dy }) => [
  () => matmul(matmul(transpose(resizeMatrix(2, node), [0, 1, 3, 2]), dy), resizeMatrix(3, node)),
]

export const resizeRules: GradientRules = { Resize: resizeRule }

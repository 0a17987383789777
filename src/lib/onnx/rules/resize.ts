import { append, constant, integers, type Node, type Tensor } from '../graph.ts'
import { matmul, transpose } from '../ops.ts'
import { fixed } from '../shapes.ts'
import { type Rule, type Rules } from './rule.ts'

/**
 * What a Resize of [n, c, h, w] does along an axis (2 or 3), as a matrix [new size, old size]: the same Resize of an
 * identity matrix, whose columns stay as they are.
 */
function along(axis: 2 | 3, { inputs, outputs, attributes }: Node): Tensor {
  const { graph, shape } = inputs[0]!
  const size = fixed(shape[axis], 'Resize')
  const made = fixed(outputs[0]!.shape[axis], 'Resize')
  const identity = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0))
  const factors = inputs[2] && (graph.constants.get(inputs[2].name)!.data as Float32Array)
  const scales = factors && constant(graph, Float32Array.of(1, 1, factors[axis]!, 1), [4])
  const target = scales ? undefined : integers(graph, [1, 1, made, size])
  const columns = constant(graph, identity, [1, 1, size, size])
  const result = [{ dtype: 'float32' as const, shape: [1, 1, made, size] }]
  return append(graph, 'Resize', [columns, undefined, scales, target], result, attributes)[0]!
}

/** Resizing is linear and works on rows and columns apart: y = A x Bᵀ, so its gradient is Aᵀ dy B. */
const resized: Rule = ({ node, dy }) => [
  () => matmul(matmul(transpose(along(2, node), [0, 1, 3, 2]), dy), along(3, node)),
]

export const resizeRules: Rules = { Resize: resized }

import { type GraphNode, type TensorShape, type Tensor } from '../graph.ts'
import { mean, mul, sub } from '../ops.ts'
import { type GradientRule, type GradientRules } from './rule.ts'
import { integerAttribute } from './support.ts'

/**
 * Mean and inverse deviation that a LayerNormalization computed, as [..., 1]: its second and third output. They are
 * declared on the node the first time that they are asked for.
 */
function statistics(node: GraphNode, shape: TensorShape): readonly [mean: Tensor, inverse: Tensor] {
  const [y, average, inverse] = node.outputs
  if (average && inverse) return [average, inverse]
  const made = ['mean', 'inverse'].map(what => ({ ...y!, name: `${y!.name}_${what}`, shape }))
  const { nodes } = y!.graph
  const at = nodes.findIndex(({ outputs }) => outputs[0] === y)
  nodes[at] = { ...node, outputs: [y!, ...made] }
  return [made[0]!, made[1]!]
}

const layerNormalization: GradientRule = ({ node, x: [x, weight, bias], dy }) => {
  const axis = integerAttribute(node, 'axis', -1)
  const axes = x!.shape.map((_, i) => i).slice(axis)
  const [average, inverse] = statistics(
    node,
    x!.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  )
  const normal = mul(sub(x!, average), inverse)
  return [
    () => {
      const scaled = mul(dy, weight!)
      const along = mul(normal, mean(mul(scaled, normal), axes, true))
      return mul(sub(sub(scaled, mean(scaled, axes, true)), along), inverse)
    },
    () => mul(dy, normal),
    bias && (() => dy),
  ]
}

export const normalizationRules: GradientRules = { LayerNormalization: layerNormalization }

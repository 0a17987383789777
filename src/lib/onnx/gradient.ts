/*
 * Reverse-mode differentiation: appends to a graph the nodes that compute the gradient of a scalar. Only plain operators
 * are used, for ONNX Runtime's own gradient kernels are not part of its inference builds. A rule sees a node and the
 * gradient of its output and says, per input, how to compute that input's gradient; what was broadcast on the way
 * forward is summed here on the way back, so that elementwise rules need not know of it.
 */
import { type GeogapError, internalError } from '../errors.ts'
import { neededNodes, type GraphNode, scalar, type Tensor } from './graph.ts'
import { add } from './ops.ts'
import { elementwiseRules } from './rules/elementwise.ts'
import { layoutRules } from './rules/layout.ts'
import { normalizationRules } from './rules/normalization.ts'
import { productRules } from './rules/products.ts'
import { reductionRules } from './rules/reductions.ts'
import { resizeRules } from './rules/resize.ts'
import { type GradientRules } from './rules/rule.ts'
import { sumTo } from './rules/support.ts'

/** Gradient rules by operator. */
export const gradientRules: GradientRules = {
  ...elementwiseRules,
  ...layoutRules,
  ...normalizationRules,
  ...productRules,
  ...reductionRules,
  ...resizeRules,
}

/**
 * Gradients of `loss` [] with respect to the float32 tensors `wrt`, each of its tensor's shape, appended to their graph.
 * @throws GeogapError `no-gradient` naming an operator without a rule, or a tensor that the loss does not depend on.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  const { graph } = loss
  if (loss.shape.length > 0)
    throw noGradient(`the loss must be a scalar, not [${String(loss.shape)}]`)
  const nodes = neededNodes(graph, [loss])
  const active = dependents(nodes, wrt)
  const gradientByName = new Map([[loss.name, scalar(graph, 1)]])
  for (const node of nodes.toReversed()) {
    if (!node.inputs.some(tensor => tensor && active.has(tensor.name))) continue
    for (const [tensor, part] of propagateBack(node, active, gradientByName)) {
      const known = gradientByName.get(tensor.name)
      gradientByName.set(tensor.name, known ? add(known, part) : part)
    }
  }
  return wrt.map(tensor => {
    const gradient = active.has(loss.name) ? gradientByName.get(tensor.name) : undefined
    if (!gradient) throw noGradient(`the loss does not depend on ${tensor.name}`)
    return gradient
  })
}

const noGradient = (message: string): GeogapError => internalError('no-gradient', message)

/** Returns the names of the float tensors that depend on any of `sources`. */
function dependents(nodes: readonly GraphNode[], sources: readonly Tensor[]): Set<string> {
  const active = new Set(sources.map(tensor => tensor.name))
  for (const node of nodes) {
    if (!node.inputs.some(tensor => tensor && active.has(tensor.name))) continue
    for (const { name, dtype } of node.outputs) if (dtype.startsWith('float')) active.add(name)
  }
  return active
}

/** What a node passes back to its inputs, one entry per use. */
function propagateBack(
  node: GraphNode,
  active: Set<string>,
  gradientByName: Map<string, Tensor>,
): (readonly [Tensor, Tensor])[] {
  const outputGradients = node.outputs.map(tensor => gradientByName.get(tensor.name))
  if (outputGradients.every(tensor => !tensor)) return []
  const rule = gradientRules[node.op]
  if (!rule) throw noGradient(`no gradient rule for ${node.op} (at ${node.outputs[0]!.name})`)
  const inputs = node.inputs as readonly Tensor[]
  const parts = rule({
    node,
    x: inputs,
    y: node.outputs[0]!,
    dy: outputGradients[0]!,
    outputGradients,
  })
  return inputs.flatMap((tensor: Tensor | undefined, i) => {
    if (!tensor || !active.has(tensor.name)) return []
    const part = parts[i]
    if (!part)
      throw noGradient(
        `no gradient rule for input ${i + 1} of ${node.op} (at ${node.outputs[0]!.name})`,
      )
    return [[tensor, sumTo(part(), tensor.shape)] as const]
  })
}

/*
 * The same graph in half precision. What no parameter takes part in stays in float32: the crops' normalization, whose factors
 * float16 would round, and the graph's outputs, as readers expect them.
 */
import {
  appendNode,
  createGraph,
  type DType,
  type Graph,
  type GraphNode,
  type Tensor,
} from './graph.ts'
import { cast, onnxType } from './ops.ts'

/** float16 parameters and activations from the first parameter on; inputs and outputs keep their types. */
export function toHalfPrecision(graph: Graph): Graph {
  const half: Graph = { ...createGraph(), inputs: [...graph.inputs], nameCount: graph.nameCount }
  const copies = new Map<string, Tensor>()
  const copy = (tensor: Tensor, float32: DType = 'float32'): Tensor => {
    const copied = {
      ...tensor,
      graph: half,
      dtype: tensor.dtype === 'float32' ? float32 : tensor.dtype,
    }
    copies.set(tensor.name, copied)
    return copied
  }
  for (const { tensor, role } of graph.parameters.values())
    half.parameters.set(tensor.name, { tensor: copy(tensor, 'float16'), role })
  for (const [name, { tensor, data }] of graph.constants)
    half.constants.set(name, { tensor: copy(tensor), data })
  for (const [i, tensor] of graph.inputs.entries()) half.inputs[i] = copy(tensor)
  for (const node of graph.nodes) copyNode(copies, node)
  for (const [name, { name: inside, dtype }] of graph.outputs)
    half.outputs.set(name, castTo(copies.get(inside)!, dtype))
  return half
}

const castTo = (tensor: Tensor, dtype: DType): Tensor =>
  tensor.dtype === dtype ? tensor : cast(tensor, dtype)

function copyNode(
  copies: Map<string, Tensor>,
  { op, inputs, outputs, attributes }: GraphNode,
): void {
  const given = inputs.map(tensor => tensor && copies.get(tensor.name)!)
  const float: DType = given.some(tensor => tensor?.dtype === 'float16') ? 'float16' : 'float32'
  // A resize takes its factors in float32 whatever it resizes.
  const taken = given.map((tensor, i) =>
    tensor?.dtype === 'float32' && !(op === 'Resize' && i > 0) ? castTo(tensor, float) : tensor,
  )
  const to = op === 'Cast' && attributes['to'] === onnxType.float32 ? { to: onnxType[float] } : {}
  const types = outputs.map(({ dtype, shape }) => ({
    dtype: dtype === 'float32' ? float : dtype,
    shape,
  }))
  const made = appendNode(op, taken, { outputs: types, attributes: { ...attributes, ...to } })
  for (const [i, tensor] of made.entries()) copies.set(outputs[i]!.name, tensor)
}

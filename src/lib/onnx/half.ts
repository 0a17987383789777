/*
 * The same graph in half precision. What no parameter takes part in stays in float32: the crops' normalization, whose factors
 * float16 would round, and the graph's outputs, as readers expect them.
 */
import { append, createGraph, type DType, type Graph, type Node, type Tensor } from './graph.ts'
import { cast, onnxType } from './ops.ts'

/** float16 parameters and activations from the first parameter on; inputs and outputs keep their types. */
export function halved(graph: Graph): Graph {
  const half: Graph = { ...createGraph(), inputs: [...graph.inputs], count: graph.count }
  const known = new Map<string, Tensor>()
  for (const { tensor, role } of graph.parameters.values())
    half.parameters.set(tensor.name, { tensor: keep(known, half, tensor, 'float16'), role })
  for (const [name, { tensor, data }] of graph.constants)
    half.constants.set(name, { tensor: keep(known, half, tensor), data })
  for (const [i, tensor] of graph.inputs.entries()) half.inputs[i] = keep(known, half, tensor)
  for (const node of graph.nodes) copyNode(known, half, node)
  for (const [name, { name: inside, dtype }] of graph.outputs) half.outputs.set(name, as(known.get(inside)!, dtype))
  return half
}

function keep(known: Map<string, Tensor>, graph: Graph, tensor: Tensor, float32: Tensor['dtype'] = 'float32'): Tensor {
  const kept = { ...tensor, graph, dtype: tensor.dtype === 'float32' ? float32 : tensor.dtype }
  known.set(tensor.name, kept)
  return kept
}

const as = (tensor: Tensor, dtype: Tensor['dtype']): Tensor => (tensor.dtype === dtype ? tensor : cast(tensor, dtype))

function copyNode(known: Map<string, Tensor>, graph: Graph, { op, inputs, outputs, attributes }: Node): void {
  const given = inputs.map(tensor => tensor && known.get(tensor.name)!)
  const float: DType = given.some(tensor => tensor?.dtype === 'float16') ? 'float16' : 'float32'
  // A resize takes its factors in float32 whatever it resizes.
  const taken = given.map((tensor, i) =>
    tensor?.dtype === 'float32' && !(op === 'Resize' && i > 0) ? as(tensor, float) : tensor,
  )
  const to = op === 'Cast' && attributes['to'] === onnxType.float32 ? { to: onnxType[float] } : {}
  const types = outputs.map(({ dtype, shape }) => ({ dtype: dtype === 'float32' ? float : dtype, shape }))
  for (const [i, made] of append(graph, op, taken, types, { ...attributes, ...to }).entries())
    known.set(outputs[i]!.name, made)
}

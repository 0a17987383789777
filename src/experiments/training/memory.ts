import { type Graph, neededNodes, type Tensor } from '../../lib/onnx/graph.ts'
import { volumeAt } from '../../lib/onnx/shapes.ts'

const bytesPerValue: Partial<Record<Tensor['dtype'], number>> = {
  float64: 8,
  int64: 8,
  uint8: 1,
  int8: 1,
  bool: 1,
}

/** Returns the bytes of a tensor whose run-time sizes are all `rows`. */
const tensorBytes = ({ shape, dtype }: Tensor, rows: number): number =>
  volumeAt(shape, rows) * (bytesPerValue[dtype] ?? 4)

/** Operators whose result shares the memory of its operand. */
const viewOps = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Identity'])

/**
 * Estimates the peak memory, in bytes, of the intermediate results of a graph on `rows` rows from the order of its nodes and the
 * last use of each result. ONNX Runtime's own order and fusions differ a little.
 */
export function peakBytes(graph: Graph, rows: number): number {
  const nodes = neededNodes(graph, [...graph.outputs.values()])
  const owners = new Map<string, string>()
  const ownerOf = (name: string): string => owners.get(name) ?? name
  const lastUse = new Map<string, number>()
  for (const [i, { op, inputs, outputs }] of nodes.entries()) {
    if (viewOps.has(op)) owners.set(outputs[0]!.name, ownerOf(inputs[0]!.name))
    for (const tensor of [...inputs, ...outputs]) if (tensor) lastUse.set(ownerOf(tensor.name), i)
  }
  const alive = new Map<string, number>()
  let now = 0
  let most = 0
  for (const [i, { inputs, outputs }] of nodes.entries()) {
    for (const tensor of outputs) {
      if (owners.has(tensor.name)) continue
      alive.set(tensor.name, tensorBytes(tensor, rows))
      now += tensorBytes(tensor, rows)
    }
    most = Math.max(most, now)
    for (const tensor of [...inputs, ...outputs]) {
      const name = tensor && ownerOf(tensor.name)
      if (name === undefined || lastUse.get(name) !== i) continue
      now -= alive.get(name) ?? 0
      alive.delete(name)
    }
  }
  return most
}

import { type Graph, type TensorShape } from './graph.ts'
import { volume, volumeAt } from './shapes.ts'

/** Values that training would change: everything but running statistics and fixed kernels. */
export function parameterCount(graph: Graph): number {
  let count = 0
  for (const { tensor, role } of graph.parameters.values()) {
    if (role !== 'mean' && role !== 'variance' && role !== 'fixed') count += volume(tensor.shape)
  }
  return count
}

/** Multiply-adds of the convolutions, matrix products and LSTMs for one image (every run-time size taken as 1). */
export function multiplyAdds(graph: Graph): number {
  const size = (shape: TensorShape): number => volumeAt(shape, 1)
  let total = 0
  for (const { op, inputs, outputs } of graph.nodes) {
    const [a, b] = inputs
    if (op === 'Conv') total += size(outputs[0]!.shape) * size(b!.shape.slice(1))
    else if (op === 'ConvTranspose') total += size(a!.shape) * size(b!.shape.slice(1))
    else if (op === 'MatMul' || op === 'Gemm')
      total += size(outputs[0]!.shape) * size([a!.shape.at(-1)!])
    else if (op === 'MultiHeadAttention')
      total += (size(a!.shape) + size(outputs[0]!.shape)) * size([b!.shape[1]!])
    else if (op === 'LSTM')
      total += size(a!.shape.slice(0, 2)) * (size(b!.shape) + size(inputs[2]!.shape))
  }
  return total
}

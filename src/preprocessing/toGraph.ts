import { constant, type Tensor } from '../graph/graph.ts'
import { add, cast, mul } from '../graph/ops.ts'
import { type Triple } from './steps.ts'

/** uint8 [n, 3, h, w] -> float32 (x / 255 - mean) / std */
export function normalizeGraph(crops: Tensor, mean: Triple, std: Triple): Tensor {
  const channels = (values: readonly number[]): Tensor => constant(crops.graph, Float32Array.from(values), [1, 3, 1, 1])
  const scaled = mul(cast(crops, 'float32'), channels(std.map(s => 1 / (255 * s))))
  return add(scaled, channels(mean.map((m, i) => -m / std[i]!)))
}

import { constant, type Tensor } from '../onnx/graph.ts'
import { add, cast, concat, mul, split } from '../onnx/ops.ts'
import type { Normalization } from './steps.ts'

/** Returns crops, uint8 [n, 3, h, w], in the order of the model's channels. */
export const orderChannels = (crops: Tensor, { channels }: Normalization): Tensor =>
  channels === 'BGR' ? concat(split(crops, [1, 1, 1], 1).toReversed(), 1) : crops

/** Returns crops, uint8 [n, 3, h, w], as float32 (x / 255 - mean) / std in the order of the model's channels. */
export function normalizeCrops(crops: Tensor, normalization: Normalization): Tensor {
  const { mean, std } = normalization
  const channels = (values: readonly number[]): Tensor =>
    constant(crops.graph, Float32Array.from(values), [1, 3, 1, 1])
  const scaled = mul(
    cast(orderChannels(crops, normalization), 'float32'),
    channels(std.map(s => 1 / (255 * s))),
  )
  return add(scaled, channels(mean.map((m, i) => -m / std[i]!)))
}

/** A network small enough to be fine-tuned in a moment, and images that it can learn. */
import { type FinetuneOptions } from '../../src/experiments/finetune.ts'
import { type TrainableNetwork, networkGraph } from '../../src/experiments/network.ts'
import { linear } from '../../src/lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../src/lib/onnx/blocks/norm.ts'
import { patchEmbed } from '../../src/lib/onnx/blocks/tokens.ts'
import { cast, mean, mul } from '../../src/lib/onnx/ops.ts'
import { type NamedTensor } from '../../src/lib/tensors/safetensors.ts'
import { randomFor } from '../../src/lib/random.ts'

const [size, classes] = [8, 3]
export const images = 20
export const network: TrainableNetwork = {
  name: 'patches',
  size,
  logits: (w, crops) => {
    const pixels = mul(cast(crops, 'float32'), 1 / 255)
    const tokens = layerNorm(w.at('norm'), patchEmbed(w.at('patch'), pixels, { patch: 4, dim: 6 }))
    return linear(w.at('head'), mul(mean(tokens, [1]), w.get('gain', [6], 'fixed')), classes)
  },
}

const draw = randomFor(4, 'finetune')
export const parameters: NamedTensor[] = Array.from(
  networkGraph(network).parameters.values(),
  ({ tensor: { name, shape } }) => {
    const sizes = shape.map(Number)
    const data = Float32Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, () => draw() - 0.5)
    return { name, shape: sizes, data: name === 'gain' ? data.fill(1) : data }
  },
)
const labels = Array.from({ length: images }, (_, i) => i % classes)
const perCrop = 3 * size * size
/** Images of a class are brighter in its channel. */
const pixels = Uint8Array.from({ length: images * perCrop }, (_, i) => {
  const channel = Math.floor((i % perCrop) / (size * size))
  return Math.floor(100 * draw()) + (channel === labels[Math.floor(i / perCrop)] ? 120 : 0)
})
// eslint-disable-next-line @typescript-eslint/require-await
export const crops = async (positions: readonly number[]): Promise<Uint8Array> =>
  Uint8Array.from(positions.flatMap(at => [...pixels.subarray(at * perCrop, (at + 1) * perCrop)]))

export const fittedOptions = (folder: string): FinetuneOptions => ({
  network,
  parameters,
  crops,
  labels,
  data: 'made up',
  folder,
  seed: 7,
  epochs: 4,
  batch: 6,
  rate: 0.02,
})

export const optionsIn = (folder: string): FinetuneOptions => ({
  ...fittedOptions(folder),
  microBatch: 4,
})

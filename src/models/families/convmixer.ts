/** ConvMixer (Trockman and Kolter 2022), as timm's convmixer.py computes it: depthwise and pointwise convolutions of patches. */
import { type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, gelu, relu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface ConvMixerConfig {
  dim: number
  blocks: number
  kernel: number
  patch: number
  activation: (x: Tensor) => Tensor
}

const rows: Rows<ConvMixerConfig> = {
  convmixer_768_32: { dim: 768, blocks: 32, kernel: 7, patch: 7, activation: relu },
  convmixer_1024_20_ks9_p14: { dim: 1024, blocks: 20, kernel: 9, patch: 14, activation: gelu },
  convmixer_1536_20: { dim: 1536, blocks: 20, kernel: 9, patch: 7, activation: gelu },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const convMixer: ClassifierBuilder<ConvMixerConfig> = (w, image, c) => {
  const { dim, kernel, patch } = c
  const activated: Layer = (scope, x) => batchNorm(scope, c.activation(x))
  const point = { out: dim, bias: true }
  const patches = conv(w.at('stem.0'), image, { ...point, kernel: patch, stride: patch })
  let x = activated(w.at('stem.2'), patches)
  const local = { ...point, kernel, padding: (kernel - 1) / 2, groups: dim }
  for (const block of w.each('blocks', c.blocks)) {
    const y = add(activated(block.at('0.fn.2'), conv(block.at('0.fn.0'), x, local)), x)
    x = activated(block.at('3'), conv(block.at('1'), y, point))
  }
  return pooledHead(w.at('head'), x, c.classes)
}

export const convMixers = classifiers({ family: 'convmixer', rows, build: convMixer })

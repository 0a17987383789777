/** gMLP (Liu et al. 2021), as timm's mlp_mixer.py computes it: tokens mix in the gates of one MLP. */
import { type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed } from '../../lib/onnx/blocks/tokens.ts'
import { add, gelu, halves, mean, mul, transpose } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface GmlpConfig {
  dim: number
  blocks: number
}

const rows: Rows<GmlpConfig> = { gmlp_s16_224: { dim: 256, blocks: 30 } }

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const gmlp: ClassifierBuilder<GmlpConfig> = (w, image, c) => {
  let x = patchEmbed(w.at('stem.proj'), image, { patch: 16, dim: c.dim })
  for (const block of w.each('blocks', c.blocks)) {
    const layers = block.at('mlp_channels')
    const activation = (y: Tensor): Tensor => spatialGate(layers.at('gate'), gelu(y))
    const normal = layerNorm(block.at('norm'), x)
    x = add(x, mlp(layers, normal, { hidden: 6 * c.dim, activation }))
  }
  return linearHead(w.at('head'), mean(layerNorm(w.at('norm'), x), [1]), c.classes)
}

/** The first half of the channels times a linear layer across tokens of the second. */
const spatialGate: Layer = (w, x) => {
  const [values, gates] = halves(x)
  const length = sizeAt(x, 1)
  const swapped = transpose(layerNorm(w.at('norm'), gates, 1e-5), [0, 2, 1])
  return mul(values, transpose(linear(w.at('proj'), swapped, length), [0, 2, 1]))
}

export const gmlps = classifiers({ family: 'gmlp', rows, build: gmlp })

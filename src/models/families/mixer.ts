/** MLP-Mixer (Tolstikhin et al. 2021) and gMixer, whose MLPs are gated, as timm's mlp_mixer.py computes them. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'

import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed } from '../../lib/onnx/blocks/tokens.ts'
import { add, gelu, halves, mean, mul, silu, transpose } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface MixerConfig {
  patch: number
  dim: number
  blocks: number
  /** Widths inside the two MLPs, across tokens and across channels. */
  tokens: number
  channels: number
  /** Whether one half of an MLP's inner channels gates the other. */
  gated?: boolean
}

const rows: Rows<MixerConfig> = {
  mixer_b16_224: { patch: 16, dim: 768, blocks: 12, tokens: 384, channels: 3072 },
  mixer_l16_224: { patch: 16, dim: 1024, blocks: 24, tokens: 512, channels: 4096 },
  gmixer_24_224: { patch: 16, dim: 384, blocks: 24, tokens: 384, channels: 1536, gated: true },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const mixer: ClassifierBuilder<MixerConfig> = (w, image, c) => {
  let x = patchEmbed(w.at('stem.proj'), image, c)
  for (const block of w.each('blocks', c.blocks)) x = mixerBlock(block, x, c)
  return linearHead(w.at('head'), mean(layerNorm(w.at('norm'), x), [1]), c.classes)
}

const mixerBlock: Block<MixerConfig> = (w, x, c) => {
  const activation = c.gated ? gateByHalf : gelu
  const swapped = transpose(layerNorm(w.at('norm1'), x), [0, 2, 1])
  const across = mlp(w.at('mlp_tokens'), swapped, { hidden: c.tokens, activation })
  const y = add(x, transpose(across, [0, 2, 1]))
  const normal = layerNorm(w.at('norm2'), y)
  return add(y, mlp(w.at('mlp_channels'), normal, { hidden: c.channels, activation }))
}

/** The first half of the channels times the swish of the second. */
function gateByHalf(x: Tensor): Tensor {
  const [values, gates] = halves(x)
  return mul(values, silu(gates))
}

export const mixers = classifiers({ family: 'mixer', rows, build: mixer })

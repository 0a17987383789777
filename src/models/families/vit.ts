/** Vision Transformer (Dosovitskiy et al. 2020), as timm's vision_transformer.py computes it. */
import { type Tensor, type Weights } from '../../graph/graph.ts'
import { selfAttention } from '../../graph/blocks/attention.ts'
import { linear } from '../../graph/blocks/linear.ts'
import { mlp } from '../../graph/blocks/mlp.ts'
import { layerNorm } from '../../graph/blocks/norm.ts'
import { patchEmbed, prependToken } from '../../graph/blocks/tokens.ts'
import { add, pick } from '../../graph/ops.ts'
import { fixed } from '../../graph/shapes.ts'
import { classifiers, type Outputs, type Rows } from './family.ts'

interface ViTConfig {
  patch: number
  dim: number
  blocks: number
  heads: number
}

const rows: Rows<ViTConfig> = {
  vit_tiny_patch16_224: { patch: 16, dim: 192, blocks: 12, heads: 3 },
  vit_base_patch16_224: { patch: 16, dim: 768, blocks: 12, heads: 12 },
  vit_large_patch16_224: { patch: 16, dim: 1024, blocks: 24, heads: 16 },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
function vit(w: Weights, image: Tensor, c: ViTConfig, classes: number): Outputs {
  let x = prependToken(w.get('cls_token', [1, 1, c.dim]), patchEmbed(w.at('patch_embed.proj'), image, c.patch, c.dim))
  x = add(x, w.get('pos_embed', [1, fixed(x.shape[1], 'vit'), c.dim]))
  for (const block of w.each('blocks', c.blocks)) x = vitBlock(block, x, c)
  const features = pick(layerNorm(w.at('norm'), x), 1, 0)
  return { features, logits: linear(w.at('head'), features, classes) }
}

function vitBlock(w: Weights, x: Tensor, { heads, dim }: ViTConfig): Tensor {
  const attended = add(x, selfAttention(w.at('attn'), layerNorm(w.at('norm1'), x), heads))
  return add(attended, mlp(w.at('mlp'), layerNorm(w.at('norm2'), attended), 4 * dim))
}

export const vits = classifiers('vit', rows, vit)

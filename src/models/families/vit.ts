/** Vision Transformer (Dosovitskiy et al. 2020), as timm's vision_transformer.py computes it. */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed, prependToken } from '../../lib/onnx/blocks/tokens.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { add, pick } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface ViTConfig {
  patch: number
  dim: number
  blocks: number
  heads: number
}

const rows: ArchitectureRows<ViTConfig> = {
  vit_tiny_patch16_224: { patch: 16, dim: 192, blocks: 12, heads: 3 },
  vit_base_patch16_224: { patch: 16, dim: 768, blocks: 12, heads: 12 },
  vit_large_patch16_224: { patch: 16, dim: 1024, blocks: 24, heads: 16 },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const vit: ClassifierBuilder<ViTConfig> = (w, image, { patch, dim, blocks, heads, classes }) => {
  let x = prependToken(
    w.get('cls_token', [1, 1, dim]),
    patchEmbed(w.at('patch_embed.proj'), image, { patch, dim }),
  )
  x = add(x, w.get('pos_embed', [1, fixedSize(x.shape[1], 'vit'), dim]))
  const features = pick(
    layerNorm(w.at('norm'), transformer(w.each('blocks', blocks), x, { heads })),
    1,
    0,
  )
  return { features, logits: linear(w.at('head'), features, classes) }
}

export const vits = classifiers({ family: 'vit', rows, build: vit })

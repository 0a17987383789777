/** EVA (Fang et al. 2022), as timm's eva.py computes it. */
import { constant, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { type Projection, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { affine, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed, prependToken } from '../../lib/onnx/blocks/tokens.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { add, concat, mean, slice } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface EvaConfig {
  patch: number
  dim: number
  blocks: number
  heads: number
  hidden: number
}

const rows: ArchitectureRows<EvaConfig> = {
  eva_giant_patch14_224: { patch: 14, dim: 1408, blocks: 40, heads: 16, hidden: 6144 },
}

/** image [n, 3, h, w] -> features [n, dim], the mean of the patches' tokens; logits [n, classes] */
const eva: ClassifierBuilder<EvaConfig> = (w, image, { patch, dim, blocks, classes, ...block }) => {
  let x = prependToken(
    w.get('cls_token', [1, 1, dim]),
    patchEmbed(w.at('patch_embed.proj'), image, { patch, dim }),
  )
  const length = fixedSize(x.shape[1], 'eva')
  x = add(x, w.get('pos_embed', [1, length, dim]))
  x = transformer(w.each('blocks', blocks), x, { ...block, project: keysUnbiased })
  const features = layerNorm(w.at('fc_norm'), mean(slice(x, 1, [1, length]), [1]))
  return { features, logits: linear(w.at('head'), features, classes) }
}

const keysUnbiased: Projection = (w, x) => {
  const width = fixedSize(x.shape.at(-1), 'keysUnbiased')
  const none = constant(w.graph, new Float32Array(width), [width])
  const bias = concat([w.get('q_bias', [width], 'bias'), none, w.get('v_bias', [width], 'bias')], 0)
  return splitQkv(affine(x, w.at('qkv').get('weight', [3 * width, width]), bias))
}

export const evas = classifiers({ family: 'eva', rows, build: eva })

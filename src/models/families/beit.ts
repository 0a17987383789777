/** BEiT (Bao et al. 2021) and BEiT v2 (Peng et al. 2022), as timm's beit.py computes them. */
import { type Block } from '../../lib/onnx/graph.ts'
import { attend, keysUnbiasedProjection } from '../../lib/onnx/blocks/attention.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { embedTokens, patchTokens } from '../../lib/onnx/blocks/tokens.ts'
import { relativeBias, relativeRow } from '../../lib/onnx/blocks/windows.ts'
import { mean } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface BeitConfig {
  dim: number
  blocks: number
  heads: number
}

const base: BeitConfig = { dim: 768, blocks: 12, heads: 12 }
const large: BeitConfig = { dim: 1024, blocks: 24, heads: 16 }
const patch = 16

const rows: Rows<BeitConfig> = {
  beit_base_patch16_224: base,
  beit_base_patch16_384: base,
  beit_large_patch16_224: large,
  beit_large_patch16_384: large,
  beit_large_patch16_512: large,
  beitv2_base_patch16_224: base,
  beitv2_large_patch16_224: large,
}

/** image [n, 3, h, w] -> features [n, dim], the mean of the patches' tokens; logits [n, classes] */
const beit: ClassifierBuilder<BeitConfig> = (w, image, c) => {
  const prefix = [{ name: 'cls_token', rows: 1 }]
  const side = Math.floor(sizeAt(image, 2) / patch)
  const x = w
    .each('blocks', c.blocks)
    .reduce(
      (y, block) => beitBlock(block, y, { ...c, side }),
      embedTokens(w, image, { patch, dim: c.dim, prefix, positions: 'none' }),
    )
  const features = layerNorm(w.at('fc_norm'), mean(patchTokens(x, 1), [1]))
  return linearHead(w.at('head'), features, c.classes)
}

type BlockSettings = BeitConfig & { side: number }

const beitBlock: Block<BlockSettings> = (w, x, c) =>
  preNormBlock(w, x, {
    attention: (scope, y) => attention(scope, y, c),
    mlp: (scope, y) => mlp(scope, y, { hidden: 4 * c.dim }),
    layerScale: 'gamma_',
  })

const attention: Block<BlockSettings> = (w, x, { dim, heads, side }) => {
  const qkv = keysUnbiasedProjection(w, x)
  const table = w.get('relative_position_bias_table', [(2 * side - 1) ** 2 + 3, heads])
  const mask = relativeBias(table, side * side + 1, {
    name: 'patch_offsets',
    row: (from, to) => rowWithClass(from, to, side),
  })
  return linear(w.at('proj'), attend(qkv, { heads, mask }), dim)
}

/** The table's row for two tokens; the last three are of the class token: to, from and with itself. */
function rowWithClass(from: number, to: number, side: number): number {
  const offsets = (2 * side - 1) ** 2
  if (from === 0) return to === 0 ? offsets + 2 : offsets
  return to === 0 ? offsets + 1 : relativeRow(from - 1, to - 1, [side, side])
}

const names = {
  ignore: [/relative_position_index$/, /(^|\.)mask_token$/],
  positions: [[/\.relative_position_bias_table$/, 'offsets']] as const,
}

export const beits = classifiers({ family: 'beit', rows, build: beit, names })

/**
 * DINOv2 (Oquab et al. 2023) with its linear classifier over the last four blocks, as the authors' hub code computes it.
 * Two published files hold one model: the backbone's and the linear head's.
 */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed, prependTokens, toTokens } from '../../lib/onnx/blocks/tokens.ts'
import { transformerBlock } from '../../lib/onnx/blocks/transformer.ts'
import {
  add,
  channelsFirst,
  concat,
  mean,
  pick,
  reshape,
  resize,
  slice,
} from '../../lib/onnx/ops.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface DinoConfig {
  patch: number
  dim: number
  blocks: number
  heads: number
  /** Positions a side that the backbone was trained with. */
  positions: number
  /** The number of last blocks whose class tokens are part of the features. */
  last: number
}

const rows: Rows<DinoConfig> = {
  dinov2_vits14_lc: { patch: 14, dim: 384, blocks: 12, heads: 6, positions: 37, last: 4 },
  dinov2_vitb14_lc: { patch: 14, dim: 768, blocks: 12, heads: 12, positions: 37, last: 4 },
  dinov2_vitl14_lc: { patch: 14, dim: 1024, blocks: 24, heads: 16, positions: 37, last: 4 },
}

/** image [n, 3, h, w] -> features [n, (last + 1)·dim]: class tokens, then the mean patch; logits [n, classes] */
const dino: ClassifierBuilder<DinoConfig> = (w, image, c) => {
  const backbone = w.at('backbone')
  const patches = patchEmbed(backbone.at('patch_embed.proj'), image, c)
  const side = sizeAt(image, 2) / c.patch
  let x = add(
    prependTokens(backbone.get('cls_token', [1, 1, c.dim]), patches),
    positions(backbone, side, c),
  )
  const seen: Tensor[] = []
  for (const [i, block] of backbone.each('blocks', c.blocks).entries()) {
    x = transformerBlock(block, x, { heads: c.heads, layerScale: true })
    if (i >= c.blocks - c.last) seen.push(layerNorm(backbone.at('norm'), x))
  }
  const patchMean = mean(slice(seen.at(-1)!, 1, [1, side * side + 1]), [1])
  const features = concat([...seen.map(tokens => pick(tokens, 1, 0)), patchMean], 1)
  return linearHead(w.at('linear_head'), features, c.classes)
}

/**
 * The positions [1, side² + 1, dim], resized from the trained ones. The hub code asks for a scale of
 * (side + 0.1) / trained, so the sampled points lie a little closer together than the sizes would put them.
 */
function positions(w: ParameterScope, side: number, c: DinoConfig): Tensor {
  const trained = w.get('pos_embed', [1, c.positions ** 2 + 1, c.dim])
  if (side === c.positions) return trained
  const grid = reshape(slice(trained, 1, [1, c.positions ** 2 + 1]), [
    1,
    c.positions,
    c.positions,
    c.dim,
  ])
  const scale = (side + 0.1) / c.positions
  const resized = resize(channelsFirst(grid), [1, c.dim, side, side], {
    mode: 'cubic',
    scales: [1, 1, scale, scale],
  })
  return concat([slice(trained, 1, [0, 1]), toTokens(resized)], 1)
}

const names: NameTable = {
  rename: [
    [/^(weight|bias)$/, 'linear_head.$1'],
    [/^(?=cls_token|pos_embed|patch_embed|blocks|norm)/, 'backbone.'],
  ],
  ignore: [/(^|\.)mask_token$/],
}

export const dinos = classifiers({ family: 'dinov2', rows, build: dino, names })

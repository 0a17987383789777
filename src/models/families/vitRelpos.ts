/**
 * Vision Transformers with biases by relative position in place of a position table, from a network as in Swin
 * Transformer V2 (Liu et al. 2022), as timm's vision_transformer_relpos.py computes them.
 */
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  fusedProjection,
  selfAttention,
  unbiasedProjection,
} from '../../lib/onnx/blocks/attention.ts'

import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { postNormBlock, preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import {
  embedTokens,
  learnedTokens,
  patchTokens,
  prefixRows,
} from '../../lib/onnx/blocks/tokens.ts'
import { logOffsetBias } from '../../lib/onnx/blocks/windows.ts'
import { mean, pick } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface RelposConfig {
  dim: number
  heads: number
  /** 16 by default. */
  patch?: number
  classToken?: boolean
  /** What the classifier sees: the mean of the patches (default) or the class token. */
  pool?: 'token'
  /** Whether the last norm follows the pooling. */
  normAfterPool?: boolean
  qkvBias?: boolean
  /** Hidden units of the network of positions, 128 by default. */
  units?: number
  /** Whether all blocks have one network of positions. */
  shared?: boolean
  /** Whether norms follow attention and MLP. */
  postNorm?: boolean
}

const small = { dim: 384, heads: 6 }
const medium = { dim: 512, heads: 8 }
const base = { dim: 768, heads: 12 }

const rows: Rows<RelposConfig> = {
  vit_relpos_small_patch16_224: { ...small, normAfterPool: true },
  vit_relpos_medium_patch16_224: { ...medium, normAfterPool: true },
  vit_relpos_base_patch16_224: { ...base, normAfterPool: true },
  vit_srelpos_small_patch16_224: { ...small, units: 384, shared: true },
  vit_srelpos_medium_patch16_224: { ...medium, units: 512, shared: true },
  vit_relpos_medium_patch16_cls_224: { ...medium, units: 256, classToken: true, pool: 'token' },
  vit_relpos_base_patch16_clsgap_224: { ...base, classToken: true, normAfterPool: true },
  vit_relpos_medium_patch16_rpn_224: { ...medium, postNorm: true },
  vit_relpos_base_patch32_plus_rpn_256: {
    dim: 896,
    heads: 14,
    patch: 32,
    qkvBias: true,
    postNorm: true,
  },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const vitRelpos: ClassifierBuilder<RelposConfig> = (w, image, c) => {
  const { patch = 16, classToken = false, units = 128 } = c
  const prefix = learnedTokens({ classToken })
  const count = prefixRows({ prefix })
  const side = Math.floor(sizeAt(image, 2) / patch)
  const settings = { side, heads: c.heads, hidden: units, prefix: count }
  const biasOf = (scope: ParameterScope): Tensor => logOffsetBias(scope.at('mlp'), settings)
  const shared = c.shared ? biasOf(w.at('shared_rel_pos')) : undefined
  const x = w.each('blocks', 12).reduce(
    (y, block) => {
      const mask = shared ?? biasOf(block.at('attn.rel_pos'))
      return relposBlock(block, y, { ...c, mask })
    },
    embedTokens(w, image, { dim: c.dim, patch, prefix, positions: 'none' }),
  )
  const seen = c.normAfterPool ? x : layerNorm(w.at('norm'), x)
  const pooled = c.pool === 'token' ? pick(seen, 1, 0) : mean(patchTokens(seen, count), [1])
  const features = c.normAfterPool ? layerNorm(w.at('fc_norm'), pooled) : pooled
  return linearHead(w.at('head'), features, c.classes)
}

const relposBlock: Block<RelposConfig & { mask: Tensor }> = (w, x, c) => {
  const project = c.qkvBias ? fusedProjection : unbiasedProjection
  const attention: Layer = (scope, y) =>
    selfAttention(scope, y, { heads: c.heads, mask: c.mask, project })
  const mixed: Layer = (scope, y) => mlp(scope, y, { hidden: 4 * c.dim })
  const branches = { attention, mlp: mixed }
  return c.postNorm
    ? postNormBlock(w, x, branches)
    : preNormBlock(w, x, { ...branches, layerScale: 'ls' })
}

export const relposVits = classifiers({ family: 'vit-relpos', rows, build: vitRelpos })

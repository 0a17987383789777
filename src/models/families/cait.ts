/** CaiT, a deep transformer with class attention at its end (Touvron et al. 2021), as timm's cait.py computes it. */
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  firstTokenProjection,
  fusedProjection,
  joinHeads,
  selfAttention,
  splitHeads,
} from '../../lib/onnx/blocks/attention.ts'
import { channelLinear, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { firstTokenBlock, preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { embedTokens, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import { matmul, mul, pick, softmax, transpose } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface CaitConfig {
  dim: number
  blocks: number
  heads: number
}

const xxs = { dim: 192, heads: 4 }
const small = { dim: 384, heads: 8 }
const medium = { dim: 768, heads: 16 }

const rows: Rows<CaitConfig> = {
  cait_xxs24_224: { ...xxs, blocks: 24 },
  cait_xxs24_384: { ...xxs, blocks: 24 },
  cait_xxs36_224: { ...xxs, blocks: 36 },
  cait_xxs36_384: { ...xxs, blocks: 36 },
  cait_xs24_384: { dim: 288, heads: 6, blocks: 24 },
  cait_s24_224: { ...small, blocks: 24 },
  cait_s24_384: { ...small, blocks: 24 },
  cait_s36_384: { ...small, blocks: 36 },
  cait_m36_384: { ...medium, blocks: 36 },
  cait_m48_448: { ...medium, blocks: 48 },
}

const patch = 16

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const cait: ClassifierBuilder<CaitConfig> = (w, image, c) => {
  const branches = {
    mlp: (scope: ParameterScope, y: Tensor): Tensor => mlp(scope, y, { hidden: 4 * c.dim }),
    layerScale: 'gamma_',
  } as const
  const talking: Layer = (scope, y) => talkingHeads(scope, y, c)
  const toClass: Layer = (scope, y) =>
    selfAttention(scope, y, { heads: c.heads, project: firstTokenProjection() })
  const patches = embedTokens(w, image, { patch, dim: c.dim, prefix: [], positions: 'patches' })
  let x = w
    .each('blocks', c.blocks)
    .reduce((y, block) => preNormBlock(block, y, { ...branches, attention: talking }), patches)
  x = prependTokens(w.get('cls_token', [1, 1, c.dim]), x)
  for (const block of w.each('blocks_token_only', 2))
    x = firstTokenBlock(block, x, { ...branches, attention: toClass })
  return linearHead(w.at('head'), layerNorm(w.at('norm'), pick(x, 1, 0)), c.classes)
}

/** Attention whose heads are mixed before and after the softmax (Shazeer et al. 2020): x [n, length, dim] to its shape. */
const talkingHeads: Block<CaitConfig> = (w, x, { dim, heads }) => {
  const [q, k, v] = fusedProjection(w, x)
  const queries = splitHeads(mul(q, (dim / heads) ** -0.5), heads)
  const scores = matmul(queries, transpose(splitHeads(k, heads), [0, 1, 3, 2]))
  const weights = softmax(channelLinear(w.at('proj_l'), scores, { out: heads }))
  const mixed = channelLinear(w.at('proj_w'), weights, { out: heads })
  return linear(w.at('proj'), joinHeads(matmul(mixed, splitHeads(v, heads))), dim)
}

export const caits = classifiers({ family: 'cait', rows, build: cait })

/**
 * EVA (Fang et al. 2022), EVA-02 (Fang et al. 2023), EVA-CLIP's image towers (Sun et al. 2023), the Perception Encoder
 * (Bolya et al. 2025), Vision Transformers with rotary positions (Heo et al. 2024) and DINOv3 (Siméoni et al. 2025), as timm's
 * eva.py computes them. timm takes the mean of DINOv3's patches, its authors the class token.
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  attend,
  fusedProjection,
  keysUnbiasedProjection,
  latentPool,
  type Projection,
  unbiasedProjection,
} from '../../lib/onnx/blocks/attention.ts'
import { linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  axialAngles,
  axialRotation,
  type FrequencySettings,
  mixedRotation,
  type Rotation,
} from '../../lib/onnx/blocks/rotary.ts'
import { packedSwiglu } from '../../lib/onnx/blocks/mlp.ts'
import { postNormBlock, preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import {
  embedTokens,
  learnedTokens,
  patchTokens,
  prefixRows,
  type TokenSettings,
} from '../../lib/onnx/blocks/tokens.ts'
import { gelu, mean, mul, pick, silu } from '../../lib/onnx/ops.ts'
import { needMultiple, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'
import { base, betwixt, large, medium, mediumDeep, small, tiny } from './vit.ts'

interface EvaConfig {
  patch: number
  dim: number
  blocks: number
  heads: number
  /** Width inside the MLP, four times `dim` by default; that of the gate too, where there is one. */
  hidden?: number
  classToken?: boolean
  registers?: number
  /** What the classifier sees: the mean of the patches (default), the class token, or attention over all tokens. */
  pool?: 'token' | 'mean' | 'attention'
  /** CLIP's norm before the blocks, with patches embedded without bias. */
  preNorm?: boolean
  epsilon?: number
  /** Whether a norm stands before the last layer of the attention. */
  innerNorm?: boolean
  /** Whether the norms of a block follow its branches. */
  postNorm?: boolean
  /** Whether the position table has a row for every token (default), for the patches alone, or is absent. */
  positions?: NonNullable<TokenSettings['positions']>
  rotary?: FrequencySettings | 'mixed'
  /** Whether the channels that are turned together lie half a head apart, not side by side. */
  halvesTurned?: boolean
  /**
   * The layers of queries, keys and values: one without a bias of the keys (default), one with all biases, one without
   * bias, or three.
   */
  qkv?: 'keys unbiased' | 'biased' | 'unbiased' | 'separate'
  /** The MLP: GELU (default), SwiGLU with one layer for gate and value, or with a layer each, with or without a norm. */
  mlp?: 'gelu' | 'swiglu' | 'swiglu norm' | 'swiglu apart'
  layerScale?: boolean
  /** Whether the last norm precedes the mean of the patches. */
  normBeforePool?: boolean
}

const giant: EvaConfig = { patch: 14, dim: 1408, blocks: 40, heads: 16, hidden: 6144 }

/** EVA-02 counts positions on the pretrained grid of 16 × 16 patches. */
const pretrainedGrid: FrequencySettings = { temperature: 10_000, reference: 16 }
const eva02 = { patch: 14, rotary: pretrainedGrid, mlp: 'swiglu' } as const
const eva02Large = { ...eva02, mlp: 'swiglu norm', qkv: 'separate' } as const
const registered = {
  patch: 16,
  classToken: false,
  positions: 'none',
  rotary: pretrainedGrid,
  layerScale: true,
} as const
const rotary = {
  patch: 16,
  qkv: 'biased',
  layerScale: true,
  pool: 'token',
  positions: 'none',
  rotary: { temperature: 100, columnsFirst: true },
} as const
const mixed = { ...rotary, rotary: 'mixed' } as const
const placed = { positions: 'patches' } as const
const dinov3 = {
  patch: 16,
  registers: 4,
  positions: 'none',
  rotary: { temperature: 100, centred: true },
  halvesTurned: true,
  qkv: 'unbiased',
  layerScale: true,
  epsilon: 1e-5,
  normBeforePool: true,
} as const
const keysUnbiased = { qkv: 'keys unbiased' } as const

/** DINOv3 of one width, without biases of the attention and with those of queries and values. */
const dinov3Pair = (
  name: string,
  widths: Pick<EvaConfig, 'dim' | 'blocks' | 'heads' | 'mlp'>,
): Rows<EvaConfig> => ({
  [`vit_${name}_patch16_dinov3`]: { ...dinov3, ...widths },
  [`vit_${name}_patch16_dinov3_qkvb`]: { ...dinov3, ...widths, ...keysUnbiased },
})
/** EVA-CLIP's towers. */
const eva02Clip = { ...eva02Large, innerNorm: true, pool: 'token' } as const
/** The Perception Encoder, whose positions are counted on its own grid, from 1. */
const perception = (reference: number, offset = 1) =>
  ({
    patch: 14,
    qkv: 'biased',
    pool: 'attention',
    preNorm: true,
    epsilon: 1e-5,
    rotary: { temperature: 10_000, reference, offset, columnsFirst: true },
  }) as const

const rows: Rows<EvaConfig> = {
  eva_giant_patch14_224: giant,
  eva_giant_patch14_336: giant,
  eva_giant_patch14_560: giant,
  eva_giant_patch14_clip_224: { ...giant, pool: 'token' },
  eva02_base_patch16_clip_224: { ...eva02Clip, ...base, patch: 16, hidden: 2048 },
  eva02_large_patch14_clip_224: { ...eva02Clip, ...large, hidden: 2730 },
  eva02_large_patch14_clip_336: { ...eva02Clip, ...large, hidden: 2730 },
  eva02_enormous_patch14_clip_224: {
    patch: 14,
    dim: 1792,
    blocks: 64,
    heads: 16,
    hidden: 15_360,
    pool: 'token',
    postNorm: true,
  },
  vit_pe_core_tiny_patch16_384: { ...perception(24), ...tiny, patch: 16 },
  vit_pe_core_small_patch16_384: { ...perception(24), ...small, patch: 16 },
  vit_pe_core_base_patch16_224: { ...perception(14), ...base, patch: 16 },
  vit_pe_core_large_patch14_336: { ...perception(24), ...large },
  vit_pe_core_gigantic_patch14_448: {
    ...perception(32, 0),
    dim: 1536,
    blocks: 50,
    heads: 16,
    hidden: 8960,
    classToken: false,
  },
  eva02_tiny_patch14_336: { ...eva02, ...tiny, hidden: 512 },
  eva02_small_patch14_336: { ...eva02, ...small, hidden: 1024 },
  eva02_base_patch14_448: { ...eva02Large, ...base, hidden: 2048 },
  eva02_large_patch14_448: { ...eva02Large, ...large, hidden: 2730 },
  vit_medium_patch16_rope_reg1_gap_256: { ...registered, ...medium, registers: 1 },
  vit_mediumd_patch16_rope_reg1_gap_256: {
    ...registered,
    ...mediumDeep,
    registers: 1,
    qkv: 'unbiased',
  },
  vit_betwixt_patch16_rope_reg4_gap_256: { ...registered, ...betwixt, registers: 4 },
  vit_base_patch16_rope_reg1_gap_256: { ...registered, ...base, registers: 1 },
  vit_small_patch16_rope_224: { ...rotary, ...small },
  vit_base_patch16_rope_224: { ...rotary, ...base },
  vit_large_patch16_rope_224: { ...rotary, ...large },
  vit_small_patch16_rope_mixed_224: { ...mixed, ...small },
  vit_base_patch16_rope_mixed_224: { ...mixed, ...base },
  vit_large_patch16_rope_mixed_224: { ...mixed, ...large },
  vit_small_patch16_rope_ape_224: { ...rotary, ...small, ...placed },
  vit_base_patch16_rope_ape_224: { ...rotary, ...base, ...placed },
  vit_large_patch16_rope_ape_224: { ...rotary, ...large, ...placed },
  vit_small_patch16_rope_mixed_ape_224: { ...mixed, ...small, ...placed },
  vit_base_patch16_rope_mixed_ape_224: { ...mixed, ...base, ...placed },
  vit_large_patch16_rope_mixed_ape_224: { ...mixed, ...large, ...placed },
  vit_tiny_patch16_dinov3_qkvb: { ...dinov3, ...tiny, ...keysUnbiased },
  ...dinov3Pair('small', small),
  ...dinov3Pair('small_plus', { ...small, mlp: 'swiglu apart' }),
  ...dinov3Pair('base', base),
  ...dinov3Pair('large', large),
  ...dinov3Pair('huge_plus', { dim: 1280, blocks: 32, heads: 20, mlp: 'swiglu apart' }),
  vit_7b_patch16_dinov3: {
    ...dinov3,
    dim: 4096,
    blocks: 40,
    heads: 32,
    hidden: 8192,
    mlp: 'swiglu apart',
  },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const eva: ClassifierBuilder<EvaConfig> = (w, image, c) => {
  if (c.halvesTurned) needMultiple(image, c.patch)
  const prefix = learnedTokens(c)
  const count = prefixRows({ prefix })
  const turns = rotation(w, image, { ...c, prefix: count })
  const x = w
    .each('blocks', c.blocks)
    .reduce(
      (y, block, depth) => evaBlock(block, y, { ...c, turn: turns(depth) }),
      embedTokens(w, image, { ...c, prefix }),
    )
  const normal = (name: string, y: Tensor): Tensor => layerNorm(w.at(name), y, c.epsilon)
  const pooled = {
    token: () => pick(normal('norm', x), 1, 0),
    mean: () =>
      c.normBeforePool
        ? mean(patchTokens(normal('norm', x), count), [1])
        : normal('fc_norm', mean(patchTokens(x, count), [1])),
    attention: () =>
      latentPool(w.at('attn_pool'), normal('norm', x), { heads: 8, epsilon: c.epsilon }),
  }
  return linearHead(w.at('head'), pooled[c.pool ?? 'mean'](), c.classes)
}

type BlockSettings = EvaConfig & { turn: Rotation | undefined }

/** The rotation of queries and keys, for each block. */
function rotation(
  w: ParameterScope,
  image: Tensor,
  c: EvaConfig & { prefix: number },
): (depth: number) => Rotation | undefined {
  const side = (axis: number): number => Math.floor(sizeAt(image, axis) / c.patch)
  const headWidth = c.dim / c.heads
  const settings = { grid: [side(2), side(3)] as const, headWidth, prefix: c.prefix }
  if (c.rotary === undefined) return () => undefined
  if (c.rotary === 'mixed') {
    const all = w.get('rope.freqs', [2, c.blocks, c.heads, headWidth / 2])
    return depth => {
      const [columns, rows] = [pick(pick(all, 0, 0), 0, depth), pick(pick(all, 0, 1), 0, depth)]
      return mixedRotation([columns, rows], settings)
    }
  }
  const turn = axialRotation(w.graph, axialAngles(settings, c.rotary), {
    ...settings,
    layout: c.halvesTurned ? 'half' : 'interleaved',
  })
  return () => turn
}

const evaBlock: Block<BlockSettings> = (w, x, c) => {
  const branches = {
    attention: (scope: ParameterScope, y: Tensor): Tensor => attention(scope, y, c),
    mlp: (scope: ParameterScope, y: Tensor): Tensor => evaMlp(scope, y, c),
    epsilon: c.epsilon,
  }
  if (c.postNorm) return postNormBlock(w, x, branches)
  return preNormBlock(w, x, { ...branches, layerScale: c.layerScale ? 'gamma_' : undefined })
}

const attention: Block<BlockSettings> = (w, x, c) => {
  const [q, k, v] = projections[c.qkv ?? 'keys unbiased'](w, x)
  const turn = c.turn ?? (y => y)
  const mixed = attend([turn(q), turn(k), v], c)
  return linear(w.at('proj'), c.innerNorm ? layerNorm(w.at('norm'), mixed) : mixed, c.dim)
}

const projections: Record<NonNullable<EvaConfig['qkv']>, Projection> = {
  biased: fusedProjection,
  'keys unbiased': keysUnbiasedProjection,
  unbiased: unbiasedProjection,
  separate: (w, x) => [
    linear(w.at('q_proj'), x, sizeAt(x, -1)),
    unbiasedLinear(w.at('k_proj'), x, sizeAt(x, -1)),
    linear(w.at('v_proj'), x, sizeAt(x, -1)),
  ],
}

const evaMlp: Block<EvaConfig> = (w, x, c) => {
  const hidden = c.hidden ?? 4 * c.dim
  const apart = (): Tensor =>
    mul(silu(linear(w.at('fc1_g'), x, hidden)), linear(w.at('fc1_x'), x, hidden))
  const inner = {
    gelu: () => gelu(linear(w.at('fc1'), x, hidden)),
    swiglu: () => packedSwiglu(w.at('fc1'), x, hidden),
    'swiglu norm': () => layerNorm(w.at('norm'), apart()),
    'swiglu apart': apart,
  }[c.mlp ?? 'gelu']
  return linear(w.at('fc2'), inner(), c.dim)
}

/** Tables of rotary positions are computed here; the token that hides patches in pretraining is not used. */
const names = {
  ignore: [/rope\.(?!freqs$)/, /(^|\.)mask_token$/, /\.k_bias$/],
  positions: [[/^pos_embed$/, 'grid']] as const,
}

export const evas = classifiers({ family: 'eva', rows, build: eva, names })

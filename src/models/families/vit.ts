/**
 * Vision Transformer (Dosovitskiy et al. 2020) with its successors' variants: DeiT (Touvron et al. 2021), DeiT III
 * (Touvron et al. 2022), BEiT-3 (Wang et al. 2022), FlexiViT (Beyer et al. 2022), the image towers of CLIP, SigLIP (Zhai et
 * al. 2023) and SigLIP 2 (Tschannen et al. 2025), DINOv2 (Oquab et al. 2023), registers (Darcet et al. 2023) and differential
 * attention (Ye et al. 2024), as timm's vision_transformer.py and deit.py compute them, and hybrids with a ResNet
 * (vision_transformer_hybrid.py).
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  attend,
  fusedProjection,
  joinHeads,
  latentPool,
  splitHeads,
  splitQkv,
  unbiasedProjection,
} from '../../lib/onnx/blocks/attention.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, layerNorm, layerScale, rmsNorm } from '../../lib/onnx/blocks/norm.ts'
import { packedSwiglu } from '../../lib/onnx/blocks/mlp.ts'
import { postNormBlock, preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import {
  embedTokens,
  toTokens,
  learnedTokens,
  patchTokens,
  prefixRows,
  type TokenSettings,
} from '../../lib/onnx/blocks/tokens.ts'
import {
  add,
  average,
  concat,
  exp,
  gelu,
  geluTanh,
  matmul,
  mean,
  mul,
  pick,
  type Qkv,
  reshape,
  softmax,
  split,
  sub,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { needMultiple } from '../../lib/onnx/shapes.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import {
  type Rows,
  type ClassifierBuilder,
  classifiers,
  type OutputTensors,
  linearHead,
} from './family.ts'
import { hybridTrunk } from './resnetv2.ts'

interface ViTConfig {
  dim: number
  blocks: number
  heads: number
  patch: number
  /** Blocks of the stages of a ResNet whose feature map is cut into patches; none for its stem alone. */
  trunk?: readonly number[]
  /** Width inside the MLP, four times `dim` by default. */
  hidden?: number
  /** Whether a class token stands before the patches; true by default. */
  classToken?: boolean
  /** Learned tokens beside the class token that the classifier does not see. */
  registers?: number
  /** DeiT's second token with a classifier of its own; both classifiers are averaged. */
  distilled?: boolean
  /** Whether timm resizes the position table linearly, as FlexiViT's. */
  flexible?: boolean
  /** Whether the position table has rows for the patches alone. */
  patchPositions?: boolean
  /** What the classifier sees: the class token (default), the mean of the patches, or attention over them. */
  pool?: 'token' | 'mean' | 'attention'
  /** Whether attention pooling sees the class token and the registers too. */
  poolsPrefix?: boolean
  /** Whether the last norm follows the pooling; by default it does if the patches are averaged. */
  normAfterPool?: boolean
  /** CLIP's norm before the blocks, with patches embedded without bias. */
  preNorm?: boolean
  epsilon?: number
  qkvBias?: boolean
  layerScale?: boolean
  /** The MLP: two layers (default), or SwiGLU with one layer for gate and value. */
  mlp?: 'plain' | 'swiglu'
  /** Activation of the MLP, GELU by default. */
  activation?: (x: Tensor) => Tensor
  /** Channels of MobileCLIP's convolutions, which stand for the patches. */
  stem?: number
  /** BEiT-3's norms before the last layer of the attention and of the MLP. */
  innerNorms?: boolean
  attention?: 'plain' | 'differential'
  /** How a block is put together: norms first (default), norms last, or attention and MLP side by side. */
  block?: 'pre' | 'post' | 'parallel'
}

export const tiny = { dim: 192, blocks: 12, heads: 3 }
export const small = { dim: 384, blocks: 12, heads: 6 }
export const medium = { dim: 512, blocks: 12, heads: 8 }
export const base = { dim: 768, blocks: 12, heads: 12 }
export const large = { dim: 1024, blocks: 24, heads: 16 }
const huge = { dim: 1280, blocks: 32, heads: 16 }
const so150m = { dim: 896, blocks: 18, heads: 14, hidden: 2304 }
const so150m2 = { dim: 832, blocks: 21, heads: 13, hidden: 2176 }
const so400m = { dim: 1152, blocks: 27, heads: 16, hidden: 4304 }
const wee = { dim: 256, blocks: 14, heads: 4, hidden: 1280 }
const pwee = { ...wee, blocks: 16 }
const little = { dim: 320, blocks: 14, heads: 5, hidden: 1792 }
export const betwixt = { dim: 640, blocks: 12, heads: 10 }
export const mediumDeep = { ...medium, blocks: 20 }

const clip = { preNorm: true, epsilon: 1e-5 }
/** The towers that SigLIP 2 added, with the tanh GELU; where it took the older names, timm keeps their exact one. */
const siglip2 = { activation: geluTanh }
const averaged = { classToken: false, pool: 'mean' } as const
const scaled = { ...averaged, layerScale: true }
const register1 = { ...scaled, registers: 1, patchPositions: true }
const register4 = { ...scaled, registers: 4, patchPositions: true }
const deit3 = { patchPositions: true, layerScale: true }
const beit3 = { innerNorms: true, pool: 'mean', epsilon: 1e-5 } as const
const differential = { attention: 'differential' } as const
const parallel = { block: 'parallel' } as const
const dinov2 = { layerScale: true }
const dinov2Registers = { layerScale: true, registers: 4, patchPositions: true }
const dinov2Giant = { dim: 1536, blocks: 40, heads: 24, hidden: 4096, mlp: 'swiglu' } as const
const sigLipMean = { ...averaged, normAfterPool: false }

/** The names of one configuration, which differ in size or patch; the patch stands in the name, else it is 16. */
const variants = (config: Omit<ViTConfig, 'patch'>, names: string): Rows<ViTConfig> =>
  Object.fromEntries(
    names
      .split(' ')
      .map(name => [name, { ...config, patch: Number(/_patch(\d+)/.exec(name)?.[1] ?? 16) }]),
  )

/** SigLIP's image towers of some sizes, with attention over the patches and, as `gap`, with their mean. */
const sigLips = (config: Omit<ViTConfig, 'patch'>, kind: string, sizes: string) => {
  const names = (pool: string): string =>
    sizes.replaceAll(/\d+/g, size => `vit_${kind}_siglip_${pool}${size}`)
  return {
    ...variants({ ...config, classToken: false, pool: 'attention' }, names('')),
    ...variants({ ...config, ...sigLipMean }, names('gap_')),
  }
}

const rows: Rows<ViTConfig> = {
  ...variants(tiny, 'vit_tiny_patch16_224 vit_tiny_patch16_384 deit_tiny_patch16_224'),
  ...variants(small, 'vit_small_patch16_224 vit_small_patch16_384 vit_small_patch32_224'),
  ...variants(small, 'vit_small_patch32_384 deit_small_patch16_224'),
  ...variants(base, 'vit_base_patch8_224 vit_base_patch16_224 vit_base_patch16_384'),
  ...variants(base, 'vit_base_patch32_224 vit_base_patch32_384'),
  ...variants(base, 'deit_base_patch16_224 deit_base_patch16_384'),
  ...variants(large, 'vit_large_patch16_224 vit_large_patch16_384 vit_large_patch32_384'),
  ...variants({ ...base, qkvBias: false }, 'vit_base_patch16_224_miil'),
  ...variants({ ...tiny, distilled: true }, 'deit_tiny_distilled_patch16_224'),
  ...variants({ ...small, distilled: true }, 'deit_small_distilled_patch16_224'),
  ...variants(
    { ...base, distilled: true },
    'deit_base_distilled_patch16_224 deit_base_distilled_patch16_384',
  ),
  ...variants({ ...small, ...deit3 }, 'deit3_small_patch16_224 deit3_small_patch16_384'),
  ...variants({ ...medium, ...deit3 }, 'deit3_medium_patch16_224'),
  ...variants({ ...base, ...deit3 }, 'deit3_base_patch16_224 deit3_base_patch16_384'),
  ...variants({ ...large, ...deit3 }, 'deit3_large_patch16_224 deit3_large_patch16_384'),
  ...variants({ ...huge, ...deit3 }, 'deit3_huge_patch14_224'),
  ...variants({ ...base, ...clip }, 'vit_base_patch16_clip_224 vit_base_patch16_clip_384'),
  ...variants({ ...base, ...clip }, 'vit_base_patch32_clip_224 vit_base_patch32_clip_384'),
  ...variants({ ...base, ...clip }, 'vit_base_patch32_clip_448'),
  ...variants({ ...large, ...clip }, 'vit_large_patch14_clip_224 vit_large_patch14_clip_336'),
  ...variants({ ...huge, ...clip }, 'vit_huge_patch14_clip_224 vit_huge_patch14_clip_336'),
  ...variants({ ...small, patchPositions: true, flexible: true }, 'flexivit_small'),
  ...variants({ ...base, patchPositions: true, flexible: true }, 'flexivit_base'),
  ...variants({ ...large, patchPositions: true, flexible: true }, 'flexivit_large'),
  ...variants({ ...base, ...beit3 }, 'beit3_base_patch16_224'),
  ...variants({ ...large, ...beit3 }, 'beit3_large_patch16_224'),
  ...variants({ ...large, pool: 'mean' }, 'eva_large_patch14_196 eva_large_patch14_336'),
  ...variants(
    { ...medium, ...scaled, qkvBias: false, normAfterPool: false },
    'vit_medium_patch16_gap_256 vit_medium_patch16_gap_384',
  ),
  ...variants({ ...base, ...averaged, qkvBias: false, block: 'post' }, 'vit_base_patch16_rpn_224'),
  ...variants({ ...wee, ...register1 }, 'vit_wee_patch16_reg1_gap_256'),
  ...variants({ ...wee, ...register1, ...differential }, 'vit_dwee_patch16_reg1_gap_256'),
  ...variants({ ...pwee, ...register1, ...parallel }, 'vit_pwee_patch16_reg1_gap_256'),
  ...variants(
    { ...pwee, ...register1, ...parallel, ...differential },
    'vit_dpwee_patch16_reg1_gap_256',
  ),
  ...variants({ ...little, ...register1 }, 'vit_little_patch16_reg1_gap_256'),
  ...variants({ ...little, ...register1, ...differential }, 'vit_dlittle_patch16_reg1_gap_256'),
  ...variants({ ...little, ...register4 }, 'vit_little_patch16_reg4_gap_256'),
  ...variants({ ...medium, ...register1 }, 'vit_medium_patch16_reg1_gap_256'),
  ...variants({ ...medium, ...register4 }, 'vit_medium_patch16_reg4_gap_256'),
  ...variants(
    { ...mediumDeep, ...register4 },
    'vit_mediumd_patch16_reg4_gap_256 vit_mediumd_patch16_reg4_gap_384',
  ),
  ...variants({ ...betwixt, ...register1 }, 'vit_betwixt_patch16_reg1_gap_256'),
  ...variants(
    { ...betwixt, ...register4 },
    'vit_betwixt_patch16_reg4_gap_256 vit_betwixt_patch16_reg4_gap_384',
  ),
  ...variants(
    { ...so150m, ...averaged, registers: 4, normAfterPool: false },
    'vit_so150m_patch16_reg4_gap_256 vit_so150m_patch16_reg4_gap_384',
  ),
  ...variants(
    { ...so150m2, ...scaled, registers: 1, qkvBias: false },
    'vit_so150m2_patch16_reg1_gap_256 vit_so150m2_patch16_reg1_gap_384 vit_so150m2_patch16_reg1_gap_448',
  ),
  ...variants({ ...small, ...dinov2 }, 'vit_small_patch14_dinov2'),
  ...variants({ ...base, ...dinov2 }, 'vit_base_patch14_dinov2'),
  ...variants({ ...large, ...dinov2 }, 'vit_large_patch14_dinov2'),
  ...variants({ ...dinov2Giant, ...dinov2 }, 'vit_giant_patch14_dinov2'),
  ...variants({ ...small, ...dinov2Registers }, 'vit_small_patch14_reg4_dinov2'),
  ...variants({ ...base, ...dinov2Registers }, 'vit_base_patch14_reg4_dinov2'),
  ...variants({ ...large, ...dinov2Registers }, 'vit_large_patch14_reg4_dinov2'),
  ...variants({ ...dinov2Giant, ...dinov2Registers }, 'vit_giant_patch14_reg4_dinov2'),
  ...sigLips(base, 'base_patch16', '224 256 384 512'),
  ...sigLips({ ...base, ...siglip2 }, 'base_patch32', '256'),
  ...sigLips(large, 'large_patch16', '256 384'),
  ...sigLips({ ...large, ...siglip2 }, 'large_patch16', '512'),
  ...sigLips(so400m, 'so400m_patch14', '224 378 384'),
  ...variants(
    { ...so400m, ...sigLipMean },
    'vit_so400m_patch14_siglip_gap_448 vit_so400m_patch14_siglip_gap_896',
  ),
  ...sigLips({ ...so400m, ...siglip2 }, 'so400m_patch16', '256 384 512'),
  ...sigLips({ dim: 1536, blocks: 40, heads: 16, ...siglip2 }, 'giantopt_patch16', '256 384'),
  ...variants({ ...base, stem: 192, patchPositions: true }, 'vit_base_mci_224'),
  ...variants({ dim: 64, blocks: 6, heads: 2, hidden: 192 }, 'test_vit'),
  ...variants({ dim: 64, blocks: 8, heads: 2, hidden: 192, ...scaled, registers: 1 }, 'test_vit2'),
  ...variants(
    {
      ...scaled,
      dim: 96,
      blocks: 9,
      heads: 3,
      hidden: 192,
      registers: 1,
      pool: 'attention',
      poolsPrefix: true,
    },
    'test_vit3',
  ),
}

const hybridRows: Rows<ViTConfig> = {
  vit_tiny_r_s16_p8_224: { ...tiny, patch: 8, trunk: [] },
  vit_tiny_r_s16_p8_384: { ...tiny, patch: 8, trunk: [] },
  vit_small_r26_s32_224: { ...small, patch: 1, trunk: [2, 2, 2, 2] },
  vit_small_r26_s32_384: { ...small, patch: 1, trunk: [2, 2, 2, 2] },
  vit_base_r50_s16_384: { ...base, patch: 1, trunk: [3, 4, 9] },
  vit_large_r50_s32_224: { ...large, patch: 1, trunk: [3, 4, 6, 3] },
  vit_large_r50_s32_384: { ...large, patch: 1, trunk: [3, 4, 6, 3] },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const vit: ClassifierBuilder<ViTConfig> = (w, image, c) => {
  const prefix = learnedTokens(c)
  const tokens: TokenSettings = {
    ...c,
    prefix,
    positions: c.patchPositions ? 'patches' : 'all',
    patches: c.stem ? mobileStem(w.at('patch_embed.backbone'), image, [c.stem, c.dim]) : undefined,
  }
  const map = c.trunk ? hybridTrunk(w.at('patch_embed.backbone'), image, c.trunk) : image
  if (c.trunk) needMultiple(map, c.patch)
  const x = w
    .each('blocks', c.blocks)
    .reduce((y, block, depth) => blockOf(block, y, { ...c, depth }), embedTokens(w, map, tokens))
  const pool = c.pool ?? 'token'
  const normAfterPool = c.normAfterPool ?? pool === 'mean'
  const seen = normAfterPool ? x : layerNorm(w.at('norm'), x, c.epsilon)
  if (c.distilled) return averageHeads(w, seen, c.classes)
  const patches = c.poolsPrefix ? seen : patchTokens(seen, prefixRows({ prefix }))
  const pooled =
    pool === 'token'
      ? pick(seen, 1, 0)
      : pool === 'mean'
        ? mean(patches, [1])
        : latentPool(w.at('attn_pool'), patches, c)
  const features = normAfterPool ? layerNorm(w.at('fc_norm'), pooled, c.epsilon) : pooled
  return linearHead(w.at('head'), features, c.classes)
}

/** MobileCLIP's convolutions of 4 × 4, 2 × 2 and 2 × 2 pixels (Vasu et al. 2023): image [n, 3, h, w] to [n, patches, dim]. */
const mobileStem: Block<readonly [width: number, dim: number]> = (w, image, [width, dim]) => {
  const layer = (i: number, x: Tensor, kernel: number): Tensor => {
    const y = conv(w.at(i).at('conv'), x, { out: width, kernel, stride: kernel })
    return gelu(batchNorm(w.at(i).at('bn'), y))
  }
  const x = layer(1, layer(0, image, 4), 2)
  return toTokens(conv(w.at('2.conv'), x, { out: dim, kernel: 2, stride: 2, bias: true }))
}

/** Averages DeiT's two classifiers, of the class token and of the distillation token. */
function averageHeads(w: ParameterScope, tokens: Tensor, classes: number): OutputTensors {
  const [first, second] = [pick(tokens, 1, 0), pick(tokens, 1, 1)]
  const heads = [linear(w.at('head'), first, classes), linear(w.at('head_dist'), second, classes)]
  return { features: average([first, second]), logits: average(heads) }
}

interface BlockSettings extends ViTConfig {
  /** The block's place, from 0. */
  depth: number
}

const blockOf: Block<BlockSettings> = (w, x, c) => {
  if (c.block === 'parallel') {
    const y = sideBySide(w, layerNorm(w.at('in_norm'), x, c.epsilon), c)
    return add(x, c.layerScale ? layerScale(w.at('ls'), y) : y)
  }
  const branches = {
    attention: (scope: ParameterScope, y: Tensor): Tensor => attentionOf(scope, y, c),
    mlp: (scope: ParameterScope, y: Tensor): Tensor => mlpOf(scope, y, c),
    epsilon: c.epsilon,
  }
  if (c.block === 'post') return postNormBlock(w, x, branches)
  return preNormBlock(w, x, { ...branches, layerScale: c.layerScale ? 'ls' : undefined })
}

const mlpOf: Block<BlockSettings> = (w, x, c) => {
  const { hidden: width = 4 * c.dim, activation = gelu } = c
  const hidden =
    c.mlp === 'swiglu'
      ? packedSwiglu(w.at('fc1'), x, width)
      : activation(linear(w.at('fc1'), x, width))
  return linear(
    w.at('fc2'),
    c.innerNorms ? layerNorm(w.at('norm'), hidden, c.epsilon) : hidden,
    c.dim,
  )
}

const attentionOf: Block<BlockSettings> = (w, x, c) => {
  const qkv = ((c.qkvBias ?? true) ? fusedProjection : unbiasedProjection)(w, x)
  const mixed = c.attention === 'differential' ? differentialAttention(w, qkv, c) : attend(qkv, c)
  return linear(
    w.at('proj'),
    c.innerNorms ? layerNorm(w.at('norm'), mixed, c.epsilon) : mixed,
    c.dim,
  )
}

/** Computes the MLP and the attention behind one norm from one projection: x [n, length, dim] to its shape. */
const sideBySide: Block<BlockSettings> = (w, x, c) => {
  const hidden = c.hidden ?? 4 * c.dim
  const projected = linear(w.at('in_proj'), x, hidden + 3 * c.dim)
  const [mlp, rest] = split(projected, [hidden, 3 * c.dim], -1)
  const qkv = splitQkv(rest!)
  if (c.attention === 'differential') {
    const mixed = differentialAttention(w, qkv, c)
    return linear(w.at('out_proj'), concat([mixed, gelu(mlp!)], -1), c.dim)
  }
  const attended = linear(w.at('attn_out_proj'), attend(qkv, c), c.dim)
  return add(attended, linear(w.at('mlp_out_proj'), gelu(mlp!), c.dim))
}

/** Computes attention by the difference of two softmaxes over halves of each head: q, k, v [n, length, dim] to that shape. */
function differentialAttention(
  w: ParameterScope,
  [q, k, v]: Qkv,
  { dim, heads, depth }: BlockSettings,
): Tensor {
  const half = dim / heads / 2
  const [n, length] = q.shape
  const scores = matmul(
    splitHeads(mul(q, half ** -0.5), 2 * heads),
    transpose(splitHeads(k, 2 * heads), [0, 1, 3, 2]),
  )
  const weights = reshape(softmax(scores), [n!, heads, 2, length!, length!])
  const product = (i: number): Tensor =>
    exp(
      sum(mul(w.get(`lambda_q${i}`, [half], 'scale'), w.get(`lambda_k${i}`, [half], 'scale')), [0]),
    )
  const initial = 0.8 - 0.6 * Math.exp(-0.3 * depth)
  const lambda = add(sub(product(1), product(2)), initial)
  const difference = sub(pick(weights, 2, 0), mul(pick(weights, 2, 1), lambda))
  const mixed = rmsNorm(w.at('sub_norm'), matmul(difference, splitHeads(v, heads)), 1e-5)
  return joinHeads(mul(mixed, 1 - initial))
}

const names = ({ flexible }: ViTConfig): NameTable => ({
  ignore: [/(^|\.)mask_token$/, /^pre_logits\./],
  positions: [[/^pos_embed$/, flexible ? 'linear grid' : 'grid']],
})

export const vits = classifiers({ family: 'vit', rows, build: vit, names })
export const hybridViTs = classifiers({ family: 'vit_hybrid', rows: hybridRows, build: vit, names })

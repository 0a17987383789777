/**
 * Swin Transformer (Liu et al. 2021), Swin Transformer V2 (Liu et al. 2022) and its variant by Christoph Reich, as timm's
 * swin_transformer.py, swin_transformer_v2.py and swin_transformer_v2_cr.py compute them.
 */
import { type Block, type Graph, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  fusedProjection,
  keysUnbiasedProjection,
  splitHeads,
} from '../../lib/onnx/blocks/attention.ts'
import { conv, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  attendInWindows,
  inWindows,
  logOffsetBias,
  padGrid,
  rollGrid,
  shiftMask,
  windowBias,
  windowOffsets,
} from '../../lib/onnx/blocks/windows.ts'
import { normalizeRows } from '../../lib/onnx/blocks/similarity.ts'
import { postNormBlock, preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import {
  channelsLast,
  exp,
  matmul,
  mean,
  min,
  mul,
  relu,
  reshape,
  sigmoid,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface SwinConfig {
  width: number
  depths: readonly number[]
  heads: readonly number[]
  /** Tokens a side of a window, for each stage if they differ; one for each 32 pixels of the image by default. */
  window?: number | readonly number[]
  version: 'v1' | 'v2' | 'v2 cr'
  /** Tokens a side of the windows of the pretraining, for each stage. */
  pretrainedWindow?: readonly number[]
  /** Whether every stage ends with a norm, not the last alone. */
  stageNorms?: boolean
}

const tiny = { width: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24] }
const small = { ...tiny, depths: [2, 2, 18, 2] }
const base = { width: 128, depths: [2, 2, 18, 2], heads: [4, 8, 16, 32] }
const large = { width: 192, depths: [2, 2, 18, 2], heads: [6, 12, 24, 48] }
const v1 = { version: 'v1' } as const
const v2 = { version: 'v2' } as const
const cr = { version: 'v2 cr' } as const
const pretrained = { ...v2, pretrainedWindow: [12, 12, 12, 6] } as const

const rows: Rows<SwinConfig> = {
  swin_tiny_patch4_window7_224: { ...v1, ...tiny, window: 7 },
  swin_small_patch4_window7_224: { ...v1, ...small, window: 7 },
  swin_base_patch4_window7_224: { ...v1, ...base, window: 7 },
  swin_base_patch4_window12_384: { ...v1, ...base, window: 12 },
  swin_large_patch4_window7_224: { ...v1, ...large, window: 7 },
  swin_large_patch4_window12_384: { ...v1, ...large, window: 12 },
  swin_s3_tiny_224: { ...v1, ...tiny, window: [7, 7, 14, 7] },
  swin_s3_small_224: { ...v1, ...small, window: [14, 14, 14, 7] },
  swin_s3_base_224: { ...v1, ...tiny, depths: [2, 2, 30, 2], window: [7, 7, 14, 7] },
  swinv2_tiny_window8_256: { ...v2, ...tiny, window: 8 },
  swinv2_tiny_window16_256: { ...v2, ...tiny, window: 16 },
  swinv2_small_window8_256: { ...v2, ...small, window: 8 },
  swinv2_small_window16_256: { ...v2, ...small, window: 16 },
  swinv2_base_window8_256: { ...v2, ...base, window: 8 },
  swinv2_base_window16_256: { ...v2, ...base, window: 16 },
  swinv2_base_window12to16_192to256: { ...pretrained, ...base, window: 16 },
  swinv2_base_window12to24_192to384: { ...pretrained, ...base, window: 24 },
  swinv2_large_window12to16_192to256: { ...pretrained, ...large, window: 16 },
  swinv2_large_window12to24_192to384: { ...pretrained, ...large, window: 24 },
  swinv2_cr_tiny_ns_224: { ...cr, ...tiny, stageNorms: true },
  swinv2_cr_small_224: { ...cr, ...small },
  swinv2_cr_small_ns_224: { ...cr, ...small, stageNorms: true },
}

const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const swin: ClassifierBuilder<SwinConfig> = (w, image, c) => {
  const patches = conv(w.at('patch_embed.proj'), image, {
    out: c.width,
    kernel: 4,
    stride: 4,
    bias: true,
  })
  let x = layerNorm(w.at('patch_embed.norm'), channelsLast(patches), epsilon)
  const tokens = sizeAt(x, 1)
  const last = c.depths.length - 1
  const stages = w.each(c.version === 'v2 cr' ? 'stages' : 'layers', c.depths.length)
  for (const [stage, scope] of stages.entries()) {
    if (stage > 0) x = mergePatches(scope.at('downsample'), x, c.version)
    for (const [i, block] of scope.each('blocks', c.depths[stage]!).entries()) {
      x = swinBlock(block, x, blockSettings(c, { tokens, stage, shifted: i % 2 === 1 }))
      const ends = i === c.depths[stage]! - 1 && (c.stageNorms === true || stage === last)
      if (c.version === 'v2 cr' && ends) x = layerNorm(block.at('norm3'), x, epsilon)
    }
  }
  if (c.version !== 'v2 cr') x = layerNorm(w.at('norm'), x, epsilon)
  return linearHead(w.at('head.fc'), mean(x, [1, 2]), c.classes)
}

interface BlockSettings {
  version: SwinConfig['version']
  heads: number
  /** Tokens a side of the grid that the shifted windows are made for. */
  grid: number
  /** Tokens a side of a window, at most the grid's. */
  side: number
  /** How far the grid is rolled before it is cut into windows. */
  shift: number
  /** Tokens a side of the window that relative positions are scaled by. */
  scaleSide: number
}

/** Returns the settings of a block; as in timm, a stage's grid has half the tokens a side of the one before, rounded down. */
function blockSettings(
  c: SwinConfig,
  { tokens, stage, shifted }: { tokens: number; stage: number; shifted: boolean },
): BlockSettings {
  const { window = Math.floor(tokens / 8) } = c
  const wanted = typeof window === 'number' ? window : window[stage]!
  const grid = Math.floor(tokens / 2 ** stage)
  const side = Math.min(grid, wanted)
  return {
    version: c.version,
    heads: c.heads[stage]!,
    grid,
    side,
    shift: shifted && grid > side ? Math.floor(wanted / 2) : 0,
    scaleSide: c.pretrainedWindow?.[stage] ?? side,
  }
}

/**
 * Joins 2 × 2 neighbours and projects them to twice the width: [n, h, w, width] to [n, h / 2, w / 2, 2 · width]. Zeros fill an
 * odd grid.
 */
const mergePatches: Block<SwinConfig['version']> = (w, grid, version) => {
  const x = padGrid(grid, 2)
  const [n, h, wide, dim] = x.shape
  const [rows, columns] = [fixedSize(h, 'merge') / 2, fixedSize(wide, 'merge') / 2]
  const width = fixedSize(dim, 'merge')
  const split = transpose(reshape(x, [n!, rows, 2, columns, 2, width]), [0, 1, 3, 4, 2, 5])
  const merged = reshape(split, [n!, rows, columns, 4 * width])
  if (version === 'v2')
    return layerNorm(w.at('norm'), unbiasedLinear(w.at('reduction'), merged, 2 * width), epsilon)
  return unbiasedLinear(w.at('reduction'), layerNorm(w.at('norm'), merged, epsilon), 2 * width)
}

const swinBlock: Block<BlockSettings> = (w, x, c) => {
  const hidden = 4 * sizeAt(x, 3)
  return (c.version === 'v1' ? preNormBlock : postNormBlock)(w, x, {
    attention: (scope, y) => shiftedAttention(scope, y, c),
    mlp: (scope, y) => mlp(scope, y, { hidden }),
    epsilon,
  })
}

/** Computes attention inside the windows of a grid [n, h, w, width] that is rolled by `shift`. */
const shiftedAttention: Block<BlockSettings> = (w, x, c) => {
  const mask = c.shift > 0 ? maskOf(w.graph, c) : undefined
  const attended = inWindows(rollGrid(x, c.shift), c.side, windows =>
    windowAttention(w, windows, { ...c, mask }),
  )
  return rollGrid(attended, -c.shift)
}

/** Returns the mask of a rolled grid; zeros fill the grid of the first version alone to whole windows. */
function maskOf(graph: Graph, c: BlockSettings): Tensor {
  const size = c.version === 'v1' ? Math.ceil(c.grid / c.side) * c.side : c.grid
  return shiftMask(graph, { ...c, rows: size, columns: size })
}

const windowAttention: Block<BlockSettings & { mask: Tensor | undefined }> = (w, x, c) => {
  const width = sizeAt(x, 2)
  const project = c.version === 'v2' ? keysUnbiasedProjection : fusedProjection
  const [q, k, values] = project(w, x)
  const [queries, keys] = [splitHeads(q, c.heads), splitHeads(k, c.heads)]
  const product = (a: Tensor, b: Tensor): Tensor => matmul(a, transpose(b, [0, 1, 3, 2]))
  const scores =
    c.version === 'v1'
      ? product(mul(queries, (width / c.heads) ** -0.5), keys)
      : mul(product(normalizeRows(queries), normalizeRows(keys)), temperature(w, c))
  const bias = biases[c.version](w, c)
  return linear(w.at('proj'), attendInWindows({ scores, values, bias, mask: c.mask }), width)
}

/** Returns the factor on cosines for each head [heads, 1, 1], at most 100. */
function temperature(w: ParameterScope, { version, heads }: BlockSettings): Tensor {
  const scale = w.get('logit_scale', version === 'v2' ? [heads, 1, 1] : [heads], 'scale')
  return exp(min(reshape(scale, [heads, 1, 1]), Math.log(100)))
}

/** Biases of the scores [heads, side², side²]: a table's rows, or a small network's values of the offsets. */
const biases: Record<SwinConfig['version'], (w: ParameterScope, c: BlockSettings) => Tensor> = {
  v1: (w, { side, heads }) =>
    windowBias(w.get('relative_position_bias_table', [(2 * side - 1) ** 2, heads]), side),
  v2: (w, { side, heads, scaleSide }) => {
    const offsets = windowOffsets(w.graph, side, {
      name: `offsets_${scaleSide}`,
      scale: offset =>
        (Math.sign(offset) * Math.log2(Math.abs((offset * 8) / (scaleSide - 1)) + 1)) / 3,
    })
    const hidden = relu(linear(w.at('cpb_mlp.0'), offsets, 512))
    const table = unbiasedLinear(w.at('cpb_mlp.2'), hidden, heads)
    return mul(sigmoid(windowBias(table, side)), 16)
  },
  'v2 cr': (w, { side, heads }) => logOffsetBias(w.at('meta_mlp'), { side, heads, hidden: 384 }),
}

/** Older checkpoints hold the tables that are computed here, and have the classifier one scope higher. */
const names = {
  rename: [[/^head\.(?=weight|bias)/, 'head.fc.']] as const,
  ignore: [
    /relative_position_index$/,
    /relative_coords_table$/,
    /relative_coordinates_log$/,
    /attn_mask$/,
  ],
  positions: [[/\.relative_position_bias_table$/, 'offsets']] as const,
}

export const swins = classifiers({ family: 'swin', rows, build: swin, names })

/**
 * CoAtNet (Dai et al. 2021), MaxViT (Tu et al. 2022) and their variants with ConvNeXt blocks, CoAtNeXt and MaxxViT, as
 * timm's maxxvit.py computes them.
 */
import { type Block, type Tensor, type ParameterScope, shapeError } from '../../lib/onnx/graph.ts'
import {
  attendHeads,
  fusedProjection,
  headFirstProjection,
  joinImageHeads,
  selfAttention,
  splitImageHeads,
  splitQkv,
} from '../../lib/onnx/blocks/attention.ts'
import { divisibleWidth, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { convMlp, mlp } from '../../lib/onnx/blocks/mlp.ts'
import { batchNorm, layerNorm2d, layerScale2d } from '../../lib/onnx/blocks/norm.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import {
  logOffsetBias,
  mergeGrid,
  mergeWindows,
  partitionGrid,
  partitionWindows,
  relativeBias,
  relativeRow,
  windowBias,
} from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  avgPool,
  channelsFirst,
  channelsLast,
  flatten,
  gelu,
  geluTanh,
  globalAvgPool,
  maxPool,
  relu,
  reshape,
  silu,
  tanh,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead, linearHead } from './family.ts'
import { padded } from './mobileBlocks.ts'

interface MaxxVitConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** Channels of the stem's two convolutions. */
  stem: readonly [number, number]
  /** Where tokens attend: over the whole grid in the last two stages (CoAtNet), or in the parts of every block. */
  attention: 'late' | readonly ('block' | 'grid')[]
  convolution: 'mbconv' | 'convnext'
  /** The models of the MaxViT authors: SAME padding, GELU by a hyperbolic tangent, other epsilons and layouts. */
  tensorflow?: boolean
  /** Channels inside squeeze-and-excitation as a share of those it scales. */
  squeeze?: number
  squeezeActivation?: (x: Tensor) => Tensor
  /** Whether squeeze-and-excitation precedes the second norm. */
  squeezeEarly?: boolean
  /** Whether an activation follows a convolution block's first norm. */
  preActivated?: boolean
  /** Whether a convolution block's last layer and its shortcut have biases. */
  outBias?: boolean
  /** Whether a pool subsamples before the convolutions, in place of a stride. */
  pooled?: boolean
  /** How shortcuts and attention subsample: averages of 2 × 2 (default) or maxima of 3 × 3. */
  pool?: 'max'
  /** Whether the shortcuts of attention blocks have biases; they do by default. */
  shortcutBias?: boolean
  /** Batch normalization before attention over the whole grid. */
  norm?: 'batch'
  /** Hidden units of a network that computes the biases by position, in place of a table. */
  positionUnits?: number
  layerScale?: boolean
  /** Width of the classifier's hidden layer. */
  hidden?: number
}

type Shape = Pick<MaxxVitConfig, 'depths' | 'widths' | 'stem'>
const shape = (
  first: number,
  depths: readonly number[],
  stem: Shape['stem'] = [32, 64],
): Shape => ({ depths, widths: [1, 2, 4, 8].map(factor => factor * first), stem })

const both = { attention: ['block', 'grid'] } as const
const late = { attention: 'late', convolution: 'mbconv', squeeze: 1 / 4 } as const
const coat = { ...late, squeezeActivation: relu, preActivated: true }
const coatNano = { ...late, outBias: true }
const early = { ...coat, squeezeEarly: true, shortcutBias: false } as const
const max = { ...both, convolution: 'mbconv', squeeze: 1 / 16 } as const
const next = { convolution: 'convnext', outBias: true, layerScale: true } as const
const units = { positionUnits: 512 }
const coat2 = { ...coat, ...shape(128, [2, 6, 14, 2], [64, 128]), squeezeActivation: silu }
const maxBase = { ...max, ...shape(96, [2, 6, 14, 2]), ...units, hidden: 768 }
const next2 = { ...next, attention: ['grid'] } as const

/** The models of the MaxViT authors at their three sizes of images. */
const tf = (
  name: string,
  { first, depths, stem }: { first: number; depths: readonly number[]; stem: number },
): Rows<MaxxVitConfig> => {
  const config = { ...max, ...shape(first, depths, [stem, stem]), squeeze: 1 / 4, outBias: true }
  const row = { ...config, tensorflow: true, hidden: 8 * first }
  return Object.fromEntries([224, 384, 512].map(size => [`maxvit_${name}_tf_${size}`, row]))
}

const rows: Rows<MaxxVitConfig> = {
  coatnet_nano_rw_224: { ...coatNano, ...shape(64, [3, 4, 6, 3]), pooled: true },
  coatnet_0_rw_224: { ...early, ...shape(96, [2, 3, 7, 2]), pooled: true },
  coatnet_1_rw_224: { ...early, ...shape(96, [2, 6, 14, 2]) },
  coatnet_2_rw_224: coat2,
  coatnet_bn_0_rw_224: { ...early, ...shape(96, [2, 3, 7, 2]), norm: 'batch' },
  coatnet_rmlp_nano_rw_224: { ...coatNano, ...shape(64, [3, 4, 6, 3]), positionUnits: 384 },
  coatnet_rmlp_1_rw_224: {
    ...early,
    ...shape(96, [2, 6, 14, 2]),
    pooled: true,
    pool: 'max',
    positionUnits: 384,
  },
  coatnet_rmlp_1_rw2_224: { ...coat, ...shape(96, [2, 6, 14, 2]), ...units },
  coatnet_rmlp_2_rw_224: { ...coat2, ...units, layerScale: true },
  coatnet_rmlp_2_rw_384: { ...coat2, ...units, layerScale: true },
  coatnext_nano_rw_224: {
    ...next,
    ...shape(64, [3, 4, 6, 3]),
    attention: 'late',
    layerScale: false,
  },
  maxvit_nano_rw_256: { ...max, ...shape(64, [1, 2, 3, 1]) },
  maxvit_tiny_rw_224: { ...max, ...shape(64, [2, 2, 5, 2]) },
  maxvit_rmlp_pico_rw_256: { ...max, ...shape(32, [2, 2, 5, 2], [24, 32]), ...units },
  maxvit_rmlp_nano_rw_256: { ...max, ...shape(64, [1, 2, 3, 1]), ...units },
  maxvit_rmlp_tiny_rw_256: { ...max, ...shape(64, [2, 2, 5, 2]), ...units },
  maxvit_rmlp_small_rw_224: { ...max, ...shape(96, [2, 2, 5, 2]), ...units, layerScale: true },
  maxvit_rmlp_base_rw_224: maxBase,
  maxvit_rmlp_base_rw_384: maxBase,
  maxxvit_rmlp_nano_rw_256: { ...next, ...both, ...shape(64, [1, 2, 3, 1]), ...units },
  maxxvit_rmlp_small_rw_256: { ...next, ...both, ...shape(96, [2, 2, 5, 2], [48, 96]), ...units },
  maxxvitv2_nano_rw_256: { ...next2, ...shape(96, [1, 2, 3, 1], [48, 96]) },
  maxxvitv2_rmlp_base_rw_224: { ...next2, ...shape(128, [2, 6, 12, 2], [64, 128]), ...units },
  maxxvitv2_rmlp_base_rw_384: { ...next2, ...shape(128, [2, 6, 12, 2], [64, 128]), ...units },
  ...tf('tiny', { first: 64, depths: [2, 2, 5, 2], stem: 64 }),
  ...tf('small', { first: 96, depths: [2, 2, 5, 2], stem: 64 }),
  ...tf('base', { first: 96, depths: [2, 6, 14, 2], stem: 64 }),
  ...tf('large', { first: 128, depths: [2, 6, 14, 2], stem: 128 }),
  ...tf('xlarge', { first: 192, depths: [2, 6, 14, 2], stem: 192 }),
}

/** A block's width and stride, and the tokens a side for which timm makes its relative positions. */
type BlockSettings = MaxxVitConfig & { out: number; stride: number; grid: number }

const headWidth = 32

/** image [n, 3, h, w] -> features [n, hidden or last width], logits [n, classes] */
const maxxVit: ClassifierBuilder<MaxxVitConfig> = (w, image, c) => {
  let x = stem(w.at('stem'), image, c)
  const convolution = c.convolution === 'mbconv' ? mbConv : convNext
  const pixels = sizeAt(image, 2)
  const side = Math.floor(pixels / 32)
  let grid = Math.floor(pixels / 2)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const late = i < 2 ? convolution : gridTransformer
    grid = Math.ceil(grid / 2)
    for (const [j, scope] of stage.each('blocks', c.depths[i]!).entries()) {
      const block = { ...c, out: c.widths[i]!, stride: j === 0 ? 2 : 1, grid }
      if (c.attention === 'late') x = late(scope, x, block)
      else x = attendInParts(scope, convolution(scope.at('conv'), x, block), { ...c, side })
    }
  }
  const head = w.at('head')
  if (c.hidden === undefined) {
    return pooledHead(head.at('fc'), attentionNorm(w.at('norm'), x, c), c.classes)
  }
  const pooled = flatten(attentionNorm(head.at('norm'), globalAvgPool(x), c))
  const features = tanh(linear(head.at('pre_logits.fc'), pooled, c.hidden))
  return linearHead(head.at('fc'), features, c.classes)
}

const convolutionActivation = (c: MaxxVitConfig): ((x: Tensor) => Tensor) =>
  c.tensorflow ? geluTanh : c.convolution === 'mbconv' ? silu : gelu

const convolutionNorm: Block<MaxxVitConfig> = (w, x, c) =>
  c.convolution === 'mbconv' ? batchNorm(w, x, c.tensorflow ? 1e-3 : 1e-5) : layerNorm2d(w, x)

const attentionEpsilon = (c: MaxxVitConfig): number => (c.tensorflow ? 1e-5 : 1e-6)

const attentionNorm: Block<MaxxVitConfig> = (w, x, c) =>
  (c.norm === 'batch' ? batchNorm : layerNorm2d)(w, x, attentionEpsilon(c))

const stem: Block<MaxxVitConfig> = (w, image, c) => {
  const layer = { ...c, kernel: 3, bias: c.tensorflow === true }
  const first = padded(w.at('conv1'), image, { ...layer, out: c.stem[0], stride: 2 })
  const x = convolutionActivation(c)(convolutionNorm(w.at('norm1'), first, c))
  return padded(w.at('conv2'), x, { ...layer, out: c.stem[1], stride: 1 })
}

/** Halves rows and columns where the stride is 2. */
function subsampled(x: Tensor, { stride, pool }: Pick<BlockSettings, 'stride' | 'pool'>): Tensor {
  if (stride === 1) return x
  return pool === 'max' ? maxPool(x, 3, { stride, padding: 1 }) : avgPool(x, 2, { stride })
}

const shortcut: Block<BlockSettings & { bias: boolean }> = (w, x, c) => {
  const y = subsampled(x, c)
  const { out, bias } = c
  return channelsOf(x) === out ? y : conv(w.at('expand'), y, { out, bias })
}

const mbConv: Block<BlockSettings> = (w, x, c) => {
  const activation = convolutionActivation(c)
  const inner = divisibleWidth(4 * (c.tensorflow ? c.out : channelsOf(x)))
  const squeezed = (c.squeeze ?? 1 / 4) * (c.tensorflow ? c.out : inner)
  const gate = { inner: Math.floor(squeezed), activation: c.squeezeActivation ?? silu }
  const normal = convolutionNorm(w.at('pre_norm'), x, c)
  let y = c.preActivated ? activation(normal) : normal
  if (c.pooled) y = subsampled(y, { stride: c.stride })
  y = activation(convolutionNorm(w.at('norm1'), conv(w.at('conv1_1x1'), y, { out: inner }), c))
  y = padded(w.at('conv2_kxk'), y, {
    ...c,
    out: inner,
    kernel: 3,
    stride: c.pooled ? 1 : c.stride,
    groups: inner,
  })
  if (c.squeezeEarly) y = squeezeExcite(w.at('se_early'), y, gate)
  y = activation(convolutionNorm(w.at('norm2'), y, c))
  if (!c.squeezeEarly) y = squeezeExcite(w.at('se'), y, gate)
  const bias = c.outBias === true
  const projected = conv(w.at('conv3_1x1'), y, { out: c.out, bias })
  return add(projected, shortcut(w.at('shortcut'), x, { ...c, bias }))
}

const convNext: Block<BlockSettings> = (w, x, c) => {
  const { out, stride } = c
  const window = { out, stride, kernel: 7, padding: 3, groups: channelsOf(x), bias: true }
  const normal = layerNorm2d(w.at('norm'), conv(w.at('conv_dw'), x, window))
  const mixed = convMlp(w.at('mlp'), normal, { hidden: 4 * out })
  return add(layerScale2d(w.at('ls'), mixed), shortcut(w.at('shortcut'), x, { ...c, bias: true }))
}

/** CoAtNet's transformer block over the whole grid of [n, c, h, w]. */
const gridTransformer: Block<BlockSettings> = (w, x, c) => {
  const scaled = (name: string, y: Tensor): Tensor =>
    c.layerScale ? layerScale2d(w.at(name), y) : y
  const normal = attentionNorm(w.at(c.stride === 1 ? 'norm1' : 'norm1.norm'), x, c)
  const attended = gridAttention(w.at('attn'), subsampled(normal, c), c)
  const bias = c.shortcutBias ?? true
  const y = add(shortcut(w.at('shortcut'), x, { ...c, bias }), scaled('ls1', attended))
  const mixed = convMlp(w.at('mlp'), attentionNorm(w.at('norm2'), y, c), { hidden: 4 * c.out })
  return add(y, scaled('ls2', mixed))
}

const gridAttention: Block<BlockSettings> = (w, x, c) => {
  const width = channelsOf(x)
  const heads = width / headWidth
  const qkv = conv(w.at('qkv'), x, { out: 3 * width, bias: true })
  const parts = splitImageHeads(qkv, heads)
  const side = sizeAt(x, 2)
  if (side !== c.grid) throw shapeError('maxxvit', `a grid of ${side} tokens is not ${c.grid}`)
  const bias = relativePositions(w.at('rel_pos'), { ...c, heads, side })
  const image = joinImageHeads(attendHeads(splitQkv(parts), bias), x.shape.slice(2))
  return conv(w.at('proj'), image, { out: c.out, bias: true })
}

/** Applies MaxViT's attention in windows (`block`) and dilated windows (`grid`) to [n, c, h, w], each with an MLP. */
const attendInParts: Block<MaxxVitConfig & { side: number }> = (w, x, c) => {
  const width = channelsOf(x)
  const heads = width / headWidth
  const project = c.tensorflow ? fusedProjection : headFirstProjection(heads)
  const parts = c.attention as readonly ('block' | 'grid')[]
  const attended = parts.reduce((y, part) => {
    const [partition, merge] =
      part === 'block' ? [partitionWindows, mergeWindows] : [partitionGrid, mergeGrid]
    return preNormBlock(w.at(`attn_${part}`), y, {
      attention: (scope, rows) => {
        const mask = relativePositions(scope.at('rel_pos'), { ...c, heads })
        const mixed = selfAttention(scope, partition(rows, c.side), { heads, mask, project })
        return merge(mixed, c.side, rows.shape)
      },
      mlp: (scope, rows) =>
        mlp(scope, rows, { hidden: 4 * width, activation: c.tensorflow ? geluTanh : gelu }),
      epsilon: attentionEpsilon(c),
      layerScale: c.layerScale ? 'ls' : undefined,
    })
  }, channelsLast(x))
  return channelsFirst(attended)
}

/** Returns biases of the scores [heads, side², side²]. */
function relativePositions(
  w: ParameterScope,
  c: MaxxVitConfig & { side: number; heads: number },
): Tensor {
  const { side, heads, positionUnits: hidden } = c
  if (hidden !== undefined) return logOffsetBias(w.at('mlp'), { side, heads, hidden })
  const [name, span] = ['relative_position_bias_table', 2 * side - 1]
  if (!c.tensorflow) return windowBias(w.get(name, [span * span, heads]), side)
  const table = transpose(reshape(w.get(name, [heads, span, span]), [heads, span * span]), [1, 0])
  return relativeBias(table, side * side, {
    name: 'reversed_offsets',
    row: (from, to) => relativeRow(to, from, [side, side]),
  })
}

const names = { positions: [[/\.relative_position_bias_table$/, 'offsets']] as const }

export const maxxVits = classifiers({ family: 'maxxvit', rows, build: maxxVit, names })

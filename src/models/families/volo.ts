/** VOLO, outlook attention among neighbours before a transformer (Yuan et al. 2021), as timm's volo.py computes it. */
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { selfAttention, unbiasedProjection } from '../../lib/onnx/blocks/attention.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { firstTokenBlock, preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { patchTokens, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import { fold, unfold } from '../../lib/onnx/blocks/unfold.ts'
import {
  add,
  avgPool,
  channelsFirst,
  channelsLast,
  halves,
  matmul,
  max,
  mul,
  pick,
  relu,
  reshape,
  slice,
  softmax,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface VoloConfig {
  /** Outlook blocks, then the blocks of three stages of the transformer. */
  depths: readonly [number, number, number, number]
  /** Width of the outlook blocks; the transformer's is twice that. */
  width: number
  /** Heads of the outlook blocks and of the transformer. */
  heads: readonly [number, number]
  /** Channels of the stem, 64 by default. */
  stem?: number
  /** Width inside the MLPs over the tokens', 3 by default. */
  ratio?: number
}

const d1: VoloConfig = { depths: [4, 4, 8, 2], width: 192, heads: [6, 12] }
const d2: VoloConfig = { depths: [6, 4, 10, 4], width: 256, heads: [8, 16] }
const d3: VoloConfig = { depths: [8, 8, 16, 4], width: 256, heads: [8, 16] }
const d4: VoloConfig = { depths: [8, 8, 16, 4], width: 384, heads: [12, 16] }
const d5: VoloConfig = { ...d4, depths: [12, 12, 20, 4], stem: 128, ratio: 4 }

const rows: Rows<VoloConfig> = {
  volo_d1_224: d1,
  volo_d1_384: d1,
  volo_d2_224: d2,
  volo_d2_384: d2,
  volo_d3_224: d3,
  volo_d3_448: d3,
  volo_d4_224: d4,
  volo_d4_448: d4,
  volo_d5_224: d5,
  volo_d5_448: d5,
  volo_d5_512: d5,
}

const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, width], logits [n, classes], to which half the patches' largest are added */
const volo: ClassifierBuilder<VoloConfig> = (w, image, c) => {
  const { ratio = 3, heads } = c
  const dim = 2 * c.width
  const inner: Layer = (scope, y) => mlp(scope, y, { hidden: ratio * sizeAt(y, -1) })
  const outlook = {
    attention: (scope: ParameterScope, y: Tensor): Tensor => outlookAttention(scope, y, heads[0]),
    mlp: inner,
    epsilon,
  }
  let grid = embed(w.at('patch_embed'), image, c)
  for (const block of w.each('network.0', c.depths[0])) grid = preNormBlock(block, grid, outlook)
  const halved = conv(w.at('network.1.proj'), channelsFirst(grid), {
    out: dim,
    kernel: 2,
    stride: 2,
    bias: true,
  })
  const [high, wide] = halved.shape.slice(2).map(size => fixedSize(size, 'volo'))
  const placed = add(channelsLast(halved), w.get('pos_embed', [1, high!, wide!, dim]))
  let x = reshape(placed, [image.shape[0]!, high! * wide!, dim])
  const own = { heads: heads[1], project: unbiasedProjection }
  const attention: Layer = (scope, y) => selfAttention(scope, y, own)
  for (const [i, depth] of c.depths.slice(1).entries())
    for (const block of w.each(`network.${i + 2}`, depth))
      x = preNormBlock(block, x, { attention, mlp: inner, epsilon })
  x = prependTokens(w.get('cls_token', [1, 1, dim]), x)
  const toClass = { heads: heads[1], project: classProjection }
  for (const block of w.each('post_network', 2))
    x = firstTokenBlock(block, x, {
      attention: (scope, y) => selfAttention(scope, y, toClass),
      mlp: inner,
      epsilon,
    })
  x = layerNorm(w.at('norm'), x, epsilon)
  const features = pick(x, 1, 0)
  const auxiliary = max(linear(w.at('aux_head'), patchTokens(x, 1), c.classes), [1])
  return { features, logits: add(linear(w.at('head'), features, c.classes), mul(auxiliary, 0.5)) }
}

/** image [n, 3, h, w] to [n, h / 8, w / 8, width] */
const embed: Block<VoloConfig> = (w, image, { stem = 64, width }) => {
  let x = image
  for (const [i, kernel] of [7, 3, 3].entries()) {
    const names = [`conv.${3 * i}`, `conv.${3 * i + 1}`] as const
    x = relu(convNorm(w, x, { out: stem, kernel, stride: i === 0 ? 2 : 1, names }))
  }
  return channelsLast(conv(w.at('proj'), x, { out: width, kernel: 4, stride: 4, bias: true }))
}

/** Queries of the first token, keys and values of all tokens, without biases. */
function classProjection(w: ParameterScope, x: Tensor): readonly [Tensor, Tensor, Tensor] {
  const dim = sizeAt(x, 2)
  const [k, v] = halves(unbiasedLinear(w.at('kv'), x, 2 * dim))
  return [unbiasedLinear(w.at('q'), slice(x, 1, [0, 1]), dim), k, v]
}

/**
 * Attention inside 3 × 3 windows at every second row and column, with weights that a linear layer gives without
 * comparing tokens; overlapping windows are added up. x [n, h, w, width] to its shape.
 */
const outlookAttention: Block<number> = (w, x, heads) => {
  const [n, h, wide, dim] = x.shape
  const width = fixedSize(dim, 'outlook')
  const size = [fixedSize(h, 'outlook'), fixedSize(wide, 'outlook')] as const
  const window = { kernel: 3, stride: 2, padding: 1 }
  const unfolded = unfold(channelsFirst(unbiasedLinear(w.at('v'), x, width)), window)
  const places = sizeAt(unfolded, 2)
  const values = reshape(unfolded, [n!, heads, width / heads, 9, places])
  const pooled = channelsLast(avgPool(channelsFirst(x), 2, { stride: 2, ceil: true }))
  const scores = mul(linear(w.at('attn'), pooled, 81 * heads), (width / heads) ** -0.5)
  const weights = softmax(transpose(reshape(scores, [n!, places, heads, 9, 9]), [0, 2, 1, 3, 4]))
  const mixed = matmul(weights, transpose(values, [0, 1, 4, 3, 2]))
  const columns = reshape(transpose(mixed, [0, 1, 4, 3, 2]), [n!, 9 * width, places])
  return linear(w.at('proj'), channelsLast(fold(columns, { ...window, size })), width)
}

export const volos = classifiers({ family: 'volo', rows, build: volo })

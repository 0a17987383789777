/** EfficientFormerV2 (Li et al. 2022), as timm's efficientformer_v2.py computes it. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm, depthwiseConvNorm, halvingStem } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, layerScale2d } from '../../lib/onnx/blocks/norm.ts'
import { distanceBias } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  avgPool,
  gelu,
  matmul,
  mean,
  mul,
  reshape,
  resize,
  softmax,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, product, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, distilledHeads } from './family.ts'

interface EfficientFormerV2Config {
  /** Blocks of the first two stages; the others have three and two times as many. */
  depth: number
  widths: readonly number[]
  /** How many blocks attend at the end of each of the last two stages. */
  attends: number
  /** Blocks of the third and of the fourth stage whose MLPs have three times, not four times, the channels. */
  narrow: readonly [from: number, to: number, from: number, to: number]
}

const rows: Rows<EfficientFormerV2Config> = {
  efficientformerv2_s0: { depth: 2, widths: [32, 48, 96, 176], attends: 2, narrow: [1, 4, 1, 3] },
  efficientformerv2_s1: { depth: 3, widths: [32, 48, 120, 224], attends: 2, narrow: [2, 6, 2, 4] },
  efficientformerv2_s2: { depth: 4, widths: [32, 64, 144, 288], attends: 4, narrow: [2, 8, 2, 6] },
  efficientformerv2_l: { depth: 5, widths: [40, 80, 192, 384], attends: 6, narrow: [4, 11, 3, 7] },
}

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes], the mean of two classifiers */
const efficientFormerV2: ClassifierBuilder<EfficientFormerV2Config> = (w, image, c) => {
  const stem = [w.at('stem.conv1'), w.at('stem.conv2')]
  let x = gelu(halvingStem(stem, image, { out: c.widths[0]!, activation: gelu, bias: true }))
  for (const [i, factor] of [1, 1, 3, 2].entries()) {
    const depth = factor * c.depth
    const stage = w.at(`stages.${i}`)
    const out = c.widths[i]!
    if (i > 0) x = downsample(stage.at('downsample'), x, { out, attends: i === 3 })
    const [start = 0, end = 0] = i < 2 ? [] : c.narrow.slice(2 * i - 4)
    for (const [j, block] of stage.each('blocks', depth).entries()) {
      if (i >= 2 && j >= depth - c.attends)
        x = add(
          x,
          layerScale2d(block.at('ls1'), attention(block.at('token_mixer'), x, i === 2 ? 2 : 1)),
        )
      const hidden = (j >= start && j < end ? 3 : 4) * out
      x = add(x, layerScale2d(block.at('ls2'), mlp(block.at('mlp'), x, hidden)))
    }
  }
  return distilledHeads(w, mean(batchNorm(w.at('norm'), x), [2, 3]), c.classes)
}

/** Halves [n, c, h, w] by a convolution, in the last stage also by attention. */
const downsample: Block<{ out: number; attends: boolean }> = (w, x, { out, attends }) => {
  const y = convNorm(w.at('conv'), x, { out, kernel: 3, stride: 2, bias: true })
  return attends ? add(halvingAttention(w.at('attn'), x, out), y) : y
}

/** Applies two 1 × 1 convolutions with a depthwise one between them to [n, c, h, w]. */
const mlp: Block<number> = (w, x, hidden) => {
  const inner = gelu(convNorm(w.at('fc1'), x, { out: hidden, bias: true }))
  const local = gelu(depthwiseConvNorm(w.at('mid'), inner, { kernel: 3, bias: true }))
  return convNorm(w.at('fc2'), local, { out: channelsOf(x), bias: true })
}

const heads = 8

/** Splits the channels of images [n, heads · width, h, w] into heads [n, heads, width, h · w]. */
function splitChannels(x: Tensor): Tensor {
  const [n, , rows, columns] = x.shape
  return reshape(x, [n!, heads, channelsOf(x) / heads, product([rows!, columns!])])
}

const turned = (x: Tensor): Tensor => transpose(x, [0, 1, 3, 2])

/** Computes attention over [n, c, h, w], on a grid coarser by `stride`; heads are mixed before and after the softmax. */
const attention: Block<number> = (w, x, stride) => {
  const out = channelsOf(x)
  const spatial = { kernel: 3, bias: true }
  const grid = stride === 1 ? x : depthwiseConvNorm(w.at('stride_conv'), x, { ...spatial, stride })
  const [keyWidth, inner] = [32, 4 * 32 * heads]
  const layer = (name: string, width: number): Tensor =>
    convNorm(w.at(name), grid, { out: width, bias: true })
  const [q, k] = [layer('q', keyWidth * heads), layer('k', keyWidth * heads)].map(splitChannels)
  const v = layer('v', inner)
  const bias = distanceBias(w, { heads, side: sizeAt(grid, 2) })
  const scores = add(matmul(mul(turned(q!), keyWidth ** -0.5), k!), bias)
  const talk = (name: string, y: Tensor): Tensor => conv(w.at(name), y, { out: heads, bias: true })
  const weights = talk('talking_head2', softmax(talk('talking_head1', scores)))
  const mixed = reshape(matmul(splitChannels(v), turned(weights)), v.shape)
  const local = depthwiseConvNorm(w.at('v_local'), v, spatial)
  const y = add(mixed, local)
  const whole = [x.shape[0]!, inner, x.shape[2]!, x.shape[3]!]
  const fine =
    stride === 1 ? y : resize(y, whole, { mode: 'linear', scales: [1, 1, stride, stride] })
  return convNorm(w.at('proj'), gelu(fine), { out, bias: true })
}

/** Computes attention of every second row and column of [n, c, h, w] to all positions. */
const halvingAttention: Block<number> = (w, x, out) => {
  const [keyWidth, inner] = [16, 4 * 16 * heads]
  const side = sizeAt(x, 2)
  const halve = { kernel: 3, stride: 2, bias: true }
  const local = depthwiseConv(w.at('q.local'), x, halve)
  const sampled = add(local, avgPool(x, 1, { stride: 2 }))
  const q = convNorm(w.at('q.proj'), sampled, { out: keyWidth * heads, bias: true })
  const k = convNorm(w.at('k'), x, { out: keyWidth * heads, bias: true })
  const v = convNorm(w.at('v'), x, { out: inner, bias: true })
  const queries = mul(turned(splitChannels(q)), keyWidth ** -0.5)
  const bias = distanceBias(w, { heads, side, stride: 2 })
  const weights = softmax(add(matmul(queries, splitChannels(k)), bias))
  const nearby = depthwiseConvNorm(w.at('v_local'), v, halve)
  const mixed = reshape(matmul(splitChannels(v), turned(weights)), nearby.shape)
  return convNorm(w.at('proj'), gelu(add(mixed, nearby)), { out, bias: true })
}

export const efficientFormersV2 = classifiers({
  family: 'efficientformer-v2',
  rows,
  build: efficientFormerV2,
})

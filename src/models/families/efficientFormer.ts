/** EfficientFormer (Li et al. 2022), as timm's efficientformer.py computes it. */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { attendHeads, joinHeads, splitHeads } from '../../lib/onnx/blocks/attention.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm, layerScale, layerScale2d } from '../../lib/onnx/blocks/norm.ts'
import { toTokens } from '../../lib/onnx/blocks/tokens.ts'
import { distanceBias } from '../../lib/onnx/blocks/windows.ts'
import { add, avgPool, gelu, mean, relu, split, sub } from '../../lib/onnx/ops.ts'
import { channelsOf, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, distilledHeads } from './family.ts'

interface EfficientFormerConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** How many blocks at the end attend. */
  attends: number
}

const rows: Rows<EfficientFormerConfig> = {
  efficientformer_l1: { depths: [3, 2, 6, 4], widths: [48, 96, 224, 448], attends: 1 },
  efficientformer_l3: { depths: [4, 4, 12, 6], widths: [64, 128, 320, 512], attends: 4 },
  efficientformer_l7: { depths: [6, 6, 18, 8], widths: [96, 192, 384, 768], attends: 8 },
}

const epsilon = 1e-5
const heads = 8
const keyWidth = 32
const valueWidth = 4 * keyWidth

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes], the mean of two classifiers */
const efficientFormer: ClassifierBuilder<EfficientFormerConfig> = (w, image, c) => {
  const halve = { kernel: 3, stride: 2, bias: true }
  let x = image
  for (const [i, out] of [c.widths[0]! / 2, c.widths[0]!].entries()) {
    const names = [`conv${i + 1}`, `norm${i + 1}`] as const
    x = relu(convNorm(w.at('stem'), x, { ...halve, out, names }))
  }
  const last = c.depths.length - 1
  for (const [i, depth] of c.depths.entries()) {
    const stage = w.at(`stages.${i}`)
    const names = ['conv', 'norm'] as const
    if (i > 0) x = convNorm(stage.at('downsample'), x, { ...halve, out: c.widths[i]!, names })
    const pooling = i === last ? depth - c.attends : depth
    x = stage.each('blocks', pooling).reduce((y, block) => poolBlock(block, y), x)
  }
  const side = sizeAt(x, 2)
  const first = c.depths[last]! - c.attends + 1
  const tokens = w
    .each(`stages.${last}.blocks`, first + c.attends)
    .slice(first)
    .reduce((y, block) => attentionBlock(block, y, side), toTokens(x))
  const features = mean(layerNorm(w.at('norm'), tokens, epsilon), [1])
  return distilledHeads(w, features, c.classes)
}

/** Adds the difference to the neighbours' mean, then an MLP of 1 × 1 convolutions, to [n, c, h, w]. */
const poolBlock: Layer = (w, x) => {
  const out = channelsOf(x)
  const y = add(x, layerScale2d(w.at('ls1'), sub(avgPool(x, 3, { padding: 1 }), x)))
  const layers = w.at('mlp')
  const inner = { out: 4 * out, bias: true, names: ['fc1', 'norm1'] as const }
  const outer = { out, bias: true, names: ['fc2', 'norm2'] as const }
  return add(
    y,
    layerScale2d(w.at('ls2'), convNorm(layers, gelu(convNorm(layers, y, inner)), outer)),
  )
}

/** Adds attention and an MLP to tokens [n, side², width]. */
const attentionBlock: Block<number> = (w, x, side) => {
  const width = sizeAt(x, 2)
  const attended = attention(w.at('token_mixer'), layerNorm(w.at('norm1'), x, epsilon), side)
  const y = add(x, layerScale(w.at('ls1'), attended))
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm2'), y, epsilon), { hidden: 4 * width })
  return add(y, layerScale(w.at('ls2'), mixed))
}

const attention: Block<number> = (w, x, side) => {
  const perHead = 2 * keyWidth + valueWidth
  const qkv = splitHeads(linear(w.at('qkv'), x, heads * perHead), heads)
  const parts = split(qkv, [keyWidth, keyWidth, valueWidth], -1)
  const [q, k, v] = parts as [Tensor, Tensor, Tensor]
  const mixed = joinHeads(attendHeads([q, k, v], distanceBias(w, { heads, side })))
  return linear(w.at('proj'), mixed, sizeAt(x, 2))
}

const names = { ignore: [/attention_bias_idxs$/] }

export const efficientFormers = classifiers({
  family: 'efficientformer',
  rows,
  build: efficientFormer,
  names,
})

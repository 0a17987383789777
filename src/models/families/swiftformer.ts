/** SwiftFormer, attention by sums in place of products of pairs (Shaker et al. 2023), as timm's swiftformer.py computes it. */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, layerScaleChw } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { convMlp } from '../../lib/onnx/blocks/mlp.ts'
import { unitLength } from '../../lib/onnx/blocks/similarity.ts'
import { add, gelu, globalMean, matmul, mul, relu, sum } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, distilledHeads } from './family.ts'

interface SwiftFormerConfig {
  depths: readonly number[]
  widths: readonly number[]
}

const rows: Rows<SwiftFormerConfig> = {
  swiftformer_xs: { depths: [3, 3, 6, 4], widths: [48, 56, 112, 220] },
  swiftformer_s: { depths: [3, 3, 9, 6], widths: [48, 64, 168, 224] },
  swiftformer_l1: { depths: [4, 3, 10, 5], widths: [48, 96, 192, 384] },
  swiftformer_l3: { depths: [4, 4, 12, 6], widths: [64, 128, 320, 512] },
}

const halving = { kernel: 3, stride: 2, padding: 1, bias: true }

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const swiftFormer: ClassifierBuilder<SwiftFormerConfig> = (w, image, c) => {
  const first = c.widths[0]!
  const stem = (place: number, x: Tensor, out: number): Tensor =>
    relu(batchNorm(w.at(`stem.${place + 1}`), conv(w.at(`stem.${place}`), x, { out, ...halving })))
  let x = stem(3, stem(0, image, first / 2), first)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const down = stage.at('downsample')
    if (i > 0) {
      x = conv(down.at('proj'), x, { out: c.widths[i]!, ...halving })
      x = batchNorm(down.at('norm'), x)
    }
    for (const [j, block] of stage.each('blocks', c.depths[i]!).entries())
      x = j === c.depths[i]! - 1 ? attentionBlock(block, x) : localBlock(block, x, 4)
  }
  const features = globalMean(batchNorm(w.at('norm'), x))
  return distilledHeads(w, features, c.classes)
}

/** A depthwise convolution and two 1 × 1 convolutions with `ratio` times the channels between them, added to x. */
const localBlock: Block<number> = (w, x, ratio) => {
  const width = channelsOf(x)
  const local = depthwiseConv(w.at('dwconv'), x, { kernel: 3, bias: true })
  const normal = batchNorm(w.at('norm'), local)
  const inner = gelu(conv(w.at('pwconv1'), normal, { out: ratio * width, bias: true }))
  const y = conv(w.at('pwconv2'), inner, { out: width, bias: true })
  return add(x, layerScaleChw(w.at('layer_scale'), y))
}

const attentionBlock: Layer = (w, x) => {
  const local = localBlock(w.at('local_representation'), x, 1)
  const attended = layerScaleChw(w.at('layer_scale_1'), additiveAttention(w.at('attn'), local))
  const y = add(local, attended)
  const layers = w.at('linear')
  const normal = batchNorm(layers.at('norm1'), y)
  const mixed = convMlp(layers, normal, { hidden: 4 * channelsOf(x) })
  return add(y, layerScaleChw(w.at('layer_scale_2'), mixed))
}

/** Every place's key times one query, the weighted sum of all: x [n, c, h, w] to its shape. */
const additiveAttention: Layer = (w, x) => {
  const width = channelsOf(x)
  const tokens = toTokens(x)
  const queries = unitLength(linear(w.at('to_query'), tokens, width))
  const keys = unitLength(linear(w.at('to_key'), tokens, width))
  const weights = unitLength(mul(matmul(queries, w.get('w_g', [width, 1])), width ** -0.5), 1)
  const query = sum(mul(weights, queries), [1], true)
  const mixed = add(linear(w.at('proj'), mul(keys, query), width), queries)
  return toImage(linear(w.at('final'), mixed, width), x.shape.slice(2))
}

export const swiftFormers = classifiers({ family: 'swiftformer', rows, build: swiftFormer })

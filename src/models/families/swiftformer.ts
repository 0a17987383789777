/** SwiftFormer, attention by sums in place of products of pairs (Shaker et al. 2023), as timm's swiftformer.py computes it. */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { flattenToTokens, tokensToImage } from '../../lib/onnx/blocks/tokens.ts'
import {
  add,
  average,
  clip,
  div,
  flatten,
  gelu,
  globalAvgPool,
  matmul,
  mul,
  norm,
  relu,
  sum,
} from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface SwiftFormerConfig {
  depths: readonly number[]
  widths: readonly number[]
}

const rows: ArchitectureRows<SwiftFormerConfig> = {
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
  const features = flatten(globalAvgPool(batchNorm(w.at('norm'), x)))
  const logits = ['head', 'head_dist'].map(name => linear(w.at(name), features, c.classes))
  return { features, logits: average(logits) }
}

const widthOf = (x: Tensor): number => fixedSize(x.shape[1], 'swiftformer')

const scaled = (w: ParameterScope, x: Tensor): Tensor =>
  mul(x, w.get('gamma', [widthOf(x), 1, 1], 'scale'))

/** A depthwise convolution and two 1 × 1 convolutions with `ratio` times the channels between them, added to x. */
function localBlock(w: ParameterScope, x: Tensor, ratio: number): Tensor {
  const width = widthOf(x)
  const window = { out: width, kernel: 3, groups: width, padding: 1, bias: true }
  const normal = batchNorm(w.at('norm'), conv(w.at('dwconv'), x, window))
  const inner = gelu(conv(w.at('pwconv1'), normal, { out: ratio * width, bias: true }))
  const y = conv(w.at('pwconv2'), inner, { out: width, bias: true })
  return add(x, scaled(w.at('layer_scale'), y))
}

function attentionBlock(w: ParameterScope, x: Tensor): Tensor {
  const width = widthOf(x)
  const local = localBlock(w.at('local_representation'), x, 1)
  const attended = scaled(w.at('layer_scale_1'), additiveAttention(w.at('attn'), local))
  const y = add(local, attended)
  const layers = w.at('linear')
  const normal = batchNorm(layers.at('norm1'), y)
  const inner = gelu(conv(layers.at('fc1'), normal, { out: 4 * width, bias: true }))
  const mixed = conv(layers.at('fc2'), inner, { out: width, bias: true })
  return add(y, scaled(w.at('layer_scale_2'), mixed))
}

/** Scales x to unit length along an axis. */
const unit = (x: Tensor, axis: number): Tensor => div(x, clip(norm(x, [axis]), 1e-12, 1e30))

/** Every place's key times one query, the weighted sum of all: x [n, c, h, w] to its shape. */
function additiveAttention(w: ParameterScope, x: Tensor): Tensor {
  const width = widthOf(x)
  const tokens = flattenToTokens(x)
  const queries = unit(linear(w.at('to_query'), tokens, width), -1)
  const keys = unit(linear(w.at('to_key'), tokens, width), -1)
  const weights = unit(mul(matmul(queries, w.get('w_g', [width, 1])), width ** -0.5), 1)
  const query = sum(mul(weights, queries), [1], true)
  const mixed = add(linear(w.at('proj'), mul(keys, query), width), queries)
  return tokensToImage(linear(w.at('final'), mixed, width), x.shape.slice(2))
}

export const swiftFormers = classifiers({ family: 'swiftformer', rows, build: swiftFormer })

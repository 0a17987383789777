/** Pyramid Vision Transformer V2 (Wang et al. 2021), as timm's pvt_v2.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { reducedAttention } from '../../lib/onnx/blocks/attention.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { channelsFirst, channelsLast, gelu, mean, relu } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface PvtConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** Widths inside the MLPs as multiples of the tokens'. */
  expand?: readonly number[]
  /** Attention to 7 × 7 averages, whatever the size, in place of convolutions with a stride. */
  pooled?: boolean
}

const widths = [64, 128, 320, 512]

const rows: Rows<PvtConfig> = {
  pvt_v2_b0: { depths: [2, 2, 2, 2], widths: [32, 64, 160, 256] },
  pvt_v2_b1: { depths: [2, 2, 2, 2], widths },
  pvt_v2_b2: { depths: [3, 4, 6, 3], widths },
  pvt_v2_b2_li: { depths: [3, 4, 6, 3], widths, pooled: true },
  pvt_v2_b3: { depths: [3, 4, 18, 3], widths },
  pvt_v2_b4: { depths: [3, 8, 27, 3], widths },
  pvt_v2_b5: { depths: [3, 6, 40, 3], widths, expand: [4, 4, 4, 4] },
}

const heads = [1, 2, 5, 8]
const ratios = [8, 4, 2, 1]

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const pvt: ClassifierBuilder<PvtConfig> = (w, image, c) => {
  const { expand = [8, 8, 4, 4] } = c
  let x = embed(w.at('patch_embed'), image, { out: c.widths[0]!, kernel: 7, stride: 4 })
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const [out, pooled] = [c.widths[i]!, c.pooled ? 7 : undefined]
    if (i > 0) {
      const grid = channelsFirst(x)
      x = embed(stage.at('downsample'), grid, { out, kernel: 3, stride: 2 })
    }
    const block = { heads: heads[i]!, ratio: ratios[i]!, pooled }
    for (const scope of stage.each('blocks', c.depths[i]!))
      x = preNormBlock(scope, x, {
        attention: (layers, y) => reducedAttention(layers, y, block),
        mlp: (layers, y) => convolutionMlp(layers, y, { hidden: expand[i]! * out, pooled }),
      })
    x = layerNorm(stage.at('norm'), x)
  }
  return linearHead(w.at('head'), mean(x, [1, 2]), c.classes)
}

/** Overlapping patches of [n, c, h, w], normalized, as a grid [n, h / stride, w / stride, out]. */
const embed: Block<{ out: number; kernel: number; stride: number }> = (w, x, layer) => {
  const padding = Math.floor(layer.kernel / 2)
  const patches = conv(w.at('proj'), x, { ...layer, padding, bias: true })
  return layerNorm(w.at('norm'), channelsLast(patches), 1e-5)
}

/** An MLP over a grid [n, h, w, width] with a depthwise convolution before its activation. */
const convolutionMlp: Block<{ hidden: number; pooled: number | undefined }> = (
  w,
  x,
  { hidden, pooled },
) => {
  const inner = channelsFirst(linear(w.at('fc1'), x, hidden))
  const seen = pooled === undefined ? inner : relu(inner)
  const local = depthwiseConv(w.at('dwconv'), seen, { kernel: 3, bias: true })
  const grid = gelu(channelsLast(local))
  return linear(w.at('fc2'), grid, sizeAt(x, 3))
}

export const pvts = classifiers({ family: 'pvt', rows, build: pvt })

/** EfficientViT with cascaded group attention (Liu et al. 2023), as timm's efficientvit_msra.py computes it. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { attendPlaces } from '../../lib/onnx/blocks/attention.ts'
import {
  addDepthwise,
  addPointwise,
  convNorm,
  depthwiseConvNorm,
  halvingStem,
  mergeByBottleneck,
  normLinear,
} from '../../lib/onnx/blocks/convNorm.ts'
import { toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { distanceBias, inWindows } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  concat,
  flatten,
  globalAvgPool,
  pick,
  relu,
  split,
} from '../../lib/onnx/ops.ts'
import { channelsOf, needMultiple, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface EfficientVitConfig {
  depths: readonly [number, number, number]
  widths: readonly [number, number, number]
  heads: readonly [number, number, number]
  /** Sides of the kernels on the queries, for each head. */
  kernels: readonly number[]
}

const even = [5, 5, 5, 5]
const falling = [7, 5, 3, 3]
const depths = [1, 2, 3] as const

const rows: Rows<EfficientVitConfig> = {
  efficientvit_m0: { depths, widths: [64, 128, 192], heads: [4, 4, 4], kernels: even },
  efficientvit_m1: { depths, widths: [128, 144, 192], heads: [2, 3, 3], kernels: falling },
  efficientvit_m2: { depths, widths: [128, 192, 224], heads: [4, 3, 2], kernels: falling },
  efficientvit_m3: { depths, widths: [128, 240, 320], heads: [4, 3, 4], kernels: even },
  efficientvit_m4: { depths, widths: [128, 256, 384], heads: [4, 4, 4], kernels: falling },
  efficientvit_m5: {
    depths: [1, 3, 4],
    widths: [192, 288, 384],
    heads: [3, 3, 4],
    kernels: falling,
  },
}

/** Channels of a head's keys. */
const key = 16
/** Side of a window in tokens. */
const window = 7

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const efficientVit: ClassifierBuilder<EfficientVitConfig> = (w, image, c) => {
  needMultiple(image, 16)
  let x = halvingStem(
    [1, 2, 3, 4].map(i => w.at(`patch_embed.conv${i}`)),
    image,
    { out: c.widths[0], activation: relu },
  )
  const local = (depthwise: ParameterScope, pointwise: ParameterScope, y: Tensor): Tensor =>
    addPointwise(pointwise.at('m'), addDepthwise(depthwise.at('m'), y))
  for (const [i, stage] of w.each('stages', 3).entries()) {
    const down = stage.at('downsample')
    if (i > 0) {
      x = local(down.at('res1.0'), down.at('res1.1'), x)
      x = mergeByBottleneck(down.at('patchmerge'), x, { out: c.widths[i]! })
      x = local(down.at('res2.0'), down.at('res2.1'), x)
    }
    for (const block of stage.each('blocks', c.depths[i]!)) {
      x = local(block.at('dw0'), block.at('ffn0'), x)
      x = add(x, windowedAttention(block.at('mixer.m.attn'), x, { ...c, heads: c.heads[i]! }))
      x = local(block.at('dw1'), block.at('ffn1'), x)
    }
  }
  const pooled = globalAvgPool(x)
  const logits = normLinear(w.at('head'), pooled, { out: c.classes })
  return { features: flatten(pooled), logits }
}

interface AttentionSettings {
  heads: number
  kernels: readonly number[]
}

/** Attention in windows of 7 × 7 places where the image is larger: x [n, c, h, w] to its shape. */
const windowedAttention: Block<AttentionSettings> = (w, x, c) => {
  if (sizeAt(x, 2) <= window) return cascadedAttention(w, x, c)
  const attended = inWindows(channelsLast(x), window, windows =>
    toTokens(cascadedAttention(w, toImage(windows, [window, window]), c)),
  )
  return channelsFirst(attended)
}

/** Each head attends over its share of the channels, to which the previous head's result is added. */
const cascadedAttention: Block<AttentionSettings> = (w, x, c) => {
  const width = channelsOf(x)
  const share = width / c.heads
  const biases = distanceBias(w, { heads: c.heads, side: sizeAt(x, 2) })
  const results: Tensor[] = []
  for (const [i, part] of split(x, Array<number>(c.heads).fill(share), 1).entries()) {
    const input = i === 0 ? part : add(results[i - 1]!, part)
    const joint = convNorm(w.at(`qkvs.${i}`), input, { out: 2 * key + share })
    const [q, k, v] = split(joint, [key, key, share], 1)
    const kernel = c.kernels[i]!
    const query = depthwiseConvNorm(w.at(`dws.${i}`), q!, { kernel })
    results.push(attendPlaces([query, k!, v!], { heads: 1, mask: pick(biases, 0, i) }))
  }
  return convNorm(w.at('proj.1'), relu(concat(results, 1)), { out: width })
}

export const efficientVits = classifiers({ family: 'efficientvit_msra', rows, build: efficientVit })

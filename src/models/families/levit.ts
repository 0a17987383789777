/** LeViT, convolutions before attention with biases by distance (Graham et al. 2021), as timm's levit.py computes it. */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { attendHeads, joinImageHeads, splitImageHeads } from '../../lib/onnx/blocks/attention.ts'
import { halvingStem, normLinear } from '../../lib/onnx/blocks/convNorm.ts'
import { channelLinear, conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { distanceBias } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  average,
  avgPool,
  flatten,
  globalAvgPool,
  hardSwish,
  split,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface LevitConfig {
  depths: readonly [number, number, number]
  widths: readonly [number, number, number]
  heads: readonly [number, number, number]
  /** Channels of a head's keys. */
  key: number
  /** Whether the weights of linear layers are stored as 1 × 1 convolutions. */
  convolutional?: boolean
}

const sizes: Rows<LevitConfig> = {
  '128s': { depths: [2, 3, 4], widths: [128, 256, 384], heads: [4, 6, 8], key: 16 },
  '128': { depths: [4, 4, 4], widths: [128, 256, 384], heads: [4, 8, 12], key: 16 },
  '192': { depths: [4, 4, 4], widths: [192, 288, 384], heads: [3, 5, 6], key: 32 },
  '256': { depths: [4, 4, 4], widths: [256, 384, 512], heads: [4, 6, 8], key: 32 },
  '384': { depths: [4, 4, 4], widths: [384, 512, 768], heads: [6, 9, 12], key: 32 },
}

const rows: Rows<LevitConfig> = Object.fromEntries(
  Object.entries(sizes).flatMap(([size, config]) => [
    [`levit_${size}`, config],
    [`levit_conv_${size}`, { ...config, convolutional: true }],
  ]),
)

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const levit: ClassifierBuilder<LevitConfig> = (w, image, c) => {
  let x = halvingStem(
    [1, 2, 3, 4].map(i => w.at(`stem.conv${i}`)),
    image,
    { out: c.widths[0], activation: hardSwish, names: ['linear', 'bn'] },
  )
  const residual: Layer = (scope, y) => add(y, levitMlp(scope, y, c))
  for (const [i, stage] of w.each('stages', 3).entries()) {
    const out = c.widths[i]!
    if (i > 0) {
      const heads = c.widths[i - 1]! / c.key
      const down = stage.at('downsample')
      x = attention(down.at('attn_downsample'), x, {
        ...c,
        heads,
        values: 4 * c.key,
        out,
        stride: 2,
      })
      x = residual(down.at('mlp'), x)
    }
    const own = { ...c, heads: c.heads[i]!, values: 2 * c.key, out, stride: 1 }
    for (const block of stage.each('blocks', c.depths[i]!))
      x = residual(block.at('mlp'), add(x, attention(block.at('attn'), x, own)))
  }
  const pooled = globalAvgPool(x)
  const logits = ['head', 'head_dist'].map(name =>
    normLinear(w.at(name), pooled, { out: c.classes }),
  )
  return { features: flatten(pooled), logits: average(logits) }
}

interface LayerForm {
  convolutional?: boolean | undefined
}

/** A linear layer over the channels of [n, c, h, w] with norm. */
const layer: Block<LayerForm & { out: number }> = (w, x, { out, convolutional }) =>
  batchNorm(
    w.at('bn'),
    convolutional
      ? conv(w.at('linear'), x, { out })
      : channelLinear(w.at('linear'), x, { out, bias: false }),
  )

const levitMlp: Block<LayerForm> = (w, x, { convolutional }) => {
  const out = channelsOf(x)
  const hidden = hardSwish(layer(w.at('ln1'), x, { out: 2 * out, convolutional }))
  return layer(w.at('ln2'), hidden, { out, convolutional })
}

interface AttentionSettings extends LayerForm {
  heads: number
  /** Channels of a head's keys. */
  key: number
  /** Channels of a head's values. */
  values: number
  out: number
  /** 1, or 2 where only every second row and column has queries. */
  stride: number
}

/** Attention over the places of x [n, c, h, w] with biases by distance: [n, out, h / stride, w / stride]. */
const attention: Block<AttentionSettings> = (w, x, c) => {
  const { heads, key, values, stride, convolutional } = c
  const size = x.shape.slice(2).map(length => fixedSize(length, 'levit'))
  const mask = distanceBias(w, { heads, side: size[0]!, stride })
  let qkv: readonly Tensor[]
  if (stride === 1) {
    const joint = layer(w.at('qkv'), x, { out: heads * (2 * key + values), convolutional })
    qkv = split(splitImageHeads(joint, heads), [key, key, values], 3)
  } else {
    const joint = layer(w.at('kv'), x, { out: heads * (key + values), convolutional })
    const asking = avgPool(x, 1, { stride })
    const q = layer(w.at('q.ln'), asking, { out: heads * key, convolutional })
    qkv = [splitImageHeads(q, heads), ...split(splitImageHeads(joint, heads), [key, values], 3)]
  }
  const attended = attendHeads([qkv[0]!, qkv[1]!, qkv[2]!], mask)
  const image = joinImageHeads(
    attended,
    size.map(length => Math.ceil(length / stride)),
  )
  return layer(w.at('proj.ln'), hardSwish(image), { out: c.out, convolutional })
}

export const levits = classifiers({ family: 'levit', rows, build: levit })

/** TinyViT (Wu et al. 2022), as timm's tiny_vit.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { attendHeads, joinHeads, splitHeads, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { convNorm, depthwiseConvNorm, halvingStem } from '../../lib/onnx/blocks/convNorm.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { distanceBias, inWindows } from '../../lib/onnx/blocks/windows.ts'
import { add, channelsFirst, channelsLast, gelu, mean } from '../../lib/onnx/ops.ts'
import { channelsOf, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface TinyVitConfig {
  widths: readonly [number, number, number, number]
  /** Channels of a head, everywhere. */
  head: number
  /** Tokens a side of the windows of the second, third and fourth stage. */
  windows: readonly [number, number, number]
}

const depths = [2, 2, 6, 2]
const coarse = [7, 14, 7] as const
const large = { widths: [96, 192, 384, 576], head: 32 } as const

const rows: Rows<TinyVitConfig> = {
  tiny_vit_5m_224: { widths: [64, 128, 160, 320], head: 32, windows: coarse },
  tiny_vit_11m_224: { widths: [64, 128, 256, 448], head: 32, windows: coarse },
  tiny_vit_21m_224: { ...large, windows: coarse },
  tiny_vit_21m_384: { ...large, windows: [12, 24, 12] },
  tiny_vit_21m_512: { ...large, windows: [16, 32, 16] },
}

const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const tinyVit: ClassifierBuilder<TinyVitConfig> = (w, image, c) => {
  let x = halvingStem([w.at('patch_embed.conv1'), w.at('patch_embed.conv2')], image, {
    out: c.widths[0],
    activation: gelu,
  })
  for (const [i, stage] of w.each('stages', 4).entries()) {
    if (i > 0) x = bottleneck(stage.at('downsample'), x, { inner: c.widths[i]!, stride: 2 })
    const inner = 4 * c.widths[0]
    for (const block of stage.each('blocks', depths[i]!))
      x =
        i === 0
          ? gelu(add(x, bottleneck(block, x, { inner, stride: 1 })))
          : windowBlock(block, x, { side: c.windows[i - 1]!, head: c.head })
  }
  const features = layerNorm(w.at('head.norm'), mean(x, [2, 3]), epsilon)
  return linearHead(w.at('head.fc'), features, c.classes)
}

/** A 1 × 1, a depthwise 3 × 3 and a 1 × 1 convolution; halving an image also sets its channels to `inner`. */
const bottleneck: Block<{ inner: number; stride: 1 | 2 }> = (w, x, { inner, stride }) => {
  const out = stride === 2 ? inner : channelsOf(x)
  const wide = gelu(convNorm(w.at('conv1'), x, { out: inner }))
  const local = depthwiseConvNorm(w.at('conv2'), wide, { kernel: 3, stride })
  return convNorm(w.at('conv3'), gelu(local), { out })
}

/** Attention in windows, a depthwise convolution and an MLP: x [n, c, h, w] to its shape. */
const windowBlock: Block<{ side: number; head: number }> = (w, x, { side, head }) => {
  const width = channelsOf(x)
  const attended = inWindows(channelsLast(x), side, windows =>
    windowAttention(w.at('attn'), windows, { side, head }),
  )
  const y = add(x, channelsFirst(attended))
  const local = depthwiseConvNorm(w.at('local_conv'), y, { kernel: 3 })
  const rows = channelsLast(local)
  const normal = layerNorm(w.at('mlp.norm'), rows, epsilon)
  return channelsFirst(add(rows, mlp(w.at('mlp'), normal, { hidden: 4 * width })))
}

/** Attention of windows [count, side², width] with biases by distance; queries, keys and values lie head by head. */
const windowAttention: Block<{ side: number; head: number }> = (w, x, { side, head }) => {
  const width = sizeAt(x, 2)
  const heads = width / head
  const joint = linear(w.at('qkv'), layerNorm(w.at('norm'), x, epsilon), 3 * width)
  const qkv = splitQkv(splitHeads(joint, heads))
  const attended = attendHeads(qkv, distanceBias(w, { heads, side }))
  return linear(w.at('proj'), joinHeads(attended), width)
}

export const tinyVits = classifiers({ family: 'tiny_vit', rows, build: tinyVit })

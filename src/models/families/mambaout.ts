/** MambaOut, gated convolutions without state space models (Yu and Wang 2024), as timm's mambaout.py computes it. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm, layerScale } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  concat,
  gelu,
  mean,
  mul,
  silu,
  split,
} from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface MambaOutConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** Width inside a block over the block's. */
  expand?: number
  /** Share of the block's width that is convolved. */
  convolved?: number
  activation?: (x: Tensor) => Tensor
  /** timm's own variant: norms before downsampling, factors per channel, one norm in the stem and one in the head. */
  revised?: boolean
}

const femto = [48, 96, 192, 288]
const tiny = [96, 192, 384, 576]
const base = [128, 256, 512, 768]
const revised = { widths: base, revised: true }
const wide = { ...revised, expand: 3, convolved: 1.5, activation: silu }

const rows: Rows<MambaOutConfig> = {
  mambaout_femto: { depths: [3, 3, 9, 3], widths: femto },
  mambaout_kobe: { depths: [3, 3, 15, 3], widths: femto },
  mambaout_tiny: { depths: [3, 3, 9, 3], widths: tiny },
  mambaout_small: { depths: [3, 4, 27, 3], widths: tiny },
  mambaout_base: { depths: [3, 4, 27, 3], widths: base },
  mambaout_small_rw: { depths: [3, 4, 27, 3], widths: tiny, revised: true },
  mambaout_base_short_rw: { ...revised, depths: [3, 3, 25, 3], expand: 3, convolved: 1.25 },
  mambaout_base_tall_rw: { ...revised, depths: [3, 4, 30, 3], expand: 2.5, convolved: 1.25 },
  mambaout_base_wide_rw: { ...wide, depths: [3, 4, 27, 3] },
  mambaout_base_plus_rw: { ...wide, depths: [3, 4, 30, 3] },
}

const halving = { kernel: 3, stride: 2, padding: 1, bias: true }

/** image [n, 3, h, w] -> features [n, hidden width of the head], logits [n, classes] */
const mambaOut: ClassifierBuilder<MambaOutConfig> = (w, image, c) => {
  let x = stem(w.at('stem'), image, c)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const down = stage.at('downsample')
    if (i > 0) {
      const input = c.revised ? layerNorm(down.at('norm'), x) : x
      const halved = channelsLast(
        conv(down.at('conv'), channelsFirst(input), { out: c.widths[i]!, ...halving }),
      )
      x = c.revised ? halved : layerNorm(down.at('norm'), halved)
    }
    x = stage.each('blocks', c.depths[i]!).reduce((y, block) => gatedBlock(block, y, c), x)
  }
  const head = w.at('head')
  const pooled = layerNorm(head.at('norm'), mean(x, [1, 2]))
  const hidden = gelu(linear(head.at('pre_logits.fc'), pooled, 4 * c.widths.at(-1)!))
  const features = c.revised ? hidden : layerNorm(head.at('pre_logits.norm'), hidden)
  return linearHead(head.at('fc'), features, c.classes)
}

/** image [n, 3, h, w] to [n, h / 4, w / 4, width] */
const stem: Block<MambaOutConfig> = (w, image, c) => {
  const { activation = gelu } = c
  const width = c.widths[0]!
  const first = conv(w.at('conv1'), image, { out: width / 2, ...halving })
  const normal = c.revised ? first : channelsFirst(layerNorm(w.at('norm1'), channelsLast(first)))
  const second = conv(w.at('conv2'), activation(normal), { out: width, ...halving })
  return layerNorm(w.at('norm2'), channelsLast(second))
}

/** Gates times values, of which the last channels are convolved, added to x [n, h, w, width]. */
const gatedBlock: Block<MambaOutConfig> = (w, x, c) => {
  const { expand = 8 / 3, convolved = 1, activation = gelu } = c
  const width = sizeAt(x, 3)
  const hidden = Math.floor(expand * width)
  const local = Math.floor(convolved * width)
  const inner = linear(w.at('fc1'), layerNorm(w.at('norm'), x), 2 * hidden)
  const [gates, kept, last] = split(inner, [hidden, hidden - local, local], -1)
  const mixed = depthwiseConv(w.at('conv'), channelsFirst(last!), { kernel: 7, bias: true })
  const gated = mul(activation(gates!), concat([kept!, channelsLast(mixed)], -1))
  const y = linear(w.at('fc2'), gated, width)
  return add(x, c.revised ? layerScale(w.at('ls'), y) : y)
}

export const mambaOuts = classifiers({ family: 'mambaout', rows, build: mambaOut })

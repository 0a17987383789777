/** ReXNet (Han et al. 2020), as timm's rexnet.py computes it: channels grow in every block. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import {
  convNorm,
  depthwiseConvNorm,
  divisibleWidth,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { add, clip, concat, silu, slice } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'
import { roundHalfEven } from './rounding.ts'

interface RexNetConfig {
  /** The factor on all widths. */
  factor: number
  /** Divisor of all widths, 1 by default. */
  divisor?: number
}

const rows: Rows<RexNetConfig> = {
  rexnet_100: { factor: 1 },
  rexnet_130: { factor: 1.3 },
  rexnet_150: { factor: 1.5 },
  rexnet_200: { factor: 2 },
  rexnet_300: { factor: 3 },
  rexnetr_200: { factor: 2, divisor: 8 },
  rexnetr_300: { factor: 3, divisor: 16 },
}

const divisible = (width: number, { divisor = 1 }: { divisor?: number | undefined }): number =>
  divisibleWidth(width, { divisor, limit: 0.9 })

interface RexNetBlock {
  divisor: number | undefined
  out: number
  stride: number
  expand: number
  squeeze: boolean
}

const stages = [
  { depth: 1, stride: 1 },
  { depth: 2, stride: 2 },
  { depth: 2, stride: 2 },
  { depth: 3, stride: 2 },
  { depth: 3, stride: 1 },
  { depth: 5, stride: 2 },
]

/** Returns all blocks; widths rise by equal steps from 16 to 16 + 180 (15/16), times the factor. */
function blocksOf(c: RexNetConfig): RexNetBlock[] {
  const places = stages.flatMap(({ depth, stride }, stage) =>
    Array.from({ length: depth }, (_, i) => ({ stage, stride: i === 0 ? stride : 1 })),
  )
  return places.map(({ stage, stride }, i) => ({
    out: divisible(roundHalfEven((16 + (i * 180) / places.length) * c.factor), c),
    stride,
    divisor: c.divisor,
    expand: stage === 0 ? 1 : 6,
    squeeze: stage > 1,
  }))
}

/** image [n, 3, h, w] -> features [n, 1280 · factor], logits [n, classes] */
const rexnet: ClassifierBuilder<RexNetConfig> = (w, image, c) => {
  const stem = divisible(roundHalfEven(32 * c.factor), c)
  let x = silu(convNorm(w.at('stem'), image, { out: stem, kernel: 3, stride: 2 }))
  const blocks = blocksOf(c)
  for (const [i, block] of blocks.entries()) x = linearBottleneck(w.at(`features.${i}`), x, block)
  const head = divisible(1280 * c.factor, c)
  x = silu(convNorm(w.at(`features.${blocks.length}`), x, { out: head }))
  return pooledHead(w.at('head.fc'), x, c.classes)
}

const linearBottleneck: Block<RexNetBlock> = (w, x, { out, stride, expand, squeeze, divisor }) => {
  const width = channelsOf(x)
  const inner = divisible(width * expand, { divisor })
  let y = expand === 1 ? x : silu(convNorm(w.at('conv_exp'), x, { out: inner }))
  y = depthwiseConvNorm(w.at('conv_dw'), y, { kernel: 3, stride })
  const gate = divisible(Math.floor(inner / 12), { divisor })
  if (squeeze) y = squeezeExcite(w.at('se'), y, { inner: gate, norm: true })
  y = convNorm(w.at('conv_pwl'), clip(y, 0, 6), { out })
  return stride === 1 && width <= out ? addToFirst(y, x) : y
}

/** Adds x to as many of y's channels as x has. */
function addToFirst(y: Tensor, x: Tensor): Tensor {
  const width = channelsOf(x)
  if (y.shape[1] === width) return add(y, x)
  const rest = slice(y, 1, [width, channelsOf(y)])
  return concat([add(slice(y, 1, [0, width]), x), rest], 1)
}

export const rexnets = classifiers({ family: 'rexnet', rows, build: rexnet })

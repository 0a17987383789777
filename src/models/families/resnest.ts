/** ResNeSt (Zhang et al. 2020), as timm's resnest.py computes it: a softmax weighs several convolutions of one input. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm, divisibleWidth } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  avgPoolWithPadding,
  globalAvgPool,
  mul,
  relu,
  reshape,
  sigmoid,
  softmax,
  split,
  transpose,
} from '../../lib/onnx/ops.ts'
import { type Rows, classifiers } from './family.ts'
import { resnet, type ResidualBlockSettings, type ResNetConfig, shortcut } from './resnet.ts'

interface ResNeStSettings {
  /** Convolutions that the attention weighs. */
  radix: number
  /** Whether a block averages before its convolutions, not after them, where it subsamples. */
  averagesFirst?: boolean
}

const resnest = (
  depths: readonly number[],
  { stem = 32, ...settings }: Partial<ResNeStSettings> & { stem?: number } = {},
): ResNetConfig => ({
  block: (w, x, c) => splitAttentionBlock(w, x, { ...c, radix: 2, ...settings }),
  depths,
  stem: [stem, stem, 2 * stem],
  averageDown: true,
})

const rows: Rows<ResNetConfig> = {
  resnest14d: resnest([1, 1, 1, 1]),
  resnest26d: resnest([2, 2, 2, 2]),
  resnest50d: resnest([3, 4, 6, 3]),
  resnest50d_1s4x24d: {
    ...resnest([3, 4, 6, 3], { radix: 1, averagesFirst: true }),
    groups: 4,
    groupWidth: 24,
  },
  resnest50d_4s2x40d: {
    ...resnest([3, 4, 6, 3], { radix: 4, averagesFirst: true }),
    groups: 2,
    groupWidth: 40,
  },
  resnest101e: resnest([3, 4, 23, 3], { stem: 64 }),
  resnest200e: resnest([3, 24, 36, 3], { stem: 64 }),
  resnest269e: resnest([3, 30, 48, 8], { stem: 64 }),
}

const splitAttentionBlock: Block<ResidualBlockSettings & ResNeStSettings> = (w, x, c) => {
  const { stride, groups = 1, groupWidth = 64, radix } = c
  const inner = Math.floor((c.width * groupWidth) / 64) * groups
  const out = 4 * c.width
  const average = (y: Tensor): Tensor =>
    stride === 1 ? y : avgPoolWithPadding(y, 3, { stride, padding: 1 })
  let y = relu(convNorm(w, x, { out: inner, names: ['conv1', 'bn1'] }))
  if (c.averagesFirst) y = average(y)
  y = splitAttention(w.at('conv2'), y, { width: inner, groups, radix })
  if (!c.averagesFirst) y = average(y)
  y = convNorm(w, y, { out, names: ['conv3', 'bn3'] })
  return relu(add(y, shortcut(w.at('downsample'), x, { ...c, out })))
}

/** `radix` 3 × 3 convolutions of x to `width` channels, added with weights for each channel from their common means. */
const splitAttention: Block<{ width: number; groups: number; radix: number }> = (
  w,
  x,
  { width, groups, radix },
) => {
  const window = { out: width * radix, kernel: 3, groups: groups * radix }
  const y = relu(convNorm(w, x, { ...window, names: ['conv', 'bn0'] }))
  const parts = split(y, Array<number>(radix).fill(width), 1)
  const means = globalAvgPool(parts.reduce((sum, part) => add(sum, part)))
  const inner = Math.max(32, divisibleWidth((width * radix) / 4, { limit: 0.9 }))
  const reduced = conv(w.at('fc1'), means, { out: inner, groups, bias: true })
  const hidden = relu(batchNorm(w.at('bn1'), reduced))
  const scores = conv(w.at('fc2'), hidden, { out: width * radix, groups, bias: true })
  if (radix === 1) return mul(y, sigmoid(scores))
  const n = x.shape[0]!
  const grouped = reshape(scores, [n, groups, radix, width / groups])
  const weights = reshape(softmax(transpose(grouped, [0, 2, 1, 3]), 1), [n, radix * width, 1, 1])
  const shares = split(weights, Array<number>(radix).fill(width), 1)
  return parts.map((part, i) => mul(part, shares[i]!)).reduce((sum, part) => add(sum, part))
}

export const resNeSts = classifiers({ family: 'resnest', rows, build: resnet })

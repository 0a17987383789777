/** Selective-kernel ResNet (Li et al. 2019), as timm's sknet.py computes it. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm, divisibleWidth } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, globalAvgPool, halves, mul, relu, reshape, softmax } from '../../lib/onnx/ops.ts'
import { type Rows, classifiers } from './family.ts'
import { resnet, type ResidualBlockSettings, type ResNetConfig, shortcut } from './resnet.ts'

interface SelectionSettings {
  /** Channels of a path over the attention's. */
  reduction: number
  /** The attention's channels are rounded to a multiple of this. */
  divisor: number
  /** Whether each path sees its half of the channels, not all of them. */
  splits: boolean
}

const byHalves = { reduction: 8, divisor: 16, splits: true }

const basic =
  (selection: SelectionSettings) =>
  (w: ParameterScope, x: Tensor, c: ResidualBlockSettings): Tensor => {
    const out = c.width
    const y = selectiveKernels(w.at('conv1'), x, { ...selection, out, stride: c.stride })
    return closed(w, convNorm(w.at('conv2'), y, { out, kernel: 3 }), { ...c, out, x })
  }

const bottleneck =
  (selection: SelectionSettings) =>
  (w: ParameterScope, x: Tensor, c: ResidualBlockSettings): Tensor => {
    const { groups = 1, groupWidth = 64, stride } = c
    const inner = Math.floor((c.width * groupWidth) / 64) * groups
    const y = relu(convNorm(w.at('conv1'), x, { out: inner }))
    const mixed = selectiveKernels(w.at('conv2'), y, { ...selection, out: inner, stride, groups })
    const out = 4 * c.width
    return closed(w, convNorm(w.at('conv3'), mixed, { out }), { ...c, out, x })
  }

const rows: Rows<ResNetConfig> = {
  skresnet18: { block: basic(byHalves), depths: [2, 2, 2, 2] },
  skresnet34: { block: basic(byHalves), depths: [3, 4, 6, 3] },
  skresnext50_32x4d: {
    block: bottleneck({ reduction: 16, divisor: 32, splits: false }),
    depths: [3, 4, 6, 3],
    groups: 32,
    groupWidth: 4,
  },
}

const closed: Block<ResidualBlockSettings & { out: number; x: Tensor }> = (w, y, { x, ...c }) =>
  relu(add(y, shortcut(w.at('downsample'), x, c)))

interface SelectiveKernels extends SelectionSettings {
  out: number
  stride: number
  groups?: number
}

/** A 3 × 3 convolution and one twice as far apart, added with weights that a softmax over both gives each channel. */
const selectiveKernels: Block<SelectiveKernels> = (w, x, c) => {
  const { out, stride, groups = 1 } = c
  const inputs = c.splits ? halves(x, 1) : [x, x]
  const paths = inputs.map((part, i) =>
    relu(convNorm(w.at(`paths.${i}`), part, { out, kernel: 3, stride, groups, dilation: i + 1 })),
  )
  const attention = w.at('attn')
  const means = globalAvgPool(paths.reduce((sum, path) => add(sum, path)))
  const inner = divisibleWidth(out / c.reduction, { divisor: c.divisor, limit: 0.9 })
  const reduced = conv(attention.at('fc_reduce'), means, { out: inner })
  const scores = conv(attention.at('fc_select'), relu(batchNorm(attention.at('bn'), reduced)), {
    out: 2 * out,
  })
  const weights = softmax(reshape(scores, [x.shape[0]!, 2, out, 1, 1]), 1)
  const [first, second] = halves(reshape(weights, [x.shape[0]!, 2 * out, 1, 1]), 1)
  return add(mul(paths[0]!, first), mul(paths[1]!, second))
}

export const skNets = classifiers({ family: 'sknet', rows, build: resnet })

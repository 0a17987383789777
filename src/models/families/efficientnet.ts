/**
 * EfficientNet (Tan and Le 2019) and its relatives: EfficientNet-Lite, MobileNetV3 (Howard et al. 2019), LCNet (Cui et
 * al. 2021), TinyNet (Han et al. 2020), as timm's efficientnet.py and mobilenetv3.py compute them.
 */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  clip,
  flatten,
  globalAvgPool,
  hardSigmoid,
  hardSwish,
  mul,
  relu,
  sigmoid,
  silu,
} from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

/** A line of a stage: `separable` has no expansion, `inverted` expands first, `plain` is a single convolution. */
interface EfficientNetStage {
  type: 'separable' | 'inverted' | 'plain'
  out: number
  kernel: number
  stride: 1 | 2
  expand?: number
  repeat?: number
  se?: boolean
  relu?: boolean
}

interface EfficientNetConfig {
  stages: readonly (readonly EfficientNetStage[])[]
  width: number
  depth: number
  stem: number
  head: number
  activation: (x: Tensor) => Tensor
  /** Channels of squeeze-and-excitation are a quarter of the block's input, or of its expanded width. */
  squeeze: {
    of: 'input' | 'expanded'
    activation: (x: Tensor) => Tensor
    gate: (x: Tensor) => Tensor
  }
  /** Pool before the last convolution, which then has a bias and no normalization. */
  poolFirst: boolean
  /** TensorFlow's padding and epsilon. */
  tensorflow?: boolean
  /** LCNet's separable blocks: activation after both convolutions, no shortcut. */
  straight?: boolean
  /** The stem keeps its width whatever the multiplier. */
  fixedStem?: boolean
}

const relu6 = (x: Tensor): Tensor => clip(x, 0, 6)

const efficientNetStages = (se: boolean): EfficientNetStage[][] => [
  [{ type: 'separable', out: 16, kernel: 3, stride: 1, se }],
  [{ type: 'inverted', out: 24, kernel: 3, stride: 2, expand: 6, repeat: 2, se }],
  [{ type: 'inverted', out: 40, kernel: 5, stride: 2, expand: 6, repeat: 2, se }],
  [{ type: 'inverted', out: 80, kernel: 3, stride: 2, expand: 6, repeat: 3, se }],
  [{ type: 'inverted', out: 112, kernel: 5, stride: 1, expand: 6, repeat: 3, se }],
  [{ type: 'inverted', out: 192, kernel: 5, stride: 2, expand: 6, repeat: 4, se }],
  [{ type: 'inverted', out: 320, kernel: 3, stride: 1, expand: 6, se }],
]

const mobileNetV3Small: EfficientNetStage[][] = [
  [{ type: 'separable', out: 16, kernel: 3, stride: 2, se: true, relu: true }],
  [
    { type: 'inverted', out: 24, kernel: 3, stride: 2, expand: 4.5, relu: true },
    { type: 'inverted', out: 24, kernel: 3, stride: 1, expand: 3.67, relu: true },
  ],
  [
    { type: 'inverted', out: 40, kernel: 5, stride: 2, expand: 4, se: true },
    { type: 'inverted', out: 40, kernel: 5, stride: 1, expand: 6, repeat: 2, se: true },
  ],
  [{ type: 'inverted', out: 48, kernel: 5, stride: 1, expand: 3, repeat: 2, se: true }],
  [{ type: 'inverted', out: 96, kernel: 5, stride: 2, expand: 6, repeat: 3, se: true }],
  [{ type: 'plain', out: 576, kernel: 1, stride: 1 }],
]

const lcNet: EfficientNetStage[][] = [
  [{ type: 'separable', out: 32, kernel: 3, stride: 1 }],
  [{ type: 'separable', out: 64, kernel: 3, stride: 2, repeat: 2 }],
  [{ type: 'separable', out: 128, kernel: 3, stride: 2, repeat: 2 }],
  [
    { type: 'separable', out: 256, kernel: 3, stride: 2 },
    { type: 'separable', out: 256, kernel: 5, stride: 1 },
  ],
  [{ type: 'separable', out: 256, kernel: 5, stride: 1, repeat: 4 }],
  [{ type: 'separable', out: 512, kernel: 5, stride: 2, repeat: 2, se: true }],
]

const squeezeInput = { of: 'input', activation: silu, gate: sigmoid } as const
const squeezeExpanded = { of: 'expanded', activation: relu, gate: hardSigmoid } as const

const base = {
  stem: 32,
  head: 1280,
  activation: silu,
  squeeze: squeezeInput,
  poolFirst: false,
  fixedStem: true,
}
const mobile = {
  depth: 1,
  stem: 16,
  activation: hardSwish,
  squeeze: squeezeExpanded,
  poolFirst: true,
}
const liteStages = efficientNetStages(false)
const tinyStages = efficientNetStages(true)

const tiny = (width: number, depth: number): EfficientNetConfig => ({
  ...base,
  stages: tinyStages,
  width,
  depth,
})
const mobileSmall = (width: number): EfficientNetConfig => ({
  ...mobile,
  stages: mobileNetV3Small,
  width,
  head: 1024,
  fixedStem: width < 0.75,
})
const lc = (width: number): EfficientNetConfig => ({
  ...mobile,
  stages: lcNet,
  width,
  head: 1280,
  straight: true,
})

const rows: ArchitectureRows<EfficientNetConfig> = {
  tf_efficientnet_lite0: {
    ...base,
    stages: liteStages,
    width: 1,
    depth: 1,
    activation: relu6,
    tensorflow: true,
  },
  mobilenetv3_small_050: mobileSmall(0.5),
  mobilenetv3_small_075: mobileSmall(0.75),
  mobilenetv3_small_100: mobileSmall(1),
  lcnet_050: lc(0.5),
  lcnet_075: lc(0.75),
  lcnet_100: lc(1),
  tinynet_a: tiny(1, 1.2),
  tinynet_b: tiny(0.75, 1.1),
  tinynet_c: tiny(0.54, 0.85),
  tinynet_d: tiny(0.54, 0.695),
  tinynet_e: tiny(0.51, 0.6),
}

/** image [n, 3, h, w] -> features [n, head], logits [n, classes] */
const efficientNet: ClassifierBuilder<EfficientNetConfig> = (w, image, c) => {
  const stem = c.fixedStem ? c.stem : round(c.stem * c.width)
  const window = { ...c, out: stem, kernel: 3, stride: 2, groups: 1 }
  let x = c.activation(norm(w.at('bn1'), padded(w.at('conv_stem'), image, window), c))
  for (const [i, lines] of c.stages.entries()) {
    for (const [j, block] of lines.flatMap(line => blocksOf(line, c)).entries())
      x = blocks[block.type](w.at(`blocks.${i}.${j}`), x, block)
  }
  if (c.poolFirst)
    x = c.activation(conv(w.at('conv_head'), globalAvgPool(x), { out: c.head, bias: true }))
  else
    x = globalAvgPool(
      c.activation(norm(w.at('bn2'), conv(w.at('conv_head'), x, { out: c.head }), c)),
    )
  const features = flatten(x)
  return { features, logits: linear(w.at('classifier'), features, c.classes) }
}

const blocks = { separable, inverted, plain }

/** A stage's line with the network's settings; `out` is scaled and `activation` the block's own. */
type EfficientNetBlock = EfficientNetConfig & EfficientNetStage

function separable(w: ParameterScope, x: Tensor, b: EfficientNetBlock): Tensor {
  const width = fixedSize(x.shape[1], 'separable')
  let y = b.activation(norm(w.at('bn1'), depthwise(w.at('conv_dw'), x, b), b))
  if (b.se) y = squeezeExcite(w.at('se'), y, { ...b.squeeze, blockInput: width })
  y = norm(w.at('bn2'), conv(w.at('conv_pw'), y, { out: b.out }), b)
  if (b.straight) return b.activation(y)
  return b.stride === 1 && width === b.out ? add(y, x) : y
}

function inverted(w: ParameterScope, x: Tensor, b: EfficientNetBlock): Tensor {
  const width = fixedSize(x.shape[1], 'inverted')
  const inner = round(width * b.expand!)
  let y = b.activation(norm(w.at('bn1'), conv(w.at('conv_pw'), x, { out: inner }), b))
  y = b.activation(norm(w.at('bn2'), depthwise(w.at('conv_dw'), y, b), b))
  if (b.se) y = squeezeExcite(w.at('se'), y, { ...b.squeeze, blockInput: width })
  y = norm(w.at('bn3'), conv(w.at('conv_pwl'), y, { out: b.out }), b)
  return b.stride === 1 && width === b.out ? add(y, x) : y
}

function plain(w: ParameterScope, x: Tensor, b: EfficientNetBlock): Tensor {
  return b.activation(norm(w.at('bn1'), conv(w.at('conv'), x, { out: b.out, kernel: b.kernel }), b))
}

function squeezeExcite(
  w: ParameterScope,
  x: Tensor,
  { of, activation, gate, blockInput }: EfficientNetConfig['squeeze'] & { blockInput: number },
): Tensor {
  const width = fixedSize(x.shape[1], 'squeezeExcite')
  const inner = of === 'input' ? Math.round(blockInput / 4) : round(width / 4)
  const reduced = activation(
    conv(w.at('conv_reduce'), globalAvgPool(x), { out: inner, bias: true }),
  )
  return mul(x, gate(conv(w.at('conv_expand'), reduced, { out: width, bias: true })))
}

const norm = (w: ParameterScope, x: Tensor, c: EfficientNetConfig): Tensor =>
  batchNorm(w, x, c.tensorflow ? 1e-3 : 1e-5)

interface PaddedConv extends Pick<EfficientNetConfig, 'tensorflow'> {
  out: number
  kernel: number
  stride: number
  groups: number
}

/** A convolution whose output is its input's size over the stride; TensorFlow pads an odd pixel at the end. */
function padded(w: ParameterScope, x: Tensor, c: PaddedConv): Tensor {
  const { out, kernel, stride, groups } = c
  if (!c.tensorflow) return conv(w, x, { out, kernel, stride, groups, padding: (kernel - 1) / 2 })
  const size = fixedSize(x.shape[2], 'padded')
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0)
  const before = Math.floor(total / 2)
  const after = total - before
  return conv(w, x, { out, kernel, stride, groups, padding: [before, before, after, after] })
}

function depthwise(w: ParameterScope, x: Tensor, b: EfficientNetBlock): Tensor {
  const width = fixedSize(x.shape[1], 'depthwise')
  return padded(w, x, { ...b, out: width, groups: width })
}

/** Rounds channels to a multiple of 8 that is at least nine tenths of them. */
function round(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8)
  return nearest < 0.9 * channels ? nearest + 8 : nearest
}

/** The blocks of a stage's line: the first has its stride, the others stride 1. */
function blocksOf(line: EfficientNetStage, c: EfficientNetConfig): EfficientNetBlock[] {
  const block: EfficientNetBlock = {
    ...c,
    ...line,
    out: round(line.out * c.width),
    activation: line.relu ? relu : c.activation,
  }
  const count = Math.max(1, Math.round((line.repeat ?? 1) * c.depth))
  return Array.from({ length: count }, (_, i) => (i === 0 ? block : { ...block, stride: 1 }))
}

export const efficientNets = classifiers({ family: 'efficientnet', rows, build: efficientNet })

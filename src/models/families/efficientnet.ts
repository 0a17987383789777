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
import { classifiers, type OutputTensors, type ArchitectureRows } from './family.ts'

/** One line of a stage: `separable` has no expansion, `inverted` expands first, `plain` is a single convolution. */
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

const lite = (width: number, depth: number): EfficientNetConfig => ({
  ...{ stages: efficientNetStages(false), width, depth, stem: 32, head: 1280, activation: relu6 },
  ...{ squeeze: squeezeInput, poolFirst: false, tensorflow: true, fixedStem: true },
})

const mobileSmall = (width: number): EfficientNetConfig => ({
  ...{ stages: mobileNetV3Small, width, depth: 1, stem: 16, head: 1024, activation: hardSwish },
  ...{ squeeze: squeezeExpanded, poolFirst: true, fixedStem: width < 0.75 },
})

const lc = (width: number): EfficientNetConfig => ({
  ...{
    stages: lcNet,
    width,
    depth: 1,
    stem: 16,
    head: 1280,
    activation: hardSwish,
    squeeze: squeezeExpanded,
  },
  ...{ poolFirst: true, straight: true },
})

const tiny = (width: number, depth: number): EfficientNetConfig => ({
  ...{
    stages: efficientNetStages(true),
    width,
    depth,
    stem: 32,
    head: 1280,
    activation: silu,
    squeeze: squeezeInput,
  },
  ...{ poolFirst: false, fixedStem: true },
})

const rows: ArchitectureRows<EfficientNetConfig> = {
  tf_efficientnet_lite0: lite(1, 1),
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
function efficientNet(
  w: ParameterScope,
  image: Tensor,
  c: EfficientNetConfig,
  classes: number,
): OutputTensors {
  const stem = c.fixedStem ? c.stem : round(c.stem * c.width)
  let x = c.activation(norm(w.at('bn1'), padded(w.at('conv_stem'), image, stem, 3, 2, 1, c), c))
  for (const [i, lines] of c.stages.entries()) {
    const stage = lines.flatMap(line => repeatStage(line, c.depth))
    for (const [j, line] of stage.entries())
      x = blocks[line.type](w.at(`blocks.${i}.${j}`), x, line, c)
  }
  if (c.poolFirst)
    x = c.activation(conv(w.at('conv_head'), globalAvgPool(x), c.head, 1, { bias: true }))
  else x = globalAvgPool(c.activation(norm(w.at('bn2'), conv(w.at('conv_head'), x, c.head, 1), c)))
  const features = flatten(x)
  return { features, logits: linear(w.at('classifier'), features, classes) }
}

const blocks = { separable, inverted, plain }

function separable(
  w: ParameterScope,
  x: Tensor,
  line: EfficientNetStage,
  c: EfficientNetConfig,
): Tensor {
  const activation = line.relu ? relu : c.activation
  const width = fixedSize(x.shape[1], 'separable')
  const out = round(line.out * c.width)
  let y = activation(
    norm(w.at('bn1'), padded(w.at('conv_dw'), x, width, line.kernel, line.stride, width, c), c),
  )
  if (line.se) y = squeezeExcite(w.at('se'), y, width, c)
  y = norm(w.at('bn2'), conv(w.at('conv_pw'), y, out, 1), c)
  if (c.straight) return activation(y)
  return line.stride === 1 && width === out ? add(y, x) : y
}

function inverted(
  w: ParameterScope,
  x: Tensor,
  line: EfficientNetStage,
  c: EfficientNetConfig,
): Tensor {
  const activation = line.relu ? relu : c.activation
  const width = fixedSize(x.shape[1], 'inverted')
  const inner = round(width * line.expand!)
  const out = round(line.out * c.width)
  let y = activation(norm(w.at('bn1'), conv(w.at('conv_pw'), x, inner, 1), c))
  y = activation(
    norm(w.at('bn2'), padded(w.at('conv_dw'), y, inner, line.kernel, line.stride, inner, c), c),
  )
  if (line.se) y = squeezeExcite(w.at('se'), y, width, c)
  y = norm(w.at('bn3'), conv(w.at('conv_pwl'), y, out, 1), c)
  return line.stride === 1 && width === out ? add(y, x) : y
}

function plain(
  w: ParameterScope,
  x: Tensor,
  line: EfficientNetStage,
  c: EfficientNetConfig,
): Tensor {
  return c.activation(
    norm(w.at('bn1'), conv(w.at('conv'), x, round(line.out * c.width), line.kernel), c),
  )
}

function squeezeExcite(
  w: ParameterScope,
  x: Tensor,
  blockInput: number,
  { squeeze }: EfficientNetConfig,
): Tensor {
  const width = fixedSize(x.shape[1], 'squeezeExcite')
  const inner = squeeze.of === 'input' ? Math.round(blockInput / 4) : round(width / 4)
  const reduced = squeeze.activation(
    conv(w.at('conv_reduce'), globalAvgPool(x), inner, 1, { bias: true }),
  )
  return mul(x, squeeze.gate(conv(w.at('conv_expand'), reduced, width, 1, { bias: true })))
}

const norm = (w: ParameterScope, x: Tensor, c: EfficientNetConfig): Tensor =>
  batchNorm(w, x, c.tensorflow ? 1e-3 : 1e-5)

/** A convolution whose output is its input's size over the stride; TensorFlow puts the odd pixel at the end. */
function padded(
  w: ParameterScope,
  x: Tensor,
  out: number,
  kernel: number,
  stride: number,
  groups: number,
  c: EfficientNetConfig,
): Tensor {
  if (!c.tensorflow) return conv(w, x, out, kernel, { stride, groups, padding: (kernel - 1) / 2 })
  const size = fixedSize(x.shape[2], 'padded')
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0)
  const before = Math.floor(total / 2)
  const after = total - before
  return conv(w, x, out, kernel, { stride, groups, padding: [before, before, after, after] })
}

/** Channels to a multiple of 8, never below nine tenths of the wish. */
function round(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8)
  return nearest < 0.9 * channels ? nearest + 8 : nearest
}

/** A line's blocks: the first has its stride, the others stride 1. */
function repeatStage(line: EfficientNetStage, depth: number): EfficientNetStage[] {
  const count = Math.max(1, Math.round((line.repeat ?? 1) * depth))
  return Array.from({ length: count }, (_, i) => (i === 0 ? line : { ...line, stride: 1 }))
}

export const efficientNets = classifiers('efficientnet', rows, efficientNet)

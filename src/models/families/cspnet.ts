/**
 * Networks of cross-stage partial connections (Wang et al. 2019) and Darknet (Redmon and Farhadi 2018), as timm's cspnet.py
 * computes them, and CSPNeXt, the backbone of RTMDet (Lyu et al. 2022), as its cspnext.py does.
 */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import {
  convNorm,
  depthwiseConvNorm,
  divisibleWidth,
  effectiveSqueezeExcite,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { add, avgPool, concat, halves, leakyRelu, maxPool, silu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'
import { roundHalfEven } from './rounding.ts'

interface StageConfig {
  /** Whether a stage sends half of its channels past its blocks, with a layer behind the blocks (`csp`) or without (`cs3`). */
  stage: 'csp' | 'cs3' | 'dark'
  block: 'bottleneck' | 'dark' | 'edge'
  stride: 1 | 2
  groups?: number
  /** Channels inside a block as a share of its output, and of that as a share of the stage's. */
  bottleRatio: number
  blockRatio: number
  /** Channels that are split, as a share of the stage's. */
  expand: number
  /** Whether the layer before the split has no activation. */
  linearSplit?: boolean
  /** Whether the subsampling convolution already has the stage's channels. */
  earlyGrowth?: boolean
  averageDown?: boolean
  /** Share of the channels between the two layers of squeeze-and-excitation. */
  squeeze?: number
  activation: (x: Tensor) => Tensor
}

interface CspNetConfig extends StageConfig {
  widths: readonly number[]
  depths: readonly number[]
  stem: { widths: readonly number[]; kernel: number; stride: 1 | 2; pool?: boolean }
  /** The differences of the first stage. */
  first?: Partial<StageConfig>
}

const leaky = (x: Tensor): Tensor => leakyRelu(x, 0.01)

const resnetLike = {
  stage: 'csp',
  block: 'bottleneck',
  stride: 2,
  first: { stride: 1 },
  depths: [3, 3, 5, 2],
  stem: { widths: [64], kernel: 7, stride: 2, pool: true },
  linearSplit: true,
  activation: leaky,
} as const
const darknet = {
  block: 'dark',
  stride: 2,
  widths: [64, 128, 256, 512, 1024],
  depths: [1, 2, 8, 8, 4],
  stem: { widths: [32], kernel: 3, stride: 1 },
  activation: leaky,
} as const
const half = { bottleRatio: 0.5, blockRatio: 1 }
const plainDarknet: CspNetConfig = { ...darknet, ...half, stage: 'dark', expand: 1 }

/** Widths and depths of the sizes s, m, l and x. */
const sizes = { s: [0.5, 0.5], m: [0.75, 0.67], l: [1, 1], x: [1.25, 1.33] } as const

const cs3 = (size: keyof typeof sizes, rest: Partial<CspNetConfig> = {}): CspNetConfig => {
  const [width, depth] = sizes[size]
  const scaled = (widths: readonly number[]): number[] => widths.map(c => divisibleWidth(c * width))
  return {
    stage: 'cs3',
    block: 'dark',
    stride: 2,
    bottleRatio: 1,
    blockRatio: 0.5,
    expand: 1,
    widths: scaled([128, 256, 512, 1024]),
    depths: [3, 6, 9, 3].map(d => Math.floor(d * depth)),
    stem: { widths: scaled([32, 64]), kernel: 3, stride: 2 },
    activation: silu,
    ...rest,
  }
}
/** One convolution of 6 × 6 as the stem. */
const focus = (size: keyof typeof sizes): CspNetConfig =>
  cs3(size, { stem: { widths: [divisibleWidth(64 * sizes[size][0])], kernel: 6, stride: 2 } })
const edge = { block: 'edge', bottleRatio: 1.5 } as const

const rows: Rows<CspNetConfig> = {
  cspresnet50: {
    ...resnetLike,
    widths: [128, 256, 512, 1024],
    bottleRatio: 0.5,
    blockRatio: 1,
    expand: 2,
  },
  cspresnext50: {
    ...resnetLike,
    widths: [256, 512, 1024, 2048],
    groups: 32,
    bottleRatio: 1,
    blockRatio: 0.5,
    expand: 1,
  },
  cspdarknet53: {
    ...darknet,
    stage: 'csp',
    bottleRatio: 1,
    blockRatio: 0.5,
    expand: 1,
    earlyGrowth: true,
    first: { bottleRatio: 0.5, blockRatio: 1, expand: 2 },
  },
  darknet53: plainDarknet,
  darknetaa53: { ...plainDarknet, averageDown: true },
  cs3darknet_m: cs3('m'),
  cs3darknet_l: cs3('l'),
  cs3darknet_x: cs3('x'),
  cs3darknet_focus_s: focus('s'),
  cs3darknet_focus_m: focus('m'),
  cs3darknet_focus_l: focus('l'),
  cs3sedarknet_l: cs3('l', { squeeze: 1 / 4 }),
  cs3sedarknet_x: cs3('x', { squeeze: 1 / 16 }),
  cs3edgenet_x: cs3('x', edge),
  cs3se_edgenet_x: cs3('x', { ...edge, squeeze: 1 / 4 }),
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const cspNet: ClassifierBuilder<CspNetConfig> = (w, image, c) => {
  const { kernel } = c.stem
  let x = image
  for (const [i, out] of c.stem.widths.entries()) {
    const stride = i === 0 ? c.stem.stride : 1
    const layer = { out, kernel, stride, padding: Math.floor((kernel - 1) / 2) }
    x = c.activation(convNorm(w.at(`stem.conv${i + 1}`), x, layer))
  }
  if (c.stem.pool) x = maxPool(x, 3, { stride: 2, padding: 1 })
  for (const [i, scope] of w.each('stages', c.depths.length).entries()) {
    const settings = { ...c, out: c.widths[i]!, depth: c.depths[i]! }
    x = stageOf(scope, x, i === 0 ? { ...settings, ...c.first } : settings)
  }
  return pooledHead(w.at('head.fc'), x, c.classes)
}

type StageSettings = StageConfig & { out: number; depth: number }

const stageOf: Block<StageSettings> = (w, x, c) => {
  const { activation, out } = c
  const smaller = subsampled(w.at('conv_down'), x, c)
  const width = out * c.blockRatio
  const blocks = (y: Tensor): Tensor =>
    w.each('blocks', c.depth).reduce((z, scope) => blockOf(scope, z, { ...c, width }), y)
  if (c.stage === 'dark') return blocks(smaller)
  const inner = out * c.expand
  const layer = (name: string, y: Tensor, channels: number): Tensor =>
    activation(convNorm(w.at(name), y, { out: channels }))
  const wide = convNorm(w.at('conv_exp'), smaller, { out: inner })
  const [first, second] = halves(c.linearSplit ? wide : activation(wide), 1)
  const joined =
    c.stage === 'cs3'
      ? concat([blocks(first), second], 1)
      : concat([first, layer('conv_transition_b', blocks(second), inner / 2)], 1)
  return layer('conv_transition', joined, out)
}

const subsampled: Block<StageSettings> = (w, x, c) => {
  if (c.stride === 1) return x
  const grows = c.stage === 'dark' || c.earlyGrowth
  const out = grows ? c.out : channelsOf(x)
  const groups = c.groups ?? 1
  const layer = { out, kernel: 3, stride: 2, groups }
  const y = c.averageDown
    ? convNorm(w.at(1), avgPool(x, 2, { stride: 2 }), { out, groups })
    : convNorm(w, x, layer)
  return c.activation(y)
}

const blockOf: Block<StageSettings & { width: number }> = (w, x, c) => {
  const { activation, width: out, groups = 1 } = c
  const inner = out * c.bottleRatio
  const point = { out: inner }
  const spatial = { out: inner, kernel: 3, groups }
  const layer = (name: string, y: Tensor, options: Parameters<typeof convNorm>[2]): Tensor =>
    activation(convNorm(w.at(name), y, options))
  if (c.block === 'bottleneck') {
    const y = layer('conv2', layer('conv1', x, point), spatial)
    return activation(add(convNorm(w.at('conv3'), y, { out }), x))
  }
  const isDark = c.block === 'dark'
  const y = gated(w.at('attn'), layer('conv1', x, isDark ? point : spatial), c)
  return add(layer('conv2', y, isDark ? { ...spatial, out } : { out }), x)
}

const gated: Block<StageConfig> = (w, x, c) => {
  if (c.squeeze === undefined) return x
  const inner = divisibleWidth(channelsOf(x) * c.squeeze)
  return squeezeExcite(w, x, { inner, activation: c.activation })
}

interface CspNextConfig {
  /** Factors of the blocks and channels of size l. */
  depth: number
  width: number
}

const nextRows: Rows<CspNextConfig> = {
  cspnext_tiny: { depth: 0.167, width: 0.375 },
  cspnext_s: { depth: 0.33, width: 0.5 },
  cspnext_m: { depth: 0.67, width: 0.75 },
  cspnext_l: { depth: 1, width: 1 },
  cspnext_x: { depth: 1.33, width: 1.25 },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const cspNext: ClassifierBuilder<CspNextConfig> = (w, image, c) => {
  const widths = [128, 256, 512, 1024].map(channels => Math.floor(channels * c.width))
  const start = Math.floor(widths[0]! / 2)
  const half = Math.floor(start / 2)
  let x = layered(w.at('stem.0'), image, { out: half, kernel: 3, stride: 2 })
  x = layered(w.at('stem.1'), x, { out: half, kernel: 3 })
  x = layered(w.at('stem.2'), x, { out: start, kernel: 3 })
  for (const [i, out] of widths.entries()) {
    const stage = w.at(`stages.${i}`)
    const isLast = i === widths.length - 1
    x = layered(stage.at(0), x, { out, kernel: 3, stride: 2 })
    if (isLast) x = pyramidPool(stage.at(1), x, out)
    const depth = Math.max(roundHalfEven([3, 6, 6, 3][i]! * c.depth), 1)
    x = crossStage(stage.at(isLast ? 2 : 1), x, { out, depth, adds: !isLast })
  }
  return pooledHead(w.at('head.fc'), x, c.classes)
}

const layered: Block<Parameters<typeof convNorm>[2]> = (w, x, options) =>
  silu(convNorm(w, x, options))

/** Joins x with its maxima over windows of three sizes (He et al. 2014). */
const pyramidPool: Block<number> = (w, x, out) => {
  const y = layered(w.at('conv1'), x, { out: out / 2 })
  const pools = [5, 9, 13].map(side => maxPool(y, side, { padding: (side - 1) / 2 }))
  return layered(w.at('conv2'), concat([y, ...pools], 1), { out })
}

const crossStage: Block<{ out: number; depth: number; adds: boolean }> = (
  w,
  x,
  { out, depth, adds },
) => {
  const half = Math.floor(out / 2)
  const short = layered(w.at('short_conv'), x, { out: half })
  let main = layered(w.at('main_conv'), x, { out: half })
  for (const block of w.each('blocks', depth)) {
    let y = layered(block.at('conv1'), main, { out: half, kernel: 3 })
    y = silu(depthwiseConvNorm(block.at('conv2.depthwise_conv'), y, { kernel: 5 }))
    y = layered(block.at('conv2.pointwise_conv'), y, { out: half })
    main = adds ? add(y, main) : y
  }
  const joined = effectiveSqueezeExcite(w.at('attention.fc'), concat([main, short], 1))
  return layered(w.at('final_conv'), joined, { out })
}

export const cspNets = classifiers({ family: 'cspnet', rows, build: cspNet })
export const cspNexts = classifiers({ family: 'cspnext', rows: nextRows, build: cspNext })

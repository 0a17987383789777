/** The blocks of EfficientNets and mobile networks, as timm's _efficientnet_blocks.py computes them. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  blurPool,
  divisibleWidth,
  globalContext,
  samePadding,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { joinImageHeads, splitHeads } from '../../lib/onnx/blocks/attention.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import {
  batchNorm,
  channelValues,
  evoNorm,
  groupNorm,
  layerNorm2d,
  layerScale2d,
} from '../../lib/onnx/blocks/norm.ts'
import { toTokens } from '../../lib/onnx/blocks/tokens.ts'
import {
  add,
  avgPool,
  concat,
  conv2d,
  globalMean,
  matmul,
  mul,
  reshape,
  sigmoid,
  softmax,
  split,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, product } from '../../lib/onnx/shapes.ts'
import { type MobileBlock, type MobileBlockType } from './mnasNotation.ts'
import { roundHalfEven } from './rounding.ts'

export type Activation = (x: Tensor) => Tensor

/** Settings that all blocks of a network share. */
export interface MobileNetworkSettings {
  activation: Activation
  gate: {
    /** Whether the gate's channels are a share of the block's input, or of its inner channels. */
    of: 'input' | 'expanded'
    /** They are rounded to a multiple of 8, down to no less than this share; to a whole number by default. */
    limit?: number
    /** The block's own activation by default. */
    activation?: Activation
    function: Activation
    /** Whether it sees a mean that attends to positions (global context, Cao et al. 2019), with a norm between its layers. */
    context?: boolean
  }
  /** The networks' norms; each group has 8 channels. Batch normalization by default. */
  norm?: 'group' | 'layer' | 'evo'
  /** TensorFlow's padding, and its epsilon unless `epsilon` says otherwise. */
  tensorflow?: boolean
  epsilon?: number
  layerScale?: boolean
  /** Filter that subsamples in place of a stride of 2. */
  antialias?: 'average' | 'blur'
}

/** A block with its network's settings; `out` is scaled and `activation` the block's own. */
export interface BlockSettings extends MobileNetworkSettings, Omit<MobileBlock, 'activation'> {
  /** The widths that pruning kept of the expansion and of the gate. */
  kept?: readonly [expansion: number, gate: number] | undefined
}

type NormSettings = Pick<MobileNetworkSettings, 'epsilon' | 'tensorflow' | 'norm'>

export const norm: Block<NormSettings> = (w, x, c) => {
  const width = channelsOf(x)
  if (c.norm === 'group') return groupNorm(w, x, { groups: width / 8 })
  if (c.norm === 'layer') return layerNorm2d(w, x, 1e-5)
  // This EvoNorm only scales and shifts where it has no activation, unlike evoNorm's other form (timm's EvoNorm2dS0a).
  if (c.norm === 'evo')
    return add(
      mul(x, channelValues(w, 'weight', { width })),
      channelValues(w, 'bias', { width, role: 'bias' }),
    )
  return batchNorm(w, x, c.epsilon ?? (c.tensorflow ? 1e-3 : 1e-5))
}

/** Applies a norm and the activation behind it. */
export const activated: Block<NormSettings & { activation: Activation }> = (w, x, c) =>
  c.norm === 'evo' ? evoNorm(w, x, { groups: channelsOf(x) / 8 }) : c.activation(norm(w, x, c))

/** Adds a block's input to its result where both have one shape, unless the block has no shortcut. */
const residual = (y: Tensor, x: Tensor, b: BlockSettings): Tensor =>
  b.skip && b.stride === 1 && channelsOf(x) === b.out ? add(y, x) : y

const separable: Block<BlockSettings> = (w, x, b) => {
  let y = activated(w.at('bn1'), depthwise(w.at('conv_dw'), x, b), b)
  y = gated(w.at('se'), subsampled(y, b), b)
  y = norm(w.at('bn2'), conv(w.at('conv_pw'), y, { out: b.out }), b)
  return residual(b.type === 'dsa' ? b.activation(y) : y, x, b)
}

/** Returns the channels inside a block. */
const innerWidth = (x: Tensor, b: BlockSettings): number =>
  b.kept?.[0] ?? divisibleWidth((b.expandFrom ?? channelsOf(x)) * b.expand, { limit: 0.9 })

const inverted: Block<BlockSettings> = (w, x, b) => {
  if (b.experts > 0) return conditional(w, x, b)
  const inner = innerWidth(x, b)
  let y = pointwise(w.at('conv_pw'), x, { out: inner, groups: b.expandGroups })
  y = activated(w.at('bn1'), y, b)
  y = activated(w.at('bn2'), depthwise(w.at('conv_dw'), y, b), b)
  y = gated(w.at('se'), subsampled(y, b), b)
  y = norm(w.at('bn3'), pointwise(w.at('conv_pwl'), y, { out: b.out, groups: b.projectGroups }), b)
  return residual(y, x, b)
}

/** An inverted block whose kernels are mixed from those of experts, for each image (CondConv, Yang et al. 2019). */
const conditional: Block<BlockSettings> = (w, x, b) => {
  const pooled = globalMean(x)
  const routing = sigmoid(linear(w.at('routing_fn'), pooled, b.experts))
  const inner = innerWidth(x, b)
  let y = activated(w.at('bn1'), mixedPointwise(w.at('conv_pw'), x, { out: inner, routing }), b)
  y = activated(w.at('bn2'), mixedDepthwise(w.at('conv_dw'), y, { ...b, routing }), b)
  y = gated(w.at('se'), y, b)
  y = norm(w.at('bn3'), mixedPointwise(w.at('conv_pwl'), y, { out: b.out, routing }), b)
  return residual(y, x, b)
}

interface Routing {
  /** Weights of the experts [n, experts]. */
  routing: Tensor
}

const mixedPointwise: Block<Routing & { out: number }> = (w, x, { out, routing }) => {
  const [n, , height, width] = x.shape
  const inputs = channelsOf(x)
  const kernels = w.get('weight', [channelsOf(routing), out * inputs])
  const mixed = reshape(matmul(routing, kernels), [n!, out, inputs])
  const flat = reshape(x, [n!, inputs, product([height!, width!])])
  return reshape(matmul(mixed, flat), [n!, out, height!, width!])
}

/** Mixes the results of the experts' kernels, which is the result of their mixture. */
const mixedDepthwise: Block<BlockSettings & Routing> = (w, x, b) => {
  const width = channelsOf(x)
  const experts = channelsOf(b.routing)
  const [kernel] = b.kernels as [number]
  const { stride } = b
  const area = kernel * kernel
  const byExpert = reshape(w.get('weight', [experts, width * area]), [experts, width, area])
  const shape = [width * experts, 1, kernel, kernel]
  const weight = reshape(transpose(byExpert, [1, 0, 2]), shape)
  const padding = b.tensorflow ? samePadding(x, { kernel, stride }) : (kernel - 1) / 2
  const results = conv2d(x, { weight }, { stride, groups: width, padding })
  const [n, , height, across] = results.shape
  const apart = reshape(results, [n!, width, experts, height!, across!])
  return sum(mul(apart, reshape(b.routing, [n!, 1, experts, 1, 1])), [2])
}

const fused: Block<BlockSettings> = (w, x, b) => {
  const inner = innerWidth(x, b)
  const window = { ...b, out: inner, kernel: b.kernels[0]!, stride: strideOf(b) }
  const groups = b.groupWidth === undefined ? 1 : inner / b.groupWidth
  let y = activated(w.at('bn1'), padded(w.at('conv_exp'), x, { ...window, groups }), b)
  y = gated(w.at('se'), subsampled(y, b), b)
  return residual(norm(w.at('bn2'), conv(w.at('conv_pwl'), y, { out: b.out }), b), x, b)
}

const plain: Block<BlockSettings> = (w, x, b) => {
  const y = padded(w.at('conv'), x, { ...b, kernel: b.kernels[0]!, stride: strideOf(b) })
  return residual(subsampled(activated(w.at('bn1'), y, b), b), x, b)
}

/** MobileNetV4's universal inverted bottleneck: depthwise convolutions before and after the expansion, or neither. */
const universal: Block<BlockSettings> = (w, x, b) => {
  const [kernel] = b.kernels as [number]
  const inner = innerWidth(x, b)
  const layer = (scope: ParameterScope, y: Tensor, c: Omit<PaddedConv, 'groups'>): Tensor =>
    norm(scope.at('bn'), padded(scope.at('conv'), y, { ...b, ...c }), b)
  const spatial = (scope: ParameterScope, y: Tensor, c: { kernel: number; stride: number }) =>
    norm(
      scope.at('bn'),
      padded(scope.at('conv'), y, {
        ...b,
        ...c,
        out: channelsOf(y),
        groups: channelsOf(y),
        stride: strideOf({ ...b, stride: c.stride }),
      }),
      b,
    )
  let y = x
  if (b.startKernel > 0) {
    const stride = kernel > 0 ? 1 : b.stride
    y = subsampled(spatial(w.at('dw_start'), y, { kernel: b.startKernel, stride }), {
      ...b,
      stride,
    })
  }
  y = b.activation(layer(w.at('pw_exp'), y, { out: inner, kernel: 1, stride: 1 }))
  if (kernel > 0)
    y = subsampled(b.activation(spatial(w.at('dw_mid'), y, { kernel, stride: b.stride })), b)
  y = layer(w.at('pw_proj'), y, { out: b.out, kernel: 1, stride: 1 })
  return residual(scaled(w, y, b), x, b)
}

/** MobileNetV4's attention of many queries over one set of keys and values. */
const attention: Block<BlockSettings> = (w, x, b) => {
  const [n] = x.shape
  const y = norm(w.at('norm'), x, b)
  const layers = w.at('attn')
  const query = conv(layers.at('query.proj'), y, { out: b.heads * b.keyWidth })
  const shared = (scope: ParameterScope): Tensor => {
    if (b.keyStride === 1) return toTokens(conv(scope.at('proj'), y, { out: b.keyWidth }))
    const window = { ...b, stride: b.keyStride }
    const smaller = norm(scope.at('norm'), depthwise(scope.at('down_conv'), y, window), b)
    return toTokens(conv(scope.at('proj'), smaller, { out: b.keyWidth }))
  }
  const oneHead = (tokens: Tensor): Tensor => reshape(tokens, [n!, 1, tokens.shape[1]!, b.keyWidth])
  const keys = transpose(oneHead(shared(layers.at('key'))), [0, 1, 3, 2])
  const scores = matmul(mul(splitHeads(toTokens(query), b.heads), b.keyWidth ** -0.5), keys)
  const mixed = matmul(softmax(scores), oneHead(shared(layers.at('value'))))
  const image = joinImageHeads(mixed, x.shape.slice(2))
  return residual(scaled(w, conv(layers.at('output.proj'), image, { out: b.out }), b), x, b)
}

export const mobileBlocks: Record<MobileBlockType, Block<BlockSettings>> = {
  ds: separable,
  dsa: separable,
  ir: inverted,
  er: fused,
  cn: plain,
  uir: universal,
  mqa: attention,
}

/** Applies a learned factor per channel where the network has it. */
const scaled: Block<BlockSettings> = (w, x, b) =>
  b.layerScale ? layerScale2d(w.at('layer_scale'), x) : x

/** Applies squeeze-and-excitation, or global context in its place, where the block has a gate. */
const gated: Block<BlockSettings> = (w, x, b) => {
  if (b.gateShare === 0) return x
  const width = channelsOf(x)
  const { activation = b.activation, limit } = b.gate
  const share = width * (b.gate.of === 'input' ? b.gateShare / b.expand : b.gateShare)
  const rounded = limit === undefined ? roundHalfEven(share) : divisibleWidth(share, { limit })
  const inner = b.kept?.[1] ?? rounded
  if (!b.gate.context) {
    const names = ['conv_reduce', 'conv_expand'] as const
    return squeezeExcite(w, x, { inner, activation, gate: b.gate.function, names })
  }
  const scores = conv(w.at('conv_attn'), x, { out: 1, bias: true })
  const settings = { inner, activation: b.activation }
  return mul(x, b.gate.function(globalContext(w.at('mlp_scale'), { x, scores }, settings)))
}

/** Returns the stride of a convolution: 1 where a filter subsamples. */
const strideOf = ({ antialias, stride }: Pick<BlockSettings, 'antialias' | 'stride'>): number =>
  antialias ? 1 : stride

function subsampled(x: Tensor, { antialias, stride }: BlockSettings): Tensor {
  if (!antialias || stride === 1) return x
  return antialias === 'average' ? avgPool(x, 2, { stride: 2 }) : blurPool(x, 'constant')
}

interface PaddedConv extends Pick<MobileNetworkSettings, 'tensorflow'> {
  out: number
  kernel: number
  stride: number
  groups?: number
  bias?: boolean
}

/** A convolution whose output is its input's size over the stride; TensorFlow pads an odd pixel at the end, as all even kernels do. */
export const padded: Block<PaddedConv> = (w, x, c) => {
  const { out, kernel, stride, groups = 1, bias } = c
  const same = c.tensorflow ?? kernel % 2 === 0
  const padding = same ? samePadding(x, { kernel, stride }) : (kernel - 1) / 2
  return conv(w, x, { out, kernel, stride, groups, bias, padding })
}

/** Splits channels into equal parts, the first with what is left over. */
function equalParts(width: number, count: number): number[] {
  const part = Math.floor(width / count)
  return Array.from({ length: count }, (_, i) => (i === 0 ? width - part * (count - 1) : part))
}

/** Applies a depthwise convolution; several kernels have a part of the channels each. */
const depthwise: Block<BlockSettings> = (w, x, b) => {
  const layer = (scope: ParameterScope, y: Tensor, kernel: number): Tensor =>
    padded(scope, y, {
      ...b,
      kernel,
      out: channelsOf(y),
      groups: channelsOf(y),
      stride: strideOf(b),
    })
  const { kernels } = b
  if (kernels.length === 1) return layer(w, x, kernels[0]!)
  const parts = split(x, equalParts(channelsOf(x), kernels.length), 1)
  return concat(
    parts.map((part, i) => layer(w.at(i), part, kernels[i]!)),
    1,
  )
}

/** Applies a 1 × 1 convolution, or one layer for each of several groups. */
const pointwise: Block<{ out: number; groups: number }> = (w, x, { out, groups }) => {
  if (groups === 1) return conv(w, x, { out })
  const outputs = equalParts(out, groups)
  const parts = split(x, equalParts(channelsOf(x), groups), 1)
  return concat(
    parts.map((part, i) => conv(w.at(i), part, { out: outputs[i]! })),
    1,
  )
}

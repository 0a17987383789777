/**
 * The blocks of timm's byobnet.py (bring your own blocks): ResNet's, DarkNet's, RepVGG's and MobileOne's, with gates and
 * self-attentions of many kinds.
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { type Branch, branchedConv, convBranch } from '../../lib/onnx/blocks/branches.ts'
import { divisibleWidth } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, evoNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, avgPool, relu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Gate, type SelfAttention } from './byobAttention.ts'

/** Settings that all layers of a network share. */
export interface ByobLayers {
  /** ReLU by default. */
  activation?: (x: Tensor) => Tensor
  /** EvoNorm, which has its own activation, in place of batch normalization. */
  norm?: 'evo'
  /** Gate on the channels of every block. */
  gate?: Gate | undefined
  /** The shortcut where a block changes the shape: a 1 × 1 convolution (default), behind an average, or none. */
  shortcut?: 'average' | 'none'
}

/** A block's own settings with its network's. */
export interface ByobBlockSettings extends ByobLayers {
  width: number
  stride: number
  /** Width of the inner layers over the block's, 1 by default. */
  ratio?: number
  /** Channels of a group of the k × k convolutions; one group by default. */
  groupWidth?: number
  /** Whether the inner width is a multiple of the input's, and the result is not activated (MobileNetV2). */
  inverted?: boolean
  /** Whether a second k × k convolution follows the first. */
  extraConv?: boolean
  kernel?: number
  /** How many k × k convolutions a MobileOne block sums. */
  branches?: number
  attention?: SelfAttention
}

export type ByobBlock = Block<ByobBlockSettings>

/** `depth` (1 by default) blocks of a kind; the stride is that of a stage's first block. */
export interface ByobBlocks extends Omit<ByobBlockSettings, 'stride'> {
  block: ByobBlock
  depth?: number
  stride?: number
}

interface LayerOptions {
  net: ByobLayers
  out: number
  kernel?: number
  stride?: number
  groups?: number
  /** Whether no activation follows. */
  linear?: boolean
}

/** Applies a convolution, its norm and its activation, with timm's names `conv` and `bn`. */
export const byobLayer: Block<LayerOptions> = (w, x, c) => {
  const { out, kernel = 1, stride = 1, groups = 1 } = c
  const y = conv(w.at('conv'), x, { out, kernel, stride, groups, padding: (kernel - 1) / 2 })
  return normalized(w.at('bn'), y, c)
}

function normalized(w: ParameterScope, x: Tensor, { net, linear }: Omit<LayerOptions, 'out'>) {
  if (net.norm === 'evo')
    return evoNorm(w, x, { groups: channelsOf(x) / 16, epsilon: 1e-3, activated: !linear })
  const y = batchNorm(w, x)
  return linear ? y : (net.activation ?? relu)(y)
}

/** Adds a block's input to its result, projected where the shapes differ. */
function residual(w: ParameterScope, y: Tensor, { x, ...c }: ByobBlockSettings & { x: Tensor }) {
  const out = (sum: Tensor): Tensor => (c.inverted ? sum : (c.activation ?? relu)(sum))
  if (channelsOf(x) === c.width && c.stride === 1) return out(add(y, x))
  if (c.shortcut === 'none') return out(y)
  const scope = w.at('shortcut')
  const options = { net: c, out: c.width, linear: true }
  if (c.shortcut !== 'average')
    return out(add(y, byobLayer(scope, x, { ...options, stride: c.stride })))
  const smaller = c.stride === 1 ? x : avgPool(x, 2, { stride: c.stride, ceil: true })
  return out(add(y, byobLayer(scope.at('conv'), smaller, options)))
}

const innerWidth = (x: Tensor, c: ByobBlockSettings): number =>
  divisibleWidth((c.inverted ? channelsOf(x) : c.width) * (c.ratio ?? 1), { limit: 0.9 })

const groupsOf = (width: number, { groupWidth }: ByobBlockSettings): number =>
  groupWidth === undefined ? 1 : width / groupWidth

const gated: Block<ByobBlockSettings> = (w, x, c) => (c.gate ? c.gate(w, x) : x)

export const basic: ByobBlock = (w, x, c) => {
  const net = c
  const out = innerWidth(x, c)
  const groups = groupsOf(out, c)
  let y = byobLayer(w.at('conv1_kxk'), x, { net, out, kernel: 3, stride: c.stride })
  y = byobLayer(w.at('conv2_kxk'), y, { net, out: c.width, kernel: 3, groups, linear: true })
  return residual(w, gated(w.at('attn_last'), y, c), { ...c, x })
}

export const bottleneck: ByobBlock = (w, x, c) => {
  const net = c
  const out = innerWidth(x, c)
  const inner = { net, out, kernel: 3, groups: groupsOf(out, c) }
  let y = byobLayer(w.at('conv1_1x1'), x, { net, out })
  y = byobLayer(w.at('conv2_kxk'), y, { ...inner, stride: c.stride })
  if (c.extraConv) y = byobLayer(w.at('conv2b_kxk'), y, inner)
  y = byobLayer(w.at('conv3_1x1'), gated(w.at('attn'), y, c), { net, out: c.width, linear: true })
  return residual(w, y, { ...c, x })
}

/** A bottleneck whose inner convolution is the self-attention `attention`. */
export const attentive: ByobBlock = (w, x, c) => {
  const net = c
  let y = byobLayer(w.at('conv1_1x1'), x, { net, out: innerWidth(x, c) })
  y = normalized(w.at('post_attn'), c.attention!(w.at('self_attn'), y, c.stride), { net })
  y = byobLayer(w.at('conv3_1x1'), y, { net, out: c.width, linear: true })
  return residual(w, y, { ...c, x })
}

/** Applies a 1 × 1 convolution, then one of 3 × 3 (DarkNet's block). */
export const dark: ByobBlock = (w, x, c) => {
  const net = c
  const out = innerWidth(x, c)
  const last = { kernel: 3, stride: c.stride, groups: groupsOf(out, c), linear: true }
  const y = byobLayer(w.at('conv1_1x1'), x, { net, out })
  const z = byobLayer(w.at('conv2_kxk'), y, { net, out: c.width, ...last })
  return residual(w, gated(w.at('attn_last'), z, c), { ...c, x })
}

/** Applies a 3 × 3 convolution, then one of 1 × 1 (timm's edge block). */
export const edge: ByobBlock = (w, x, c) => {
  const net = c
  const out = innerWidth(x, c)
  const first = { kernel: 3, stride: c.stride, groups: groupsOf(out, c) }
  const y = byobLayer(w.at('conv1_kxk'), x, { net, out, ...first })
  const z = byobLayer(w.at('conv2_1x1'), gated(w.at('attn'), y, c), {
    net,
    out: c.width,
    linear: true,
  })
  return residual(w, z, { ...c, x })
}

/** A 3 × 3 convolution alone, as a stem. */
export const single: ByobBlock = (w, x, c) =>
  byobLayer(w, x, { net: c, out: c.width, kernel: 3, stride: c.stride })

/** Sums branches, and the input's norm where the shapes allow it, then applies the gate and the activation. */
function summed(w: ParameterScope, x: Tensor, c: ByobBlockSettings & { convs: readonly Branch[] }) {
  const same = channelsOf(x) === c.width && c.stride === 1
  const branches = same ? [...c.convs, { norm: w.at('identity') }] : c.convs
  const { width: out, stride } = c
  const y = branchedConv(x, branches, { out, stride, groups: groupsOf(channelsOf(x), c) })
  return (c.activation ?? relu)(gated(w.at('attn'), y, c))
}

export const repVgg: ByobBlock = (w, x, c) => {
  const convs = [convBranch(w.at('conv_kxk'), 3), convBranch(w.at('conv_1x1'))]
  return summed(w, x, { ...c, convs })
}

export const mobileOne: ByobBlock = (w, x, c) => {
  const { kernel = 3, branches = 1 } = c
  const convs = w.each('conv_kxk', branches).map(scope => convBranch(scope, kernel))
  if (kernel > 1) convs.push(convBranch(w.at('conv_scale')))
  return summed(w, x, { ...c, convs })
}

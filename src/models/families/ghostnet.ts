/**
 * GhostNet (Han et al. 2020), its versions 2 (Tang et al. 2022) and 3 (Liu et al. 2024), and RepGhostNet (Chen et al.
 * 2022), as timm's ghostnet.py and repghost.py compute them: half of a layer's channels come from the other half.
 */
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { type Branch, branchedConv, convBranch } from '../../lib/onnx/blocks/branches.ts'
import {
  convNorm,
  depthwiseConvNorm,
  divisibleWidth,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import {
  add,
  avgPool,
  concat,
  flatten,
  globalAvgPool,
  hardSigmoid,
  mul,
  relu,
  resize,
  sigmoid,
} from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface GhostNetConfig {
  version: 1 | 2 | 3 | 'rep'
  /** Factor on all widths. */
  width: number
}

const ghost = (version: GhostNetConfig['version'], width: number): GhostNetConfig => ({
  version,
  width,
})

const rows: Rows<GhostNetConfig> = {
  ghostnet_100: ghost(1, 1),
  ghostnetv2_100: ghost(2, 1),
  ghostnetv2_130: ghost(2, 1.3),
  ghostnetv2_160: ghost(2, 1.6),
  ghostnetv3_100: ghost(3, 1),
  repghostnet_050: ghost('rep', 0.5),
  repghostnet_058: ghost('rep', 0.58),
  repghostnet_080: ghost('rep', 0.8),
  repghostnet_100: ghost('rep', 1),
  repghostnet_111: ghost('rep', 1.11),
  repghostnet_130: ghost('rep', 1.3),
  repghostnet_150: ghost('rep', 1.5),
  repghostnet_200: ghost('rep', 2),
}

type BlockRow = readonly [kernel: 3 | 5, inner: number, out: number, gated?: 'gated']

/** The stages' blocks; every second stage, from the second on, halves the size. */
const stages: readonly (readonly BlockRow[])[] = [
  [[3, 16, 16]],
  [[3, 48, 24]],
  [[3, 72, 24]],
  [[5, 72, 40, 'gated']],
  [[5, 120, 40, 'gated']],
  [[3, 240, 80]],
  [
    [3, 200, 80],
    [3, 184, 80],
    [3, 184, 80],
    [3, 480, 112, 'gated'],
    [3, 672, 112, 'gated'],
  ],
  [[5, 672, 160, 'gated']],
  [
    [5, 960, 160],
    [5, 960, 160, 'gated'],
    [5, 960, 160],
    [5, 960, 160, 'gated'],
  ],
]

/** RepGhostNet's inner layers are half as wide, but for one. */
const repInner = (inner: number): number => (inner === 184 ? 120 : inner / 2)

/** image [n, 3, h, w] -> features [n, 1280], logits [n, classes] */
const ghostNet: ClassifierBuilder<GhostNetConfig> = (w, image, c) => {
  const scaledTo = (width: number): number =>
    divisibleWidth(width * c.width, { divisor: 4, limit: 0.9 })
  const stem = { out: scaledTo(16), kernel: 3, stride: 2, names: ['conv_stem', 'bn1'] as const }
  let x = relu(convNorm(w, image, stem))
  let index = 0
  for (const [stage, blocks] of stages.entries())
    for (const [i, [kernel, inner, out, gated]] of blocks.entries()) {
      x = ghostBlock(w.at(`blocks.${stage}.${i}`), x, {
        version: c.version,
        kernel,
        inner: scaledTo(c.version === 'rep' ? repInner(inner) : inner),
        out: scaledTo(out),
        stride: stage % 2 === 1 ? 2 : 1,
        gated: gated !== undefined,
        attentive: (c.version === 2 || c.version === 3) && index > 1,
      })
      index++
    }
  x = relu(convNorm(w.at('blocks.9.0'), x, { out: scaledTo(960), names: named }))
  const pooled = conv(w.at('conv_head'), globalAvgPool(x), { out: 1280, bias: true })
  return linearHead(w.at('classifier'), flatten(relu(pooled)), c.classes)
}

const named = ['conv', 'bn1'] as const

interface GhostBlock {
  version: GhostNetConfig['version']
  kernel: number
  inner: number
  out: number
  stride: number
  gated: boolean
  attentive: boolean
}

const ghostBlock: Block<GhostBlock> = (w, x, c) => {
  const { inner, kernel, stride } = c
  const expansion = { out: inner, version: c.version, activation: relu, attentive: c.attentive }
  let y = ghostLayer(w.at('ghost1'), x, expansion)
  if (stride > 1) {
    const window = { out: inner, stride, groups: inner }
    y =
      c.version === 3
        ? branchedConv(
            y,
            [...three(w, 'dw_rpr_conv', kernel), branch(w.at('dw_rpr_scale'))],
            window,
          )
        : convNorm(w, y, { ...window, kernel, names: ['conv_dw', 'bn_dw'] })
  }
  if (c.gated) y = gate(w.at('se'), y)
  y = ghostLayer(w.at('ghost2'), y, { out: c.out, version: c.version, attentive: false })
  if (stride === 1 && channelsOf(x) === c.out) return add(y, x)
  const shortcut = w.at('shortcut')
  const smaller = depthwiseConvNorm(shortcut, x, { kernel, stride, names: ['0', '1'] })
  return add(y, convNorm(shortcut, smaller, { out: c.out, names: ['2', '3'] }))
}

/** Applies squeeze-and-excitation to a quarter of the channels. */
const gate: Layer = (w, x) => {
  const inner = divisibleWidth(channelsOf(x) / 4, { divisor: 4, limit: 0.9 })
  return squeezeExcite(w, x, { inner, gate: hardSigmoid, names: ['conv_reduce', 'conv_expand'] })
}

const branch = (w: ParameterScope, kernel = 1): Branch => convBranch(w, kernel, 'bn1')

const three = (w: ParameterScope, name: string, kernel = 1): Branch[] =>
  w.each(name, 3).map(scope => branch(scope, kernel))

interface GhostLayer {
  out: number
  version: GhostNetConfig['version']
  activation?: (x: Tensor) => Tensor
  /** Whether a coarse view of the input gates the result. */
  attentive: boolean
}

/** Computes half of the channels by a 1 × 1 convolution and the others from them by a depthwise one; RepGhostNet adds both. */
const ghostLayer: Block<GhostLayer> = (w, x, c) => {
  const { version, out, activation = y => y } = c
  const names = ['0', '1'] as const
  const half = version === 'rep' ? out : Math.ceil(out / 2)
  const first = activation(
    version === 3
      ? branchedConv(x, three(w, 'primary_rpr_conv'), { out: half })
      : convNorm(w.at('primary_conv'), x, { out: half, names }),
  )
  const depthwise = { out: half, groups: half }
  if (version === 'rep') {
    const cheap = w.at('cheap_operation')
    const branches = [
      { conv: cheap.at(0), norm: cheap.at(1), kernel: 3 },
      { norm: w.at('fusion_bn.0') },
    ]
    return activation(branchedConv(first, branches, depthwise))
  }
  const second =
    version === 3
      ? branchedConv(
          first,
          [
            ...three(w, 'cheap_rpr_conv', 3),
            branch(w.at('cheap_rpr_scale')),
            { norm: w.at('cheap_rpr_skip') },
          ],
          depthwise,
        )
      : convNorm(w.at('cheap_operation'), first, { ...depthwise, kernel: 3, names })
  const y = concat([first, activation(second)], 1)
  return c.attentive ? mul(y, coarseGate(w.at('short_conv'), x, { out, like: y })) : y
}

/** Returns a gate of `like`'s shape from x at half its size, by convolutions along rows and columns (DFC attention). */
function coarseGate(w: ParameterScope, x: Tensor, { out, like }: { out: number; like: Tensor }) {
  let y = convNorm(w, avgPool(x, 2, { stride: 2 }), { out, names: ['0', '1'] })
  y = depthwiseConvNorm(w, y, { kernel: [1, 5], names: ['2', '3'] })
  y = depthwiseConvNorm(w, y, { kernel: [5, 1], names: ['4', '5'] })
  return resize(sigmoid(y), like.shape, { mode: 'nearest', coordinates: 'asymmetric' })
}

export const ghostNets = classifiers({ family: 'ghostnet', rows, build: ghostNet })

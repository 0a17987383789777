/**
 * Normalizer-free networks (Brock et al. 2021, two papers), as timm's nfnet.py computes them: residual blocks whose
 * convolutions have standardized filters and whose inputs are scaled by the deviation that is expected of them.
 */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import {
  channelAttention,
  divisibleWidth,
  samePadding,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { standardizedConv } from '../../lib/onnx/blocks/standardized.ts'
import { add, avgPool, gelu, maxPool, mul, relu, silu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface NfNetConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** Four 3 × 3 convolutions, one of 7 × 7 with a pool, or one of 3 × 3. */
  stem: 'deep' | 'pooled' | 'single'
  stemWidth: number
  activation: 'relu' | 'gelu' | 'silu'
  bottleRatio: number
  groupWidth?: number
  /** Channels of the last convolution. */
  head?: number
  /** Whether blocks have a second 3 × 3 convolution. */
  second?: boolean
  /** A gate by squeeze-and-excitation to this share of the channels, or by ECA. */
  gate?: number | 'efficient'
  /** NF-RegNet's blocks: they widen their input, and are gated before their last convolution. */
  regnet?: boolean
  /** DeepMind's weights: TensorFlow's padding, gains in the activations and a learned factor for each block. */
  deepMind?: boolean | undefined
}

const nfNet = (
  depths: readonly number[],
  rest: Partial<NfNetConfig> & Pick<NfNetConfig, 'head'>,
): NfNetConfig => ({
  depths,
  widths: [256, 512, 1536, 1536],
  stem: 'deep',
  stemWidth: 128,
  activation: 'silu',
  bottleRatio: 0.25,
  groupWidth: 64,
  second: true,
  ...rest,
})
const f = (series: number): NfNetConfig =>
  nfNet(
    [1, 2, 6, 3].map(depth => depth * (series + 1)),
    {
      head: 3072,
      activation: 'gelu',
      bottleRatio: 0.5,
      groupWidth: 128,
      gate: 1 / 2,
      deepMind: true,
    },
  )
const efficient = { gate: 'efficient' } as const

const rows: Rows<NfNetConfig> = {
  dm_nfnet_f0: f(0),
  dm_nfnet_f1: f(1),
  dm_nfnet_f2: f(2),
  dm_nfnet_f3: f(3),
  dm_nfnet_f4: f(4),
  dm_nfnet_f5: f(5),
  dm_nfnet_f6: f(6),
  nfnet_l0: nfNet([1, 2, 6, 3], { head: 2304, gate: 1 / 4 }),
  eca_nfnet_l0: nfNet([1, 2, 6, 3], { head: 2304, ...efficient }),
  eca_nfnet_l1: nfNet([2, 4, 12, 6], { head: 3072, ...efficient }),
  eca_nfnet_l2: nfNet([3, 6, 18, 9], { head: 3072, ...efficient }),
  nf_regnet_b1: {
    depths: [2, 4, 7, 7],
    widths: [40, 80, 160, 328],
    stem: 'single',
    stemWidth: 40,
    activation: 'silu',
    bottleRatio: 2.25,
    groupWidth: 8,
    head: 960,
    gate: 1 / 2,
    regnet: true,
  },
  nf_resnet50: {
    depths: [3, 4, 6, 3],
    widths: [256, 512, 1024, 2048],
    stem: 'pooled',
    stemWidth: 64,
    activation: 'relu',
    bottleRatio: 0.25,
  },
  test_nfnet: nfNet([1, 1, 1, 1], {
    widths: [32, 64, 96, 128],
    head: 192,
    groupWidth: 8,
    gate: 1 / 4,
  }),
}

/** Factor on what a block adds to its input. */
const alpha = 0.2

const activations = { relu, gelu, silu }

/** Factors that give activations of normally distributed values a deviation of 1 (deepmind-research, nfnets/base.py). */
const gains = { relu: 1.7139588594436646, gelu: 1.7015043497085571, silu: 1.7881293296813965 }

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const nfNetwork: ClassifierBuilder<NfNetConfig> = (w, image, c) => {
  let x = stem(w.at('stem'), image, c)
  for (const [i, depth] of c.depths.entries()) {
    // The first block of a stage resets the variance; each block adds its own.
    let variance = i === 0 ? 1 : 1 + c.depths[i - 1]! * alpha ** 2
    for (const [j, scope] of w.each(`stages.${i}`, depth).entries()) {
      const stride = j === 0 && (i > 0 || c.stem === 'single') ? 2 : 1
      const bottleRatio = c.regnet && i === 0 && j === 0 ? 1 : c.bottleRatio
      const scale = variance ** -0.5
      x = block(scope, x, { ...c, bottleRatio, out: c.widths[i]!, stride, scale })
      variance = (j === 0 ? 1 : variance) + alpha ** 2
    }
  }
  if (c.head !== undefined) x = convolve(w.at('final_conv'), x, { ...c, out: c.head })
  return pooledHead(w.at('head.fc'), activate(x, c), c.classes)
}

type Settings = Pick<NfNetConfig, 'activation' | 'deepMind'>

const activate = (x: Tensor, c: Settings): Tensor => {
  const y = activations[c.activation](x)
  return c.deepMind ? mul(y, gains[c.activation]) : y
}

interface Convolution {
  out: number
  kernel?: number
  stride?: number
  groups?: number
}

const convolve: Block<Settings & Convolution> = (w, x, c) => {
  const { out, kernel = 1, stride = 1, groups = 1 } = c
  const padding = c.deepMind ? samePadding(x, { kernel, stride }) : (kernel - 1) / 2
  const gain = c.deepMind ? 1 : gains[c.activation]
  return standardizedConv(w, x, { out, kernel, stride, groups, padding, epsilon: 1e-5, gain })
}

const stem: Block<NfNetConfig> = (w, image, c) => {
  const { activation, deepMind, stemWidth: out } = c
  const settings = { activation, deepMind }
  if (c.stem === 'deep')
    return [8, 4, 2, 1].reduce(
      (x, share, i) =>
        convolve(w.at(`conv${i + 1}`), i === 0 ? x : activate(x, c), {
          ...settings,
          out: out / share,
          kernel: 3,
          stride: i === 0 || i === 3 ? 2 : 1,
        }),
      image,
    )
  const kernel = c.stem === 'pooled' ? 7 : 3
  const x = convolve(w.at('conv'), image, { ...settings, out, kernel, stride: 2 })
  return c.stem === 'pooled' ? maxPool(x, 3, { stride: 2, padding: 1 }) : x
}

interface BlockSettings extends NfNetConfig {
  out: number
  stride: number
  /** One over the expected deviation of the input. */
  scale: number
}

const block: Block<BlockSettings> = (w, x, c) => {
  const { activation, deepMind, out, stride } = c
  const settings = { activation, deepMind }
  const width = channelsOf(x)
  const start = mul(activate(x, c), c.scale)
  const inner = divisibleWidth((c.regnet ? width : out) * c.bottleRatio)
  const groups = c.groupWidth === undefined ? 1 : Math.floor(inner / c.groupWidth)
  const middle = c.groupWidth === undefined ? inner : groups * c.groupWidth
  const spatial = { ...settings, out: middle, kernel: 3, groups }
  let y = convolve(w.at('conv1'), start, { ...settings, out: middle })
  y = convolve(w.at('conv2'), activate(y, c), { ...spatial, stride })
  if (c.second) y = convolve(w.at('conv2b'), activate(y, c), spatial)
  if (c.regnet) y = gated(w.at('attn'), y, c)
  y = convolve(w.at('conv3'), activate(y, c), { ...settings, out })
  if (!c.regnet) y = gated(w.at('attn_last'), y, c)
  if (deepMind) y = mul(y, w.get('skipinit_gain', [], 'scale'))
  return add(mul(y, alpha), shortcut(w.at('downsample.conv'), x, { ...c, start }))
}

const shortcut: Block<BlockSettings & { start: Tensor }> = (w, x, { start, ...c }) => {
  const { activation, deepMind, out, stride } = c
  if (stride === 1 && x.shape[1] === out) return x
  const smaller = stride === 1 ? start : avgPool(start, 2, { stride, ceil: true })
  return convolve(w, smaller, { activation, deepMind, out })
}

/** Applies twice the gate, where the block has one. */
const gated: Block<NfNetConfig> = (w, x, { gate }) => {
  if (gate === undefined) return x
  if (gate === 'efficient') return mul(channelAttention(w, x), 2)
  const inner = divisibleWidth(channelsOf(x) * gate)
  return mul(squeezeExcite(w, x, { inner }), 2)
}

export const nfNets = classifiers({ family: 'nfnet', rows, build: nfNetwork })

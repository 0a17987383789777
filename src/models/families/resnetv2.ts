/**
 * Pre-activation ResNet (He et al. 2016) and Big Transfer (Kolesnikov et al. 2019), as timm's resnetv2.py computes them,
 * and the trunk of the hybrid Vision Transformers of Dosovitskiy et al. 2020 (vision_transformer_hybrid.py).
 */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { samePadding } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, evoNorm, groupNorm } from '../../lib/onnx/blocks/norm.ts'
import { standardizedConv } from '../../lib/onnx/blocks/standardized.ts'
import { add, avgPool, flatten, globalAvgPool, maxPool, pad2d, relu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface ResNetV2Config {
  depths: readonly number[]
  block?: 'basic' | 'bottleneck'
  /** Factor of all widths. */
  width?: number
  /** Three 3 × 3 convolutions as the stem, and shortcuts that average before they convolve. */
  variantD?: boolean
  /** Each norm has its activation; ReLU but for EvoNorm. */
  norm: 'batch' | 'group' | 'evo'
  /** Big Transfer's convolutions with standardized filters. */
  standardized?: boolean
}

const batch = { norm: 'batch' } as const
const basic = { ...batch, block: 'basic' } as const
const bit = { norm: 'group', standardized: true } as const
const r18 = [2, 2, 2, 2]
const r50 = [3, 4, 6, 3]
const r101 = [3, 4, 23, 3]
const r152 = [3, 8, 36, 3]

const rows: Rows<ResNetV2Config> = {
  resnetv2_18: { ...basic, depths: r18 },
  resnetv2_18d: { ...basic, depths: r18, variantD: true },
  resnetv2_34: { ...basic, depths: r50 },
  resnetv2_34d: { ...basic, depths: r50, variantD: true },
  resnetv2_50: { ...batch, depths: r50 },
  resnetv2_50d_gn: { norm: 'group', depths: r50, variantD: true },
  resnetv2_50d_evos: { norm: 'evo', depths: r50, variantD: true },
  resnetv2_101: { ...batch, depths: r101 },
  resnetv2_50x1_bit: { ...bit, depths: r50 },
  resnetv2_50x3_bit: { ...bit, depths: r50, width: 3 },
  resnetv2_101x1_bit: { ...bit, depths: r101 },
  resnetv2_101x3_bit: { ...bit, depths: r101, width: 3 },
  resnetv2_152x2_bit: { ...bit, depths: r152, width: 2 },
  resnetv2_152x4_bit: { ...bit, depths: r152, width: 4 },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const resNetV2: ClassifierBuilder<ResNetV2Config> = (w, image, c) => {
  const { block = 'bottleneck', width = 1 } = c
  const x = placesOf(c.depths).reduce(
    (y, at) => {
      const out = at.inner * width * widening[block]
      return preActivation(w.at(at.path), y, { ...c, ...at, block, out })
    },
    stem(w.at('stem'), image, c),
  )
  const features = globalAvgPool(normed(w.at('norm'), x, c))
  const logits = conv(w.at('head.fc'), features, { out: c.classes, bias: true })
  return { features: flatten(features), logits: flatten(logits) }
}

const widening = { basic: 1, bottleneck: 4 }

interface Place {
  path: string
  /** Channels inside a bottleneck at width 1. */
  inner: number
  stride: number
  /** Whether the block is its stage's first. */
  first: boolean
}

/** The places of the blocks of all stages. */
const placesOf = (depths: readonly number[]): Place[] =>
  depths.flatMap((depth, i) =>
    Array.from({ length: depth }, (_, j) => ({
      path: `stages.${i}.blocks.${j}`,
      inner: 64 * 2 ** i,
      stride: i > 0 && j === 0 ? 2 : 1,
      first: j === 0,
    })),
  )

type LayerSettings = Pick<ResNetV2Config, 'norm' | 'standardized'>

/** A norm with its activation. */
const normed: Block<LayerSettings> = (w, x, c) => {
  if (c.norm === 'evo') return evoNorm(w, x)
  return relu(c.norm === 'group' ? groupNorm(w, x, { groups: 32 }) : batchNorm(w, x))
}

interface Convolution {
  out: number
  kernel?: number
  stride?: number
}

const convolve: Block<LayerSettings & Convolution> = (w, x, c) => {
  const { out, kernel = 1, stride = 1 } = c
  const window = { out, kernel, stride, padding: (kernel - 1) / 2 }
  return c.standardized ? standardizedConv(w, x, { ...window, epsilon: 1e-8 }) : conv(w, x, window)
}

const stem: Block<ResNetV2Config> = (w, image, c) => {
  const out = 64 * (c.width ?? 1)
  if (c.standardized) {
    const x = convolve(w.at('conv'), image, { ...c, out, kernel: 7, stride: 2 })
    return maxPool(pad2d(x, [1, 1, 1, 1]), 3, { stride: 2 })
  }
  let x = image
  if (c.variantD) {
    const layer = { ...c, out: out / 2, kernel: 3 }
    x = normed(w.at('norm1'), convolve(w.at('conv1'), x, { ...layer, stride: 2 }), c)
    x = normed(w.at('norm2'), convolve(w.at('conv2'), x, layer), c)
    x = convolve(w.at('conv3'), x, { ...layer, out })
  } else x = convolve(w.at('conv'), x, { ...c, out, kernel: 7, stride: 2 })
  return maxPool(x, 3, { stride: 2, padding: 1 })
}

/** A block with its norms before the convolutions. */
const preActivation: Block<Omit<ResNetV2Config, 'depths'> & Place & { out: number }> = (
  w,
  x,
  c,
) => {
  const { out, stride } = c
  const start = normed(w.at('norm1'), x, c)
  const projects = c.block === 'basic' ? x.shape[1] !== out : c.first
  const shortcut = projects ? project(w.at('downsample.conv'), start, c) : x
  const spatial = { ...c, kernel: 3 }
  const layer = (i: number, y: Tensor, options: LayerSettings & Convolution): Tensor =>
    convolve(w.at(`conv${i}`), i === 1 ? y : normed(w.at(`norm${i}`), y, c), options)
  if (c.block === 'basic') {
    const y = layer(1, start, { ...spatial, out, stride })
    return add(layer(2, y, { ...spatial, out, stride: 1 }), shortcut)
  }
  const inner = { ...c, out: out / 4, stride: 1 }
  const y = layer(2, layer(1, start, inner), { ...inner, kernel: 3, stride })
  return add(layer(3, y, { ...inner, out }), shortcut)
}

const project: Block<
  LayerSettings & Pick<ResNetV2Config, 'variantD'> & { out: number; stride: number }
> = (w, x, c) => {
  if (!c.variantD) return convolve(w, x, { ...c, kernel: 1 })
  const smaller = c.stride === 1 ? x : avgPool(x, 2, { stride: 2, ceil: true })
  return convolve(w, smaller, { ...c, kernel: 1, stride: 1 })
}

/** Returns the feature map of a hybrid's ResNet, whose norms follow the convolutions; of its stem alone without stages. */
export const hybridTrunk: Block<readonly number[]> = (w, image, depths) => {
  const start = depths.length > 0 ? w.at('stem') : w
  const stride = 2
  const x = relu(
    standardNorm(start, image, { out: 64, kernel: 7, stride, names: ['conv', 'norm'] }),
  )
  const pooled = maxPool(x, 3, { stride, padding: samePadding(x, { kernel: 3, stride }) })
  return placesOf(depths).reduce((y, at) => postActivation(w.at(at.path), y, at), pooled)
}

const postActivation: Block<Place> = (w, x, { inner, stride, first }) => {
  const out = 4 * inner
  const spatial = { out: inner, kernel: 3, stride }
  let y = relu(standardNorm(w, x, { out: inner, names: ['conv1', 'norm1'] }))
  y = relu(standardNorm(w, y, { ...spatial, names: ['conv2', 'norm2'] }))
  y = standardNorm(w, y, { out, names: ['conv3', 'norm3'] })
  const shortcut = first
    ? standardNorm(w.at('downsample'), x, { out, stride, names: ['conv', 'norm'] })
    : x
  return relu(add(y, shortcut))
}

/** A convolution with standardized filters and TensorFlow's padding, then its norm. */
const standardNorm: Block<Convolution & { names: readonly [conv: string, norm: string] }> = (
  w,
  x,
  c,
) => {
  const { out, kernel = 1, stride = 1, names } = c
  const padding = samePadding(x, { kernel, stride })
  const window = { out, kernel, stride, padding, epsilon: 1e-8 }
  return groupNorm(w.at(names[1]), standardizedConv(w.at(names[0]), x, window), { groups: 32 })
}

export const resNetV2s = classifiers({ family: 'resnetv2', rows, build: resNetV2 })

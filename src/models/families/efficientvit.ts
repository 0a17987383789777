/**
 * EfficientViT (Cai et al. 2022), as timm's efficientvit_mit.py computes it: inverted residual blocks, and in the last
 * stages linear attention over features of two scales.
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm, depthwiseConvNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, depthwiseConv, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  concat,
  div,
  geluTanh,
  globalMean,
  hardSwish,
  matmul,
  relu,
  reshape,
  split,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize, product } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface EfficientViTConfig {
  widths: readonly [number, number, number, number, number]
  depths: readonly [number, number, number, number, number]
  headWidth: number
  /** Channels before and after the hidden layer of the classifier. */
  classifier: readonly [number, number]
  /** The L series: fused blocks in the first stages, attention in the last alone. */
  large?: boolean
}

const b2 = { headWidth: 32, classifier: [2304, 2560] } as const
const large = { headWidth: 32, classifier: [3072, 3200], large: true } as const

const rows: Rows<EfficientViTConfig> = {
  efficientvit_b0: {
    widths: [8, 16, 32, 64, 128],
    depths: [1, 2, 2, 2, 2],
    headWidth: 16,
    classifier: [1024, 1280],
  },
  efficientvit_b1: {
    widths: [16, 32, 64, 128, 256],
    depths: [1, 2, 3, 3, 4],
    headWidth: 16,
    classifier: [1536, 1600],
  },
  efficientvit_b2: { ...b2, widths: [24, 48, 96, 192, 384], depths: [1, 3, 4, 4, 6] },
  efficientvit_b3: { ...b2, widths: [32, 64, 128, 256, 512], depths: [1, 4, 6, 6, 9] },
  efficientvit_l1: { ...large, widths: [32, 64, 128, 256, 512], depths: [1, 1, 1, 6, 6] },
  efficientvit_l2: { ...large, widths: [32, 64, 128, 256, 512], depths: [1, 2, 2, 8, 8] },
  efficientvit_l3: {
    ...large,
    widths: [64, 128, 256, 512, 1024],
    depths: [1, 2, 2, 8, 8],
    classifier: [6144, 6400],
  },
}

/** image [n, 3, h, w] -> features [n, hidden layer of the classifier], logits [n, classes] */
const efficientViT: ClassifierBuilder<EfficientViTConfig> = (w, image, c) => {
  const activation = c.large ? geluTanh : hardSwish
  const epsilon = c.large ? 1e-7 : 1e-5
  const shared = { activation, epsilon, headWidth: c.headWidth }
  let x = convNorm(w.at('stem.in_conv'), image, { ...halving, out: c.widths[0], epsilon, names })
  x = activation(x)
  const stem = { ...shared, out: c.widths[0], stride: 1, expand: 1, fused: c.large }
  for (let i = 0; i < c.depths[0]; i++)
    x = add(x, invertedBlock(w.at(`stem.res${i}.main`), x, stem))
  for (const [i, stage] of w.each('stages', 4).entries()) {
    const attends = i >= (c.large ? 3 : 2)
    const settings = {
      ...shared,
      out: c.widths[i + 1]!,
      stride: 1,
      expand: c.large && attends ? 6 : 4,
      fused: c.large && i < 2,
      fewNorms: i >= 2,
    }
    const expand = c.large ? (attends ? 24 : 16) : 4
    const rest = c.depths[i + 1]! - (attends || c.large ? 0 : 1)
    const [first, ...others] = stage.each('blocks', rest + 1)
    const fewNorms = c.large ? i >= 2 : attends
    x = invertedBlock(first!.at('main'), x, { ...settings, stride: 2, expand, fewNorms })
    for (const block of others)
      x = attends
        ? attentionBlock(block, x, settings)
        : add(x, invertedBlock(block.at('main'), x, { ...settings, fewNorms }))
  }
  const head = w.at('head')
  const hidden = [head.at('in_conv'), head.at('classifier.0'), head.at('classifier.1')] as const
  const features = pooledHiddenLayer(hidden, x, { ...shared, classifier: c.classifier })
  return linearHead(w.at('head.classifier.4'), features, c.classes)
}

const names = ['conv', 'norm'] as const
const halving = { kernel: 3, stride: 2 }

interface BlockSettings {
  activation: (x: Tensor) => Tensor
  epsilon: number
  headWidth: number
  out: number
  stride: number
  expand: number
  /** Whether one 3 × 3 convolution stands in place of the expansion and the depthwise convolution. */
  fused?: boolean | undefined
  /** Whether the convolution of a fused block has a bias beside its norm's. */
  bias?: boolean
  /** Whether only the last convolution has a norm. */
  fewNorms?: boolean
}

/** An inverted residual block; without its expansion if that is 1. */
export const invertedBlock: Block<Omit<BlockSettings, 'headWidth'>> = (w, x, c) => {
  const { activation, out, stride, epsilon } = c
  const inner = channelsOf(x) * c.expand
  const layer = { epsilon, names, norm: !c.fewNorms }
  const spatial = { ...layer, kernel: 3, stride }
  const last = { epsilon, names, out }
  if (c.fused) {
    const [first, second] = c.expand === 1 ? ['conv1', 'conv2'] : ['spatial_conv', 'point_conv']
    const bias = c.bias ?? false
    const y = activation(convNorm(w.at(first), x, { ...spatial, out: inner, bias }))
    return convNorm(w.at(second), y, { ...last, kernel: c.expand === 1 ? 3 : 1 })
  }
  let y = x
  if (c.expand > 1) y = activation(convNorm(w.at('inverted_conv'), y, { ...layer, out: inner }))
  y = activation(depthwiseConvNorm(w.at('depth_conv'), y, spatial))
  return convNorm(w.at('point_conv'), y, last)
}

const attentionBlock: Block<BlockSettings> = (w, x, c) => {
  const y = add(x, linearAttention(w.at('context_module.main'), x, c))
  return add(y, invertedBlock(w.at('local_module.main'), y, { ...c, fused: false, fewNorms: true }))
}

/** Attention without softmax, over the features and their 5 × 5 neighbourhoods in heads of their own. */
const linearAttention: Block<BlockSettings> = (w, x, c) => {
  const [n, channels, height, width] = x.shape
  const dim = c.headWidth
  const inner = Math.floor(fixedSize(channels, 'linearAttention') / dim) * dim
  const qkv = conv(w.at('qkv.conv'), x, { out: 3 * inner })
  const near = depthwiseConv(w.at('aggreg.0.0'), qkv, { kernel: 5 })
  const scaled = conv(w.at('aggreg.0.1'), near, { out: 3 * inner, groups: (3 * inner) / dim })
  const places = product([height!, width!])
  const heads = reshape(concat([qkv, scaled], 1), [n!, (2 * inner) / dim, 3 * dim, places])
  const [q, k, v] = split(heads, [dim, dim, dim], 2)
  const keys = transpose(relu(k!), [0, 1, 3, 2])
  const queries = relu(q!)
  const weighted = matmul(matmul(v!, keys), queries)
  const total = add(matmul(sum(keys, [2], true), queries), 1e-5)
  const mixed = reshape(div(weighted, total), [n!, 2 * inner, height!, width!])
  return convNorm(w.at('proj'), mixed, { out: c.out, epsilon: c.epsilon, names })
}

/** The hidden layer, with norm and activation, of a classifier over the mean of widened features [n, c, h, w]. */
export function pooledHiddenLayer(
  [widening, layer, norm]: readonly [ParameterScope, ParameterScope, ParameterScope],
  x: Tensor,
  c: Pick<BlockSettings, 'activation' | 'epsilon'> & Pick<EfficientViTConfig, 'classifier'>,
): Tensor {
  const wide = c.activation(convNorm(widening, x, { out: c.classifier[0], names }))
  const hidden = unbiasedLinear(layer, globalMean(wide), c.classifier[1])
  return c.activation(layerNorm(norm, hidden, c.epsilon))
}

export const efficientViTs = classifiers({ family: 'efficientvit', rows, build: efficientViT })

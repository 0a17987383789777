/**
 * ResNet (He et al. 2015) and its descendants as timm's resnet.py computes them: ResNeXt (Xie et al. 2016), Wide ResNet
 * (Zagoruyko and Komodakis 2016), the variants C, D, S and T (He et al. 2018), SENet (Hu et al. 2017), ECA-Net (Wang et
 * al. 2019), ResNet-RS (Bello et al. 2021) and anti-aliased ResNets (Zhang 2019), also as the package antialiased_cnns
 * computes them.
 */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import {
  blurPool,
  channelAttention,
  divisibleWidth,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, groupNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, avgPool, conv2d, maxPool, pad2d, relu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'
import { prunedStages, type PrunedStage } from './prunedWidths.ts'

type BlockKind = 'basic' | 'bottleneck'

/** A residual block: x [n, channels, h, w] to its output's channels at its stride. */
type ResidualBlock = Block<ResidualBlockSettings>

export interface ResNetConfig {
  /** Blocks of one kind, or a kind for each stage; other families bring their own. */
  block: BlockKind | readonly BlockKind[] | ResidualBlock
  depths: readonly number[]
  /** Channels of the stages, 64 and doubled by default. */
  widths?: readonly number[]
  /** Groups of the 3 × 3 convolutions and channels of a group at the first stage. */
  groups?: number
  groupWidth?: number
  /** Three 3 × 3 convolutions of these widths as the stem, in place of one of 7 × 7 to 64 channels. */
  stem?: readonly [number, number, number]
  /** A convolution as the stem's pooling, or windows that reach past the end in place of padding. */
  stemPool?: 'convolution' | 'ceil'
  /** Shortcuts that average before a 1 × 1 convolution. */
  averageDown?: boolean
  /** Side of the shortcuts' convolutions where they subsample. */
  downKernel?: number
  /** Divisor of the channels of a block's first convolution. */
  reduceFirst?: number
  attention?: 'squeeze' | 'efficient'
  /** Share of the channels between the layers of squeeze-and-excitation, 1/16 by default. */
  squeeze?: number
  /** Filter in place of subsampling: averages, timm's fixed blur, or the blur of antialiased_cnns' checkpoints. */
  antialias?: 'average' | 'blur' | 'checkpoint'
  norm?: 'group'
}

const basic = (depths: readonly number[]): ResNetConfig => ({ block: 'basic', depths })
const bottleneck = (depths: readonly number[]): ResNetConfig => ({ block: 'bottleneck', depths })

const r10 = [1, 1, 1, 1]
const r26 = [2, 2, 2, 2]
const r50 = [3, 4, 6, 3]
const r101 = [3, 4, 23, 3]
const r152 = [3, 8, 36, 3]
const r200 = [3, 24, 36, 3]
const r269 = [3, 30, 48, 8]

const variantC = { stem: [32, 32, 64] } as const
const variantD = { ...variantC, averageDown: true } as const
const variantS = { stem: [64, 64, 128] } as const
const variantT = { stem: [24, 32, 64], averageDown: true } as const
const x32x4 = { groups: 32, groupWidth: 4 }
const x32x8 = { groups: 32, groupWidth: 8 }
const x64x4 = { groups: 64, groupWidth: 4 }
const squeezed = { attention: 'squeeze' } as const
const efficient = { attention: 'efficient' } as const
const averaged = { antialias: 'average' } as const
const blurred = { antialias: 'blur' } as const
const checkpointBlur = { antialias: 'checkpoint' } as const
const scaledUp = { ...variantD, ...squeezed, stemPool: 'convolution', squeeze: 1 / 4 } as const

const pruned = (stages: readonly PrunedStage[], depths: readonly number[]): ResNetConfig => ({
  ...variantD,
  block: (w, x, c) => prunedBlock(w, x, { ...c, stages }),
  depths,
})

const rows: Rows<ResNetConfig> = {
  resnet10t: { ...basic(r10), ...variantT },
  resnet14t: { ...bottleneck(r10), ...variantT },
  resnet18: basic(r26),
  resnet18d: { ...basic(r26), ...variantD },
  resnet34: basic(r50),
  resnet34d: { ...basic(r50), ...variantD },
  resnet26: bottleneck(r26),
  resnet26d: { ...bottleneck(r26), ...variantD },
  resnet26t: { ...bottleneck(r26), ...variantT },
  resnet50: bottleneck(r50),
  resnet50c: { ...bottleneck(r50), ...variantC },
  resnet50d: { ...bottleneck(r50), ...variantD },
  resnet50s: { ...bottleneck(r50), ...variantS },
  resnet50_gn: { ...bottleneck(r50), norm: 'group' },
  resnet101: bottleneck(r101),
  resnet101c: { ...bottleneck(r101), ...variantC },
  resnet101d: { ...bottleneck(r101), ...variantD },
  resnet101s: { ...bottleneck(r101), ...variantS },
  resnet152: bottleneck(r152),
  resnet152c: { ...bottleneck(r152), ...variantC },
  resnet152d: { ...bottleneck(r152), ...variantD },
  resnet152s: { ...bottleneck(r152), ...variantS },
  resnet200d: { ...bottleneck(r200), ...variantD },
  wide_resnet50_2: { ...bottleneck(r50), groupWidth: 128 },
  wide_resnet101_2: { ...bottleneck(r101), groupWidth: 128 },
  resnext50_32x4d: { ...bottleneck(r50), ...x32x4 },
  resnext50d_32x4d: { ...bottleneck(r50), ...x32x4, ...variantD },
  resnext101_32x4d: { ...bottleneck(r101), ...x32x4 },
  resnext101_32x8d: { ...bottleneck(r101), ...x32x8 },
  resnext101_32x16d: { ...bottleneck(r101), groups: 32, groupWidth: 16 },
  resnext101_32x32d: { ...bottleneck(r101), groups: 32, groupWidth: 32 },
  resnext101_64x4d: { ...bottleneck(r101), ...x64x4 },
  seresnet50: { ...bottleneck(r50), ...squeezed },
  seresnet152d: { ...bottleneck(r152), ...variantD, ...squeezed },
  seresnext26d_32x4d: { ...bottleneck(r26), ...x32x4, ...variantD, ...squeezed },
  seresnext26t_32x4d: { ...bottleneck(r26), ...x32x4, ...variantT, ...squeezed },
  seresnext50_32x4d: { ...bottleneck(r50), ...x32x4, ...squeezed },
  seresnext101_32x4d: { ...bottleneck(r101), ...x32x4, ...squeezed },
  seresnext101_32x8d: { ...bottleneck(r101), ...x32x8, ...squeezed },
  seresnext101_64x4d: { ...bottleneck(r101), ...x64x4, ...squeezed },
  seresnext101d_32x8d: { ...bottleneck(r101), ...x32x8, ...variantD, ...squeezed },
  senet154: {
    ...bottleneck(r152),
    ...x64x4,
    ...variantS,
    ...squeezed,
    downKernel: 3,
    reduceFirst: 2,
  },
  ecaresnet26t: { ...bottleneck(r26), ...variantT, ...efficient },
  ecaresnet50d: { ...bottleneck(r50), ...variantD, ...efficient },
  ecaresnet50t: { ...bottleneck(r50), ...variantT, ...efficient },
  ecaresnet50d_pruned: pruned(prunedStages('resnet50'), r50),
  ecaresnet101d_pruned: pruned(prunedStages('resnet101'), r101),
  ecaresnet101d: { ...bottleneck(r101), ...variantD, ...efficient },
  ecaresnet269d: { ...bottleneck(r269), ...variantD, ...efficient },
  ecaresnetlight: { ...bottleneck([1, 1, 11, 3]), ...efficient, averageDown: true },
  resnetaa50: { ...bottleneck(r50), ...averaged },
  resnetaa50d: { ...bottleneck(r50), ...variantD, ...averaged },
  resnetaa101d: { ...bottleneck(r101), ...variantD, ...averaged },
  seresnextaa101d_32x8d: { ...bottleneck(r101), ...x32x8, ...variantD, ...squeezed, ...averaged },
  seresnextaa201d_32x8d: {
    ...bottleneck([3, 24, 36, 4]),
    ...x32x8,
    ...squeezed,
    ...averaged,
    stem: [64, 64, 128],
    averageDown: true,
  },
  resnetblur50: { ...bottleneck(r50), ...blurred },
  resnetrs50: { ...bottleneck(r50), ...scaledUp },
  resnetrs101: { ...bottleneck(r101), ...scaledUp },
  resnetrs152: { ...bottleneck(r152), ...scaledUp },
  resnetrs200: { ...bottleneck(r200), ...scaledUp },
  resnetrs270: { ...bottleneck([4, 29, 53, 4]), ...scaledUp },
  resnetrs350: { ...bottleneck([4, 36, 72, 4]), ...scaledUp },
  resnetrs420: { ...bottleneck([4, 44, 87, 4]), ...scaledUp },
  test_resnet: {
    block: ['basic', 'basic', 'bottleneck', 'basic'],
    depths: r10,
    widths: [32, 48, 48, 96],
    stem: [16, 16, 32],
    averageDown: true,
  },
  antialiased_resnet18: { ...basic(r26), ...checkpointBlur },
  antialiased_resnet34: { ...basic(r50), ...checkpointBlur },
  antialiased_resnet50: { ...bottleneck(r50), ...checkpointBlur },
  antialiased_resnet101: { ...bottleneck(r101), ...checkpointBlur },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
export const resnet: ClassifierBuilder<ResNetConfig> = (w, image, c) => {
  let x = stem(w, image, c)
  for (const [stage, depth] of c.depths.entries()) {
    const width = c.widths?.[stage] ?? 64 * 2 ** stage
    const block = blockOf(c, stage)
    for (const [i, scope] of w.each(`layer${stage + 1}`, depth).entries())
      x = block(scope, x, { ...c, width, stride: i === 0 && stage > 0 ? 2 : 1 })
  }
  return pooledHead(w.at('fc'), x, c.classes)
}

function blockOf({ block }: ResNetConfig, stage: number): ResidualBlock {
  if (typeof block === 'function') return block
  return blocks[typeof block === 'string' ? block : block[stage]!]
}

/** Settings of a block: its network's, and its own width and stride. */
export interface ResidualBlockSettings extends Partial<Omit<ResNetConfig, 'block' | 'depths'>> {
  width: number
  stride: number
}

const norm: Block<Pick<ResNetConfig, 'norm'>> = (w, x, c) =>
  c.norm === 'group' ? groupNorm(w, x, { groups: 32 }) : batchNorm(w, x)

const stem: Block<ResNetConfig> = (w, image, c) => {
  const layers = w.at('conv1')
  let x: Tensor
  if (c.stem) {
    x = relu(batchNorm(layers.at(1), conv(layers.at(0), image, { out: c.stem[0], ...halving })))
    x = relu(batchNorm(layers.at(4), conv(layers.at(3), x, { out: c.stem[1], ...same })))
    x = conv(layers.at(6), x, { out: c.stem[2], ...same })
  } else x = conv(layers, image, { out: 64, kernel: 7, stride: 2, padding: 3 })
  x = relu(norm(w.at('bn1'), x, c))
  const pool = w.at('maxpool')
  if (c.stemPool === 'convolution')
    return relu(batchNorm(pool.at(1), conv(pool.at(0), x, { out: channelsOf(x), ...halving })))
  if (c.stemPool === 'ceil') return maxPool(x, 3, { stride: 2, ceil: true })
  switch (c.antialias) {
    case 'average':
      return avgPool(x, 2, { stride: 2 })
    case 'blur':
      return blurPool(maxPool(x, 3, { padding: 1 }))
    case 'checkpoint':
      return checkpointBlurPool(pool.at(1), maxPool(x, 2))
    default:
      return maxPool(x, 3, { stride: 2, padding: 1 })
  }
}

/** A 3 × 3 convolution that keeps the size, and one that halves it. */
const same = { kernel: 3, padding: 1 }
const halving = { ...same, stride: 2 }

export const basicBlock: Block<ResidualBlockSettings> = (w, x, c) => {
  const stride = c.antialias ? 1 : c.stride
  let y = relu(norm(w.at('bn1'), conv(w.at('conv1'), x, { out: c.width, ...same, stride }), c))
  y = norm(w.at('bn2'), subsampled(w.at('conv2'), y, { ...c, kernel: 3, out: c.width }), c)
  return relu(
    add(attended(w.at('se'), y, c), shortcut(w.at('downsample'), x, { ...c, out: c.width })),
  )
}

export const bottleneckBlock: Block<ResidualBlockSettings> = (w, x, c) => {
  const groups = c.groups ?? 1
  const inner = Math.floor((c.width * (c.groupWidth ?? 64)) / 64) * groups
  const out = 4 * c.width
  const stride = c.antialias ? 1 : c.stride
  let y = conv(w.at('conv1'), x, { out: inner / (c.reduceFirst ?? 1) })
  y = relu(norm(w.at('bn1'), y, c))
  y = relu(norm(w.at('bn2'), conv(w.at('conv2'), y, { out: inner, ...same, stride, groups }), c))
  y = norm(w.at('bn3'), subsampled(w.at('conv3'), y, { ...c, kernel: 1, out }), c)
  return relu(add(attended(w.at('se'), y, c), shortcut(w.at('downsample'), x, { ...c, out })))
}

const blocks = { basic: basicBlock, bottleneck: bottleneckBlock }

/** Applies a bottleneck with ECA whose widths depend on the stage and place in its scope's path. */
const prunedBlock: Block<ResidualBlockSettings & { stages: readonly PrunedStage[] }> = (
  w,
  x,
  c,
) => {
  const [, stage, place] = /(\d+)\.(\d+)$/.exec(w.path)!.map(Number)
  const { out, blocks } = c.stages[stage! - 1]!
  const [first, second] = blocks[place!]!
  const spatial = { out: second, ...same, stride: c.stride }
  let y = relu(batchNorm(w.at('bn1'), conv(w.at('conv1'), x, { out: first })))
  y = relu(batchNorm(w.at('bn2'), conv(w.at('conv2'), y, spatial)))
  y = batchNorm(w.at('bn3'), conv(w.at('conv3'), y, { out }))
  const gated = channelAttention(w.at('se'), y, { unpruned: 4 * c.width })
  return relu(add(gated, shortcut(w.at('downsample'), x, { ...c, out })))
}

/** Applies the gate on a block's channels, where it has one. */
const attended: Block<ResidualBlockSettings> = (w, x, c) => {
  if (c.attention === 'efficient') return channelAttention(w, x)
  if (c.attention !== 'squeeze') return x
  return squeezeExcite(w, x, { inner: divisibleWidth(channelsOf(x) * (c.squeeze ?? 1 / 16)) })
}

/** Applies a convolution, behind the filter that an anti-aliased block has in place of its stride. */
const subsampled: Block<ResidualBlockSettings & { out: number; kernel: number }> = (
  w,
  x,
  { out, kernel, antialias, stride },
) => {
  const padding = (kernel - 1) / 2
  if (!antialias || stride === 1) return conv(w, x, { out, kernel, padding })
  if (antialias === 'checkpoint')
    return conv(w.at(1), checkpointBlurPool(w.at(0), x), { out, kernel, padding })
  const smaller = antialias === 'average' ? avgPool(x, 2, { stride: 2 }) : blurPool(x)
  return conv(w, smaller, { out, kernel, padding })
}

/** Brings a block's input to its output's channels and size by the layers in `w`, where they differ. */
export const shortcut: Block<ResidualBlockSettings & { out: number }> = (w, x, c) => {
  const { stride, out } = c
  if (stride === 1 && x.shape[1] === out) return x
  if (c.averageDown) {
    const smaller = stride === 1 ? x : avgPool(x, 2, { stride, ceil: true })
    return norm(w.at(2), conv(w.at(1), smaller, { out }), c)
  }
  if (c.antialias === 'checkpoint' && stride > 1)
    return batchNorm(w.at(2), conv(w.at(1), checkpointBlurPool(w.at(0), x), { out }))
  const kernel = stride === 1 ? 1 : (c.downKernel ?? 1)
  return norm(w.at(1), conv(w.at(0), x, { out, kernel, stride, padding: (kernel - 1) / 2 }), c)
}

/** Halves x by the checkpoint's fixed 4 × 4 kernel with stride 2; borders are reflected. */
const checkpointBlurPool: Layer = (w, x) => {
  const width = channelsOf(x)
  const weight = w.get('filt', [width, 1, 4, 4], 'fixed')
  return conv2d(pad2d(x, [1, 1, 2, 2], 'reflect'), { weight }, { stride: 2, groups: width })
}

export const resnets = classifiers({ family: 'resnet', rows, build: resnet })

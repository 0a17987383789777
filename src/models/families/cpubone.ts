/**
 * CPUBone (Nottebaum et al. 2026) as timm's cpubone.py computes it: grouped convolutions, 2 × 2 kernels and attention
 * over a coarser grid in the last two stages.
 */
import { type Block } from '../../lib/onnx/graph.ts'
import {
  attendHeads,
  joinImageHeads,
  splitImageHeads,
  splitQkv,
} from '../../lib/onnx/blocks/attention.ts'
import { conv, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm, groupNorm, layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, gelu, globalMean, hardSwish, pad2d, resize, slice } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface CpuBoneConfig {
  /** Channels of the stem, doubled in each stage. */
  dim: number
  /** Blocks of the stem and of the four stages. */
  depths: readonly number[]
  /** Channels inside the halving blocks over their input's, 4 by default. */
  expansion?: number
  head?: readonly [number, number]
  /** Norms of the inverted bottlenecks' first two layers; none by default. */
  norms?: 'depthwise' | 'all'
}

const b2 = { expansion: 6, head: [2304, 2560] } as const

const rows: Rows<CpuBoneConfig> = {
  cpubone_nano: { dim: 12, depths: [0, 1, 1, 1, 2] },
  cpubone_t0: { dim: 12, depths: [0, 1, 1, 2, 3] },
  cpubone_s0: { dim: 14, depths: [0, 1, 1, 2, 3] },
  cpubone_b0_bfrobust: { dim: 16, depths: [0, 1, 1, 3, 4], norms: 'all' },
  cpubone_b1_bfrobust: { dim: 16, depths: [0, 1, 1, 5, 5], expansion: 6, norms: 'all' },
  cpubone_b1_dwnorm: { dim: 16, depths: [0, 1, 1, 5, 5], expansion: 6, norms: 'depthwise' },
  cpubone_b2_bfrobust: { dim: 20, depths: [0, 1, 1, 6, 6], ...b2, norms: 'all' },
  cpubone_b2pt5_dwnorm: { dim: 24, depths: [0, 1, 1, 6, 6], ...b2, norms: 'depthwise' },
  cpubone_b3: { dim: 32, depths: [1, 2, 3, 6, 6], expansion: 6 },
}

/** image [n, 3, h, w] -> features [n, head], logits [n, classes] */
const cpuBone: ClassifierBuilder<CpuBoneConfig> = (w, image, c) => {
  const [stemDepth, ...depths] = c.depths
  const { expansion = 4, head = [1536, 1600] } = c
  let x = layer(w.at('stem.0'), image, { out: c.dim, kernel: 3, stride: 2, active: true })
  for (let i = 1; i <= stemDepth!; i++)
    x = add(x, fused(w.at(`stem.${i}.main`), x, { out: c.dim, kernel: 3 }))
  for (const [i, depth] of depths.entries()) {
    const stage = w.at(`stages.${i}`)
    const out = c.dim * 2 ** (i + 1)
    x = fused(stage.at('0.main'), x, { out, kernel: 3, stride: 2, expansion })
    const attentive = i > 1
    for (let block = 1; block < (attentive ? depth + 1 : depth); block++) {
      const scope = stage.at(block)
      x = attentive
        ? attentiveBlock(scope.at('total'), x, { ...c, step: i === 2 ? 2 : 1 })
        : add(x, fused(scope.at('main'), x, { out, kernel: 3 }))
    }
  }
  const layers = w.at('head')
  const pooled = layer(layers.at('in_conv'), x, { out: head[0], active: true })
  const before = layers.at('pre_classifier')
  const hidden = unbiasedLinear(before.at('linear'), globalMean(pooled), head[1])
  const features = hardSwish(layerNorm(before.at('norm'), hidden, 1e-5))
  return linearHead(layers.at('classifier.linear'), features, c.classes)
}

interface LayerOptions {
  out: number
  kernel?: number
  stride?: number
  groups?: number
  /** A bias in the convolution; by default it has none. */
  bias?: boolean
  /** Whether a norm follows; it does by default. */
  norm?: boolean
  active?: boolean
}

/** A convolution that keeps the size over its stride; a 2 × 2 kernel without stride is padded at the top and left. */
const layer: Block<LayerOptions> = (w, x, c) => {
  const { active = false, norm = true, ...options } = c
  const { kernel = 1, stride = 1 } = c
  const shifted = kernel === 2 && stride === 1
  const padding = kernel === 2 ? 0 : (kernel - 1) / 2
  const scope = shifted ? w.at('conv.1') : w.at('conv')
  const y = conv(scope, shifted ? pad2d(x, [1, 1, 0, 0]) : x, { ...options, padding })
  const normal = norm ? batchNorm(w.at('norm'), y) : y
  return active ? hardSwish(normal) : normal
}

interface FusedOptions {
  out: number
  kernel: number
  stride?: number
  expansion?: number
  bias?: boolean
}

const fused: Block<FusedOptions> = (w, x, c) => {
  const { expansion = 4, stride = 1, kernel, bias = false } = c
  const wide = { out: channelsOf(x) * expansion, kernel, stride, groups: 2, bias, active: true }
  return layer(w.at('point_conv'), layer(w.at('spatial_conv'), x, wide), { out: c.out })
}

/** An inverted bottleneck; its convolutions have a bias where no norm follows. */
const inverted: Block<CpuBoneConfig['norms']> = (w, x, norms) => {
  const width = channelsOf(x)
  const out = 4 * width
  const normed = (norm: boolean) => ({ out, norm, bias: !norm, active: true })
  let y = layer(w.at('inverted_conv'), x, { ...normed(norms === 'all'), groups: 2 })
  y = layer(w.at('depth_conv'), y, { ...normed(norms !== undefined), kernel: 2, groups: out })
  return layer(w.at('point_conv'), y, { out: width })
}

const attentiveBlock: Block<Pick<CpuBoneConfig, 'norms'> & { step: number }> = (w, x, c) => {
  const width = channelsOf(x)
  const context = w.at('0.0.main')
  let y = add(x, attention(context.at(1), groupNorm(context.at(0), x, { groups: 1 }), c.step))
  const layers = w.at('0.1.main')
  const normal = groupNorm(layers.at(0), y, { groups: 1 })
  const hidden = gelu(conv(layers.at(1), normal, { out: 4 * width, bias: true }))
  y = add(y, conv(layers.at(3), hidden, { out: width, bias: true }))
  const local = w.at('1.main')
  if (width >= 256) return add(y, inverted(local, y, c.norms))
  return add(y, fused(local, y, { out: width, kernel: 2, bias: true }))
}

/** Computes attention on a grid coarser by `step` and repeats its results. */
const attention: Block<number> = (w, x, step) => {
  const [n, , height, columns] = x.shape
  const [h, wide] = [fixedSize(height, 'cpubone'), fixedSize(columns, 'cpubone')]
  const width = channelsOf(x)
  const heads = Math.max(1, Math.floor(width / 60))
  const each = Math.floor(Math.floor(width / heads) / 2)
  const [below, right] = [(step - (h % step)) % step, (step - (wide % step)) % step]
  const whole = below + right > 0 ? pad2d(x, [0, 0, below, right]) : x
  const projection = { out: width, kernel: 2, stride: step, groups: width }
  const y = layer(w.at('conv_proj'), whole, projection)
  const grid = y.shape.slice(2)
  const qkv = splitQkv(splitImageHeads(conv(w.at('pwise'), y, { out: 3 * heads * each }), heads))
  const image = joinImageHeads(attendHeads(qkv), grid)
  const out = conv(w.at('upsampling.0'), image, { out: width, bias: true })
  if (step === 1) return out
  const sides = grid.map(side => fixedSize(side, 'cpubone') * step)
  const nearest = { mode: 'nearest', coordinates: 'asymmetric' } as const
  const repeated = resize(out, [n!, width, ...sides], nearest)
  return below + right > 0 ? slice(slice(repeated, 2, [0, h]), 3, [0, wide]) : repeated
}

export const cpuBones = classifiers({ family: 'cpubone', rows, build: cpuBone })

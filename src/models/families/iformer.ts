/** iFormer, a mobile network with attention of one gated head (Zheng 2025), as timm's iformer.py computes it. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { attendPlaces } from '../../lib/onnx/blocks/attention.ts'
import { convNorm, depthwiseConvNorm, normLinear } from '../../lib/onnx/blocks/convNorm.ts'
import {
  add,
  average,
  flatten,
  gelu,
  globalAvgPool,
  halves,
  mul,
  sigmoid,
} from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface IformerConfig {
  depths: readonly [number, number, number, number]
  widths: readonly [number, number, number, number]
  /** Groups of three blocks with attention in the third and fourth stage. */
  groups: readonly [number, number]
  /** Channels over the keys' in the third and fourth stage, 2 and 4 by default. */
  reductions?: readonly [number, number]
  /** Channels inside a convolutional block and inside an MLP over the stage's, 4 and 3 by default. */
  ratios?: readonly [conv: number, mlp: number]
  layerScale?: boolean
  distilled?: boolean
}

const m: IformerConfig = { depths: [2, 2, 22, 6], widths: [48, 96, 192, 384], groups: [4, 2] }
const l: IformerConfig = { depths: [2, 2, 33, 6], widths: [48, 96, 256, 384], groups: [8, 2] }

const rows: Rows<IformerConfig> = {
  iformer_t: { depths: [2, 2, 16, 6], widths: [32, 64, 128, 256], groups: [3, 2], ratios: [3, 2] },
  iformer_s: { depths: [2, 2, 19, 6], widths: [32, 64, 176, 320], groups: [3, 2] },
  iformer_m: m,
  iformer_m_distilled: { ...m, distilled: true },
  iformer_l: l,
  iformer_l_distilled: { ...l, distilled: true },
  iformer_l2_distilled: {
    depths: [3, 3, 46, 9],
    widths: [64, 128, 256, 512],
    groups: [11, 3],
    distilled: true,
  },
  iformer_h: {
    depths: [5, 5, 60, 18],
    widths: [96, 192, 384, 768],
    groups: [15, 6],
    reductions: [1, 1],
    ratios: [4, 4],
    layerScale: true,
  },
}

const names = ['c', 'bn'] as const

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const iformer: ClassifierBuilder<IformerConfig> = (w, image, c) => {
  const { reductions = [2, 4], ratios = [4, 3] } = c
  const half = c.widths[0] / 2
  const first = convNorm(w.at('stem.conv1'), image, { out: half, kernel: 5, stride: 2, names })
  const second = { out: 4 * half, kernel: 5, stride: 2, names }
  const wide = gelu(convNorm(w.at('stem.conv2'), gelu(first), second))
  let x = convNorm(w.at('stem.conv3'), wide, { out: 2 * half, names })
  for (const [i, stage] of w.each('stages', 4).entries()) {
    const out = c.widths[i]!
    if (i > 0) x = convNorm(stage.at('downsample'), x, { out, kernel: 3, stride: 2, names })
    const kinds = blockKinds(c.depths[i]!, i < 2 ? 0 : c.groups[i - 2]!)
    const settings = { key: out / (reductions[i - 2] ?? 1), ratios }
    for (const [j, kind] of kinds.entries()) {
      const block = stage.at(`blocks.${j}`)
      const y = branches[kind](block, x, settings)
      const scaled = c.layerScale === true && kind !== 'positions'
      x = add(x, scaled ? mul(y, block.get('mixer.gamma', [1, out, 1, 1], 'scale')) : y)
    }
  }
  const pooled = globalAvgPool(x)
  const heads = c.distilled ? ['head.head', 'head.head_dist'] : ['head.head']
  const logits = heads.map(name => normLinear(w.at(name), pooled, { out: c.classes, name: 'l' }))
  return { features: flatten(pooled), logits: average(logits) }
}

type BlockKind = 'convolution' | 'positions' | 'attention' | 'mlp'

/** A stage's blocks in order: convolutions, then groups with attention, then one convolution if there are any. */
function blockKinds(depth: number, groups: number): BlockKind[] {
  const convolutions = depth - 3 * groups
  const last = groups > 0 && convolutions > 0 ? 1 : 0
  const group = ['positions', 'attention', 'mlp'] as const
  return [
    ...Array<BlockKind>(convolutions - last).fill('convolution'),
    ...Array.from({ length: groups }, () => group).flat(),
    ...Array<BlockKind>(last).fill('convolution'),
  ]
}

interface BranchSettings {
  /** Channels of the keys. */
  key: number
  ratios: readonly [conv: number, mlp: number]
}

const depthwise: Block<number> = (w, x, kernel) => depthwiseConvNorm(w, x, { kernel, names })

/** Two 1 × 1 convolutions at the given places of a sequence, with `ratio` times the channels between them. */
const pointwise: Block<readonly [number, number]> = (w, x, [place, ratio]) => {
  const width = channelsOf(x)
  const inner = gelu(convNorm(w.at(place), x, { out: ratio * width, names }))
  return convNorm(w.at(place + 2), inner, { out: width, names })
}

type Branch = (w: ParameterScope, x: Tensor, c: BranchSettings) => Tensor

const branches: Record<BlockKind, Branch> = {
  convolution: (w, x, c) => {
    const layers = w.at('mixer.module')
    return pointwise(layers, depthwise(layers.at(0), x, 7), [1, c.ratios[0]])
  },
  positions: (w, x) => depthwise(w.at('cpe.module'), x, 3),
  attention: (w, x, c) => gatedAttention(w.at('mixer.module'), x, c.key),
  mlp: (w, x, c) => pointwise(w.at('mixer.module'), x, [0, c.ratios[1]]),
}

/** Attention of one head over places, times a gate for each value. */
const gatedAttention: Block<number> = (w, x, key) => {
  const width = channelsOf(x)
  const layer = (name: string, out: number): Tensor => convNorm(w.at(name), x, { out, names })
  const [values, gates] = halves(sigmoid(layer('v_gate', 2 * width)), 1)
  const attended = attendPlaces([layer('q', key), layer('k', key), values], { heads: 1 })
  return convNorm(w.at('proj'), mul(attended, gates), { out: width, names })
}

export const iformers = classifiers({ family: 'iformer', rows, build: iformer })

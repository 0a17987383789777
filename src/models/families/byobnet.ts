/**
 * Networks of timm's byobnet.py (bring your own blocks): GENet (Lin et al. 2020), RepVGG (Ding et al. 2021), MobileOne
 * (Vasu et al. 2022), and timm's variants of ResNet, ResNeXt and RegNetZ with several stems and gates.
 */
import { type Block } from '../../lib/onnx/graph.ts'
import { channelAttention } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { maxPool, silu } from '../../lib/onnx/ops.ts'
import { addContext, bilinearAttention, squeeze } from './byobAttention.ts'
import {
  basic,
  bottleneck,
  type ByobBlock,
  type ByobBlocks,
  byobLayer,
  type ByobLayers,
  dark,
  edge,
  mobileOne,
  repVgg,
  single,
} from './byobBlocks.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

/** 3 × 3 convolutions that divide the size by four. */
interface ByobStem {
  widths: readonly number[]
  /** How many of the first have neither norm nor activation. */
  plain?: number
  /** Whether a pooling follows; else the last convolution has a stride. */
  pool?: boolean
}

export interface ByobNetConfig extends ByobLayers {
  stem: { block: ByobBlock; width: number } | ByobStem
  stages: readonly (readonly ByobBlocks[])[]
  /** Width of a last convolution before the pooling. */
  head?: number
}

/** Stages of bottleneck blocks, of which all but the first halve the size. */
const bottlenecks = (
  depths: readonly number[],
  widths: readonly number[],
  c: Partial<ByobBlocks> = {},
): ByobBlocks[][] =>
  depths.map((depth, i) => [
    { block: bottleneck, depth, width: widths[i]!, stride: i === 0 ? 1 : 2, ratio: 1 / 4, ...c },
  ])

/** A 3 × 3 convolution that halves the size. */
export const singleStem = (width: number): ByobNetConfig['stem'] => ({ block: single, width })

/** Three convolutions, the first of 3/8 and the second of half the last one's width. */
export const tiered = { widths: [24, 32, 64] }
export const pooled = { widths: [24, 32, 64], pool: true }
const quad = [16, 32, 64, 128]
const full = [256, 512, 1024, 2048]
const r33 = {
  stem: tiered,
  stages: bottlenecks([2, 3, 3, 2], [256, 512, 1536, 1536]),
  head: 1280,
  activation: silu,
}
const grouped = { groupWidth: 32 }
const x26 = { stem: pooled, stages: bottlenecks([2, 2, 2, 2], full, grouped), activation: silu }
/** Last stage of ResNet-51-Q and ResNet-61-Q: depthwise, with inner layers as wide as the stage. */
const deepwise = { block: bottleneck, depth: 4, width: 1536, groupWidth: 1, ratio: 1 }

const inverse = { groupWidth: 1, ratio: 3 }
const genet = (stem: number, depths: readonly number[], widths: readonly number[]) => ({
  stem: singleStem(stem),
  stages: [
    [{ block: basic, depth: depths[0]!, width: widths[0]! }],
    [{ block: basic, depth: depths[1]!, width: widths[1]! }],
    [{ block: bottleneck, depth: depths[2]!, width: widths[2]!, ratio: 1 / 4 }],
    [{ block: bottleneck, depth: depths[3]!, width: widths[3]!, ...inverse }],
    [{ block: bottleneck, depth: depths[4]!, width: widths[4]!, ...inverse, stride: 1 }],
  ],
})

function repVggNet(
  depths: readonly number[],
  widths: readonly number[],
  c: { stem?: number; groups?: number } = {},
): ByobNetConfig {
  const grouped = (width: number, i: number): Partial<ByobBlocks> =>
    c.groups !== undefined && i % 2 === 1 ? { groupWidth: width / c.groups } : {}
  return {
    stem: { block: repVgg, width: c.stem ?? 64 },
    stages: depths.map((depth, stage) =>
      Array.from({ length: depth }, (_, i) => ({
        block: repVgg,
        width: widths[stage]!,
        ...grouped(widths[stage]!, i),
      })),
    ),
  }
}

function mobileOneNet(
  widths: readonly number[],
  c: { branches?: number; squeezed?: readonly number[] } = {},
): ByobNetConfig {
  const { branches = 1, squeezed = [0, 0, 0, 0] } = c
  let width = Math.min(64, widths[0]!)
  const stem = { block: mobileOne, width }
  const stages = [2, 8, 10, 1].map((depth, stage) =>
    Array.from({ length: depth }, (_, i): ByobBlocks[] => {
      const gate = i >= depth - squeezed[stage]! ? squeeze() : undefined
      const depthwise = { block: mobileOne, width, groupWidth: 1, branches, gate }
      width = widths[stage]!
      return [depthwise, { block: mobileOne, width, kernel: 1, branches, gate }]
    }).flat(),
  )
  return { stem, stages }
}

/** RegNetZ's inverted bottlenecks, with a gate in each. */
export const regNetZ = {
  stem: tiered,
  head: 1792,
  activation: silu,
  gate: squeeze(1 / 4),
  shortcut: 'none',
} as const

const inverted = { inverted: true, ratio: 4 }
const zDepths = [3, 6, 12, 3]
const wide = [64, 128, 256, 384]
export const z16 = { stem: singleStem(32), head: 1536 } as const
const z16Depths = [2, 6, 12, 2]
const thin = { ...inverted, groupWidth: 16, stride: 2 }
const narrow = [48, 96, 192, 288]
const repDepths = [2, 4, 14, 1]
const repDeeper = [4, 6, 16, 1]

const rows: Rows<ByobNetConfig> = {
  gernet_s: { ...genet(13, [1, 3, 7, 2, 1], [48, 48, 384, 560, 256]), head: 1920 },
  gernet_m: { ...genet(32, [1, 2, 6, 4, 1], [128, 192, 640, 640, 640]), head: 2560 },
  gernet_l: { ...genet(32, [1, 2, 6, 5, 4], [128, 192, 640, 640, 640]), head: 2560 },
  repvgg_a0: repVggNet(repDepths, [48, 96, 192, 1280], { stem: 48 }),
  repvgg_a1: repVggNet(repDepths, [64, 128, 256, 1280]),
  repvgg_a2: repVggNet(repDepths, [96, 192, 384, 1408]),
  repvgg_b0: repVggNet(repDeeper, [64, 128, 256, 1280]),
  repvgg_b1: repVggNet(repDeeper, [128, 256, 512, 2048]),
  repvgg_b1g4: repVggNet(repDeeper, [128, 256, 512, 2048], { groups: 4 }),
  repvgg_b2: repVggNet(repDeeper, [160, 320, 640, 2560]),
  repvgg_b2g4: repVggNet(repDeeper, [160, 320, 640, 2560], { groups: 4 }),
  repvgg_b3: repVggNet(repDeeper, [192, 384, 768, 2560]),
  repvgg_b3g4: repVggNet(repDeeper, [192, 384, 768, 2560], { groups: 4 }),
  repvgg_d2se: { ...repVggNet([8, 14, 24, 1], [160, 320, 640, 2560]), gate: squeeze(1 / 16, 1) },
  mobileone_s0: mobileOneNet([48, 128, 256, 1024], { branches: 4 }),
  mobileone_s1: mobileOneNet([96, 192, 512, 1280]),
  mobileone_s2: mobileOneNet([96, 256, 640, 2048]),
  mobileone_s3: mobileOneNet([128, 320, 768, 2048]),
  mobileone_s4: mobileOneNet([192, 448, 896, 2048], { squeezed: [0, 0, 5, 1] }),
  resnet32ts: { ...r33, head: 0 },
  resnet33ts: r33,
  gcresnet33ts: { ...r33, gate: addContext },
  seresnet33ts: { ...r33, gate: squeeze() },
  eca_resnet33ts: { ...r33, gate: channelAttention },
  resnext26ts: x26,
  gcresnext26ts: { ...x26, gate: addContext },
  seresnext26ts: { ...x26, gate: squeeze() },
  eca_resnext26ts: { ...x26, gate: channelAttention },
  bat_resnext26ts: { ...x26, gate: bilinearAttention(8) },
  gcresnet50t: { stem: tiered, stages: bottlenecks([3, 4, 6, 3], full), gate: addContext },
  gcresnext50ts: { ...x26, stages: bottlenecks([3, 4, 6, 3], full, grouped), gate: addContext },
  resnet51q: {
    stem: { widths: quad, plain: 2 },
    stages: [...bottlenecks([2, 4, 6], [256, 512, 1536], grouped), [deepwise]],
    head: 2048,
    activation: silu,
  },
  resnet61q: {
    stem: { widths: quad },
    stages: [
      [{ block: edge, width: 256, stride: 1 }],
      [{ block: bottleneck, depth: 4, width: 512, groupWidth: 32, ratio: 1 / 4, extraConv: true }],
      [{ block: bottleneck, depth: 6, width: 1536, groupWidth: 32, ratio: 1 / 4, extraConv: true }],
      [{ ...deepwise, extraConv: true }],
    ],
    head: 2048,
    activation: silu,
  },
  regnetz_b16: {
    ...regNetZ,
    ...z16,
    stages: bottlenecks(z16Depths, narrow, { ...thin, ratio: 3 }),
  },
  regnetz_c16: { ...regNetZ, ...z16, stages: bottlenecks(z16Depths, narrow, thin) },
  regnetz_c16_evos: {
    ...regNetZ,
    ...z16,
    norm: 'evo',
    stages: bottlenecks(z16Depths, narrow, thin),
  },
  regnetz_d8: { ...regNetZ, stages: bottlenecks(zDepths, wide, { ...inverted, groupWidth: 8 }) },
  regnetz_d8_evos: {
    ...regNetZ,
    norm: 'evo',
    stem: { widths: [64, 64, 64] },
    stages: bottlenecks(zDepths, wide, { ...inverted, groupWidth: 8 }),
  },
  regnetz_d32: { ...regNetZ, stages: bottlenecks(zDepths, wide, { ...inverted, groupWidth: 32 }) },
  regnetz_e8: {
    ...regNetZ,
    stages: bottlenecks([3, 8, 16, 3], [96, 192, 384, 512], { ...inverted, groupWidth: 8 }),
    head: 2048,
  },
  test_byobnet: {
    stem: singleStem(24),
    stages: [
      [{ block: edge, width: 32, ratio: 1 / 2 }],
      [{ block: dark, width: 64, ratio: 1 / 2 }],
      [{ block: basic, width: 128, groupWidth: 32, ratio: 1 / 4 }],
      [{ block: bottleneck, width: 256, groupWidth: 64, ratio: 1 / 4 }],
    ],
    gate: squeeze(1 / 4),
    shortcut: 'average',
  },
}

const stemOf: Block<ByobNetConfig> = (w, image, c) => {
  if ('block' in c.stem) return c.stem.block(w, image, { ...c, width: c.stem.width, stride: 2 })
  const { widths, plain = 0, pool = false } = c.stem
  const x = widths.reduce((y, out, i) => {
    const last = i === widths.length - 1
    const stride = i === 0 || (last && !pool) ? 2 : 1
    const scope = w.at(`conv${i + 1}`)
    if (i < plain) return conv(scope, y, { out, kernel: 3, stride, padding: 1 })
    return byobLayer(scope, y, { net: c, out, kernel: 3, stride })
  }, image)
  return pool ? maxPool(x, 3, { stride: 2, padding: 1 }) : x
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
export const byobNet: ClassifierBuilder<ByobNetConfig> = (w, image, c) => {
  let x = stemOf(w.at('stem'), image, c)
  for (const [stage, groups] of c.stages.entries()) {
    const blocks = groups.flatMap(group => Array<ByobBlocks>(group.depth ?? 1).fill(group))
    for (const [i, block] of blocks.entries()) {
      const stride = i === 0 ? (block.stride ?? 2) : 1
      x = block.block(w.at(`stages.${stage}.${i}`), x, { ...c, ...block, stride })
    }
  }
  if (c.head) x = byobLayer(w.at('final_conv'), x, { net: c, out: c.head })
  return pooledHead(w.at('head.fc'), x, c.classes)
}

export const byobNets = classifiers({ family: 'byobnet', rows, build: byobNet })

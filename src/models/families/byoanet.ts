/**
 * Networks of timm's byoanet.py (bring your own attention): ResNets and a RegNetZ whose last stages have bottleneck
 * attention (Srinivas et al. 2021), halo attention (Vaswani et al. 2021) or lambda layers (Bello 2021).
 */
import { channelAttention } from '../../lib/onnx/blocks/convNorm.ts'
import { silu } from '../../lib/onnx/ops.ts'
import {
  bottleneckAttention,
  haloAttention,
  lambdaLayer,
  type SelfAttention,
  squeeze,
} from './byobAttention.ts'
import { attentive, bottleneck, type ByobBlocks } from './byobBlocks.ts'
import { byobNet, type ByobNetConfig, pooled, regNetZ, tiered, z16 } from './byobnet.ts'
import { type Rows, classifiers } from './family.ts'

/** A stage's depth, width, and the places of its attentive blocks with their attention. */
type StageRow = readonly [
  depth: number,
  width: number,
  attentive?: readonly number[],
  attention?: SelfAttention,
]

const stagesOf = (rows: readonly StageRow[], c: Partial<ByobBlocks> = {}): ByobBlocks[][] =>
  rows.map(([depth, width, places = [], attention], stage) =>
    Array.from({ length: depth }, (_, i): ByobBlocks => {
      const settings = { width, stride: stage === 0 ? 1 : 2, ratio: 1 / 4, ...c }
      return places.includes(i)
        ? { ...settings, block: attentive, attention: attention! }
        : { ...settings, block: bottleneck }
    }),
  )

const r26 = (attention: SelfAttention, c: Partial<ByobBlocks> = {}): ByobBlocks[][] =>
  stagesOf(
    [
      [2, 256],
      [2, 512],
      [2, 1024, [1], attention],
      [2, 2048, [0, 1], attention],
    ],
    c,
  )

/** ResNet-33 with attention at the end of the middle stages and in a narrower last one. */
const r33 = (attention: SelfAttention): ByobBlocks[][] => [
  ...stagesOf([
    [2, 256],
    [3, 512, [2], attention],
    [3, 1024, [2], attention],
  ]),
  [{ block: attentive, depth: 2, width: 1536, ratio: 0.333, attention }],
]

const r50 = (
  [second, third, fourth]: readonly [SelfAttention, SelfAttention, SelfAttention],
  places: readonly number[],
): ByobBlocks[][] =>
  stagesOf([
    [3, 256],
    [4, 512, places, second],
    [6, 1024, [1, 3, 5], third],
    [3, 2048, [1], fourth],
  ])

const bottle = bottleneckAttention()
const halo2 = haloAttention({ halo: 2 })
const halo3 = haloAttention({ halo: 3 })
const lambda = lambdaLayer({ reach: 9 })
const haloZ = haloAttention({ block: 7, halo: 2, share: 0.33 })
const r33Net = { stem: tiered, head: 1280, activation: silu, gate: squeeze() }
const silu50 = { activation: silu, stem: pooled }
const mixed50 = { activation: silu, stem: tiered }
const next26 = { activation: silu, stem: pooled, gate: channelAttention }
const ecaHalo = haloAttention({ halo: 2, headWidth: 16 })

const rows: Rows<ByobNetConfig> = {
  botnet26t_256: { stem: pooled, stages: r26(bottle) },
  sebotnet33ts_256: { ...r33Net, stages: r33(bottle) },
  eca_botnext26ts_256: {
    ...next26,
    stages: r26(bottleneckAttention({ headWidth: 16 }), { groupWidth: 16 }),
  },
  halonet26t: { stem: pooled, stages: r26(halo2) },
  sehalonet33ts: { ...r33Net, stages: r33(halo3) },
  halonet50ts: {
    ...silu50,
    stages: r50([haloAttention({ halo: 3, heads: 4 }), halo3, halo3], [3]),
  },
  eca_halonext26ts: { ...next26, stages: r26(ecaHalo, { groupWidth: 16 }) },
  lambda_resnet26t: { stem: pooled, stages: r26(lambda) },
  lambda_resnet50ts: { ...silu50, stages: r50([lambda, lambda, lambda], [3]) },
  lambda_resnet26rpt_256: { stem: pooled, stages: r26(lambdaLayer()) },
  haloregnetz_b: {
    ...regNetZ,
    ...z16,
    stages: stagesOf(
      [
        [2, 48],
        [6, 96],
        [12, 192, [3, 7, 11], haloZ],
        [2, 288, [0, 1], haloZ],
      ],
      { stride: 2, ratio: 3, groupWidth: 16, inverted: true },
    ),
  },
  lamhalobotnet50ts_256: {
    ...mixed50,
    stages: r50([lambdaLayer({ reach: 13 }), halo3, bottle], [1, 3]),
  },
  halo2botnet50ts_256: { ...mixed50, stages: r50([halo3, halo3, bottle], [1, 3]) },
}

export const byoaNets = classifiers({ family: 'byoanet', rows, build: byobNet })

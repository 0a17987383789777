/**
 * EfficientNet (Tan and Le 2019), EfficientNetV2 (Tan and Le 2021) and their relatives as timm's efficientnet.py and
 * mobilenetv3.py compute them: MnasNet (Tan et al. 2018), MobileNetV1 to V4 (Howard et al. 2017 and 2019, Sandler et al.
 * 2018, Qin et al. 2024), FBNet (Wu et al. 2018, Dai et al. 2020), MixNet (Tan and Le 2019), TinyNet (Han et al. 2020),
 * LCNet (Cui et al. 2021), Single-Path NAS (Stamoulis et al. 2019) and HardCoRe-NAS (Nayman et al. 2021, hardcorenas.py).
 */
import { type Block } from '../../lib/onnx/graph.ts'
import { divisibleWidth } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import {
  clip,
  flatten,
  gelu,
  globalAvgPool,
  hardSigmoid,
  hardSwish,
  relu,
  sigmoid,
  silu,
} from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'
import { type DepthScale, readStage } from './mnasNotation.ts'
import {
  activated,
  type Activation,
  type BlockSettings,
  mobileBlocks,
  norm,
  type MobileNetworkSettings,
  padded,
} from './mobileBlocks.ts'
import {
  acceleratedStages,
  conditionalStages,
  minimalStages,
  mobileStages,
} from './mobileStages.ts'
import { prunedStages, type PrunedStage } from './prunedWidths.ts'

interface EfficientNetConfig extends MobileNetworkSettings {
  /** The stages in MnasNet's notation. */
  stages: readonly string[]
  width?: number
  depth?: number | readonly number[]
  /** Whether depths are rounded to the nearest number, not up. */
  nearestDepth?: boolean
  /** Whether the first and the last stage keep their depth. */
  fixedEnds?: boolean
  stem: number
  stemKernel?: number
  /** Whether the stem keeps its width. */
  fixedStem?: boolean
  /** The widths of a pruned network's stages. */
  pruned?: readonly PrunedStage[]
  /** Whether the first stage sees squares of 2 × 2 pixels as channels (EfficientNet-X, Li et al. 2021). */
  squares?: boolean
  /** Channels of the last 1 × 1 convolution; 0 for none. */
  head: number
  /** How far widths may be rounded down: to no less than this share, nine tenths by default. */
  roundLimit?: number
  /** MobileNetV3 and V4 pool before the last convolution: with a bias, without one, or with a norm in its place. */
  poolFirst?: 'bias' | 'plain' | 'norm'
}

const relu6: Activation = x => clip(x, 0, 6)

const ofInput = { of: 'input', function: sigmoid } as const
const ofExpanded = { of: 'expanded', activation: relu, function: hardSigmoid } as const
const ofExpanded8 = { ...ofExpanded, limit: 0.9 }

/** The channels of the last convolution, scaled like the others. */
const scaledHead = (width: number, head = 1280): number =>
  divisibleWidth(head * width, { limit: 0.9 })

const b = (width: number, depth: number): EfficientNetConfig => ({
  stages: mobileStages('b0'),
  width,
  depth,
  stem: 32,
  head: scaledHead(width),
  activation: silu,
  gate: ofInput,
})
const plain = (
  name: string,
  stem: number,
  rest: Partial<EfficientNetConfig> = {},
): EfficientNetConfig => ({
  stages: mobileStages(name),
  stem,
  head: 1280,
  activation: relu,
  gate: ofInput,
  ...rest,
})
const edge = (width: number, depth: number): EfficientNetConfig =>
  plain('edge', 32, { width, depth, head: scaledHead(width) })
const lite = (width: number, depth: number): EfficientNetConfig =>
  plain('b0', 32, {
    stages: mobileStages('b0').map(stage => stage.replace('_se0.25', '')),
    width,
    depth,
    fixedEnds: true,
    fixedStem: true,
    activation: relu6,
  })
const v2 = (name: string, stem: number): EfficientNetConfig =>
  plain(name, stem, { activation: silu })
const v2Base = (width: number, depth: number): EfficientNetConfig => ({
  ...v2('v2Base', 32),
  width,
  depth,
  head: divisibleWidth(1280 * width),
  roundLimit: 0,
})
const tiny = (width: number, depth: number): EfficientNetConfig =>
  plain('b0', 32, {
    width,
    depth,
    nearestDepth: true,
    fixedStem: true,
    head: Math.max(1280, scaledHead(width)),
    activation: silu,
  })
const mobile1 = (width: number): EfficientNetConfig =>
  plain('mobile1', 32, { width, head: 0, activation: relu6 })
const mobile2 = (width: number, depth?: number): EfficientNetConfig =>
  plain('mobile2', 32, {
    width,
    activation: relu6,
    head: depth === undefined ? Math.max(1280, scaledHead(width)) : 1280,
    ...(depth !== undefined && { depth, fixedEnds: true, fixedStem: true }),
  })
const mobile3 = (name: 'mobile3Large' | 'mobile3Small', width: number): EfficientNetConfig => ({
  stages: mobileStages(name),
  width,
  stem: 16,
  fixedStem: width < 0.75,
  head: name === 'mobile3Large' ? 1280 : 1024,
  activation: hardSwish,
  gate: ofExpanded8,
  poolFirst: 'bias',
})
const minimal = (name: 'mobile3Large' | 'mobile3Small'): EfficientNetConfig =>
  tensorflow({ ...mobile3(name, 1), stages: minimalStages(mobileStages(name)), activation: relu })
const mobile4 = (name: string, stem: number, width = 1): EfficientNetConfig =>
  plain(name, stem, { width, fixedStem: width < 1, poolFirst: 'norm' })
const fbnet3 = (name: string, stem: number): EfficientNetConfig =>
  plain(name, stem, {
    head: 1984,
    activation: hardSwish,
    gate: { of: 'input', function: hardSigmoid, limit: 0.95 },
    roundLimit: 0.95,
    poolFirst: 'plain',
  })
const mix = (name: string, stem: number, width = 1): EfficientNetConfig =>
  plain(name, stem, { width, head: 1536 })
const lc = (width: number): EfficientNetConfig =>
  plain('lc', 16, { width, activation: hardSwish, gate: ofExpanded, poolFirst: 'bias' })
const hardCore = (name: string): EfficientNetConfig =>
  plain(name, 32, { activation: hardSwish, gate: ofExpanded8, poolFirst: 'bias' })
const tensorflow = (config: EfficientNetConfig): EfficientNetConfig => ({
  ...config,
  tensorflow: true,
})

const pruned = (config: EfficientNetConfig, stages: readonly PrunedStage[]): EfficientNetConfig =>
  tensorflow({ ...config, pruned: stages })
const testNet = { ...v2('test', 24), head: 256, roundLimit: 0 }

const rows: Rows<EfficientNetConfig> = {
  efficientnet_b0: b(1, 1),
  efficientnet_b1: b(1, 1.1),
  efficientnet_b2: b(1.1, 1.2),
  efficientnet_b3: b(1.2, 1.4),
  efficientnet_b4: b(1.4, 1.8),
  efficientnet_b5: b(1.6, 2.2),
  efficientnet_b1_pruned: pruned(b(1, 1.1), prunedStages('b1')),
  efficientnet_b2_pruned: pruned(b(1.1, 1.2), prunedStages('b2')),
  efficientnet_b3_pruned: pruned(b(1.2, 1.4), prunedStages('b3')),
  tf_efficientnet_b0: tensorflow(b(1, 1)),
  tf_efficientnet_b1: tensorflow(b(1, 1.1)),
  tf_efficientnet_b2: tensorflow(b(1.1, 1.2)),
  tf_efficientnet_b3: tensorflow(b(1.2, 1.4)),
  tf_efficientnet_b4: tensorflow(b(1.4, 1.8)),
  tf_efficientnet_b5: tensorflow(b(1.6, 2.2)),
  tf_efficientnet_b6: tensorflow(b(1.8, 2.6)),
  tf_efficientnet_b7: tensorflow(b(2, 3.1)),
  tf_efficientnet_b8: tensorflow(b(2.2, 3.6)),
  tf_efficientnet_l2: tensorflow(b(4.3, 5.3)),
  efficientnet_es: edge(1, 1),
  efficientnet_es_pruned: edge(1, 1),
  efficientnet_em: edge(1, 1.1),
  efficientnet_el: edge(1.2, 1.4),
  efficientnet_el_pruned: edge(1.2, 1.4),
  tf_efficientnet_es: tensorflow(edge(1, 1)),
  tf_efficientnet_em: tensorflow(edge(1, 1.1)),
  tf_efficientnet_el: tensorflow(edge(1.2, 1.4)),
  efficientnet_lite0: lite(1, 1),
  tf_efficientnet_cc_b0_4e: tensorflow({ ...b(1, 1), stages: conditionalStages(4) }),
  tf_efficientnet_cc_b0_8e: tensorflow({ ...b(1, 1), stages: conditionalStages(8) }),
  tf_efficientnet_cc_b1_8e: tensorflow({ ...b(1, 1.1), stages: conditionalStages(8) }),
  efficientnet_x_b5: { ...b(1.6, 2.2), stages: acceleratedStages(6), squares: true },
  efficientnet_h_b5: { ...b(1.92, 2.2), stages: acceleratedStages(4), squares: true },
  tf_efficientnet_lite0: tensorflow(lite(1, 1)),
  tf_efficientnet_lite1: tensorflow(lite(1, 1.1)),
  tf_efficientnet_lite2: tensorflow(lite(1.1, 1.2)),
  tf_efficientnet_lite3: tensorflow(lite(1.2, 1.4)),
  tf_efficientnet_lite4: tensorflow(lite(1.4, 1.8)),
  efficientnetv2_rw_t: { ...v2('v2Small', 24), width: 0.8, depth: 0.9, head: scaledHead(0.8) },
  gc_efficientnetv2_rw_t: {
    ...v2('v2Small', 24),
    width: 0.8,
    depth: 0.9,
    head: scaledHead(0.8),
    gate: { ...ofInput, context: true },
  },
  efficientnetv2_rw_s: { ...v2('v2Rw', 24), head: 1792 },
  efficientnetv2_rw_m: {
    ...v2('v2Rw', 24),
    width: 1.2,
    depth: [1.2, 1.2, 1.2, 1.2, 1.6, 1.6],
    head: scaledHead(1.2, 1792),
  },
  tf_efficientnetv2_s: tensorflow(v2('v2Small', 24)),
  tf_efficientnetv2_m: tensorflow(v2('v2Medium', 24)),
  tf_efficientnetv2_l: tensorflow(v2('v2Large', 32)),
  tf_efficientnetv2_xl: tensorflow(v2('v2ExtraLarge', 32)),
  tf_efficientnetv2_b0: tensorflow(v2Base(1, 1)),
  tf_efficientnetv2_b1: tensorflow(v2Base(1, 1.1)),
  tf_efficientnetv2_b2: tensorflow(v2Base(1.1, 1.2)),
  tf_efficientnetv2_b3: tensorflow(v2Base(1.2, 1.4)),
  mnasnet_100: plain('mnasB1', 32),
  mnasnet_small: plain('mnasSmall', 8),
  semnasnet_075: plain('mnasA1', 32, { width: 0.75 }),
  semnasnet_100: plain('mnasA1', 32),
  spnasnet_100: plain('singlePath', 32),
  fbnetc_100: plain('fbnetC', 16, { head: 1984 }),
  // Trained with TensorFlow's epsilon, which timm takes for these weights alone.
  'fbnetc_100.rmsp_in1k': plain('fbnetC', 16, { head: 1984, epsilon: 1e-3 }),
  mobilenetv1_100: mobile1(1),
  mobilenetv1_100h: { ...mobile1(1), head: 1024 },
  mobilenetv1_125: mobile1(1.25),
  mobilenetv2_050: mobile2(0.5),
  mobilenetv2_100: mobile2(1),
  mobilenetv2_140: mobile2(1.4),
  mobilenetv2_110d: mobile2(1.1, 1.2),
  mobilenetv2_120d: mobile2(1.2, 1.4),
  mobilenet_edgetpu_v2_m: plain('edgeTpu', 64, { stemKernel: 5, head: 1344 }),
  mixnet_s: mix('mixSmall', 16),
  mixnet_m: mix('mixMedium', 24),
  mixnet_l: mix('mixMedium', 24, 1.3),
  mixnet_xl: { ...mix('mixMedium', 24, 1.6), depth: 1.2, nearestDepth: true },
  tf_mixnet_s: tensorflow(mix('mixSmall', 16)),
  tf_mixnet_m: tensorflow(mix('mixMedium', 24)),
  tf_mixnet_l: tensorflow(mix('mixMedium', 24, 1.3)),
  mobilenetv3_large_100: mobile3('mobile3Large', 1),
  mobilenetv3_large_150d: { ...mobile3('mobile3Large', 1.5), depth: 1.2 },
  mobilenetv3_small_050: mobile3('mobile3Small', 0.5),
  mobilenetv3_small_075: mobile3('mobile3Small', 0.75),
  mobilenetv3_small_100: mobile3('mobile3Small', 1),
  mobilenetv3_rw: {
    ...mobile3('mobile3Large', 1),
    stages: mobileStages('mobile3Large').with(0, 'ds_r1_k3_s1_e1_c16_nre_noskip'),
    gate: { of: 'expanded', function: hardSigmoid },
    poolFirst: 'plain',
    epsilon: 1e-3,
  },
  tf_mobilenetv3_large_075: tensorflow(mobile3('mobile3Large', 0.75)),
  tf_mobilenetv3_large_100: tensorflow(mobile3('mobile3Large', 1)),
  tf_mobilenetv3_large_minimal_100: minimal('mobile3Large'),
  tf_mobilenetv3_small_075: tensorflow(mobile3('mobile3Small', 0.75)),
  tf_mobilenetv3_small_100: tensorflow(mobile3('mobile3Small', 1)),
  tf_mobilenetv3_small_minimal_100: minimal('mobile3Small'),
  fbnetv3_b: fbnet3('fbnet3B', 16),
  fbnetv3_d: fbnet3('fbnet3D', 24),
  fbnetv3_g: fbnet3('fbnet3G', 32),
  mobilenetv4_conv_small_050: mobile4('mobile4Small', 32, 0.5),
  mobilenetv4_conv_small: mobile4('mobile4Small', 32),
  mobilenetv4_conv_medium: mobile4('mobile4Medium', 32),
  mobilenetv4_conv_large: mobile4('mobile4Large', 24),
  mobilenetv4_hybrid_medium: { ...mobile4('hybridMedium', 32), layerScale: true },
  mobilenetv4_hybrid_large: { ...mobile4('hybridLarge', 24), layerScale: true, activation: gelu },
  mobilenetv4_conv_blur_medium: { ...mobile4('mobile4Medium', 32), antialias: 'blur' },
  mobilenetv4_conv_aa_large: { ...mobile4('mobile4Large', 24), antialias: 'average' },
  lcnet_050: lc(0.5),
  lcnet_075: lc(0.75),
  lcnet_100: lc(1),
  hardcorenas_a: hardCore('hardCoreA'),
  hardcorenas_b: hardCore('hardCoreB'),
  hardcorenas_c: hardCore('hardCoreC'),
  hardcorenas_d: hardCore('hardCoreD'),
  hardcorenas_e: hardCore('hardCoreE'),
  hardcorenas_f: hardCore('hardCoreF'),
  tinynet_a: tiny(1, 1.2),
  tinynet_b: tiny(0.75, 1.1),
  tinynet_c: tiny(0.54, 0.85),
  tinynet_d: tiny(0.54, 0.695),
  tinynet_e: tiny(0.51, 0.6),
  test_efficientnet: testNet,
  test_efficientnet_gn: { ...testNet, norm: 'group' },
  test_efficientnet_ln: { ...testNet, norm: 'layer' },
  test_efficientnet_evos: { ...testNet, norm: 'evo' },
}

/** image [n, 3, h, w] -> features [n, head], logits [n, classes] */
const efficientNet: ClassifierBuilder<EfficientNetConfig> = (w, image, c) => {
  const stem = { out: c.fixedStem ? c.stem : scaledWidth(c.stem, c), kernel: c.stemKernel ?? 3 }
  const first = padded(w.at('conv_stem'), image, { ...c, ...stem, stride: 2 })
  let x = activated(w.at('bn1'), first, c)
  if (c.squares) x = squaresAsChannels(w.at('blocks.0.0'), x, c)
  for (const [i, stage] of c.stages.entries()) {
    for (const [j, block] of readStage(stage, depthOf(c, i)).entries()) {
      const settings = {
        ...c,
        ...block,
        out: c.pruned?.[i]?.out ?? scaledWidth(block.out, c),
        kept: c.pruned?.[i]?.blocks[j],
        expandFrom: block.expandFrom && scaledWidth(block.expandFrom, c),
        activation: block.activation ? { relu, silu }[block.activation] : c.activation,
      }
      const own = c.squares ? onSquares(settings, { stage: i, first: j === 0 }) : settings
      x = mobileBlocks[block.type](w.at(`blocks.${i}.${j}`), x, own)
    }
  }
  return linearHead(w.at('classifier'), flatten(headOf(w, x, c)), c.classes)
}

/** Halves [n, c, h, w] to four times the channels. */
const squaresAsChannels: Block<EfficientNetConfig> = (w, x, c) => {
  const window = { out: 4 * channelsOf(x), kernel: 2, stride: 2 }
  return activated(w.at('bn_s2d'), conv(w.at('conv_s2d'), x, window), c)
}

/** A block on four times the channels; the first of the second stage has no stride, as its input is halved already. */
function onSquares(
  b: BlockSettings,
  { stage, first }: { stage: number; first: boolean },
): BlockSettings {
  if (stage === 1 && first) return { ...b, stride: 1, expand: b.expand / 4 }
  if (stage > 0) return b
  const out = 4 * b.out
  return first ? { ...b, out, kernels: [2], gateShare: b.gateShare / 4 } : { ...b, out }
}

function depthOf(c: EfficientNetConfig, stage: number): DepthScale {
  const ends = stage === 0 || stage === c.stages.length - 1
  const { depth = 1, nearestDepth: nearest = false } = c
  const factor = typeof depth === 'number' ? depth : depth[stage]!
  return { factor: c.fixedEnds && ends ? 1 : factor, nearest }
}

const headOf: Block<EfficientNetConfig> = (w, x, c) => {
  if (c.head === 0) return globalAvgPool(x)
  const head = w.at('conv_head')
  if (c.poolFirst === undefined)
    return globalAvgPool(activated(w.at('bn2'), conv(head, x, { out: c.head }), c))
  const y = conv(head, globalAvgPool(x), { out: c.head, bias: c.poolFirst === 'bias' })
  return c.activation(c.poolFirst === 'norm' ? norm(w.at('norm_head'), y, c) : y)
}

const scaledWidth = (channels: number, { width = 1, roundLimit = 0.9 }: EfficientNetConfig) =>
  divisibleWidth(channels * width, { limit: roundLimit })

export const efficientNets = classifiers({ family: 'efficientnet', rows, build: efficientNet })

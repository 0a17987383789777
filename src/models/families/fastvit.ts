/**
 * FastViT (Vasu et al. 2023) as timm's fastvit.py computes it: MobileOne's branched convolutions, depthwise token mixers
 * and, from the fourth stage of the larger networks on, self-attention; and MobileCLIP's image encoders MCi (Vasu et al. 2023).
 */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { branchedConv, convBranch } from '../../lib/onnx/blocks/branches.ts'
import { selfAttention, unbiasedProjection } from '../../lib/onnx/blocks/attention.ts'
import { depthwiseConvNorm, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { convMlp } from '../../lib/onnx/blocks/mlp.ts'
import { batchNorm, layerNorm2d, layerScaleChw } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { add, gelu, sub } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface FastVitConfig {
  depths: readonly number[]
  /** Channels of the first stage, doubled in each that follows. */
  dim: number
  /** Width inside the MLPs over the stage's, 4 by default. */
  mlpRatio?: number
  /** Whether the stages from the fourth on attend to all positions, behind a convolution that tells them apart. */
  attention?: boolean
  /** MobileCLIP's networks: an activation inside each halving, and in the first three networks squeeze and excitation. */
  halving?: 'active' | 'excited'
  /** Whether attention follows norms of the channels at each position, and the stem has one branch at each kernel. */
  large?: boolean
}

const mci = { mlpRatio: 3, attention: true, halving: 'excited' } as const
const largeMci = { attention: true, halving: 'active', large: true } as const

const rows: Rows<FastVitConfig> = {
  fastvit_t8: { depths: [2, 2, 4, 2], dim: 48, mlpRatio: 3 },
  fastvit_t12: { depths: [2, 2, 6, 2], dim: 64, mlpRatio: 3 },
  fastvit_s12: { depths: [2, 2, 6, 2], dim: 64 },
  fastvit_sa12: { depths: [2, 2, 6, 2], dim: 64, attention: true },
  fastvit_sa24: { depths: [4, 4, 12, 4], dim: 64, attention: true },
  fastvit_sa36: { depths: [6, 6, 18, 6], dim: 64, attention: true },
  fastvit_ma36: { depths: [6, 6, 18, 6], dim: 76, attention: true },
  fastvit_mci0: { ...mci, depths: [2, 6, 10, 2], dim: 64 },
  fastvit_mci1: { ...mci, depths: [4, 12, 20, 4], dim: 64 },
  fastvit_mci2: { ...mci, depths: [4, 12, 24, 4], dim: 80 },
  fastvit_mci3: { ...largeMci, depths: [2, 12, 24, 4, 2], dim: 96 },
  fastvit_mci4: { ...largeMci, depths: [2, 12, 24, 4, 4], dim: 128 },
}

/** image [n, 3, h, w] -> features [n, twice the last stage's width], logits [n, classes] */
const fastVit: ClassifierBuilder<FastVitConfig> = (w, image, c) => {
  const stem = w.each('stem', 3) as [ParameterScope, ParameterScope, ParameterScope]
  const halving = { out: c.dim, kernel: 3, stride: 2, pointwise: !c.large }
  let x = gelu(mobileOne(stem[0], image, halving))
  x = gelu(mobileOne(stem[1], x, { ...halving, groups: c.dim }))
  x = gelu(mobileOne(stem[2], x, { out: c.dim }))
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const change = { active: c.halving !== undefined, excited: c.halving === 'excited' && i > 1 }
    if (i > 0) x = downsample(stage.at('downsample.proj'), x, change)
    const attentive = c.attention && i >= 3
    if (attentive) {
      const branches = [{ conv: stage.at('pos_emb.pos_enc'), kernel: 7, bias: true }, {}]
      x = branchedConv(x, branches, { out: channelsOf(x), groups: channelsOf(x) })
    }
    const ratio = c.mlpRatio ?? 4
    const norm = c.large ? layerNorm2d : batchNorm
    for (const scope of stage.each('blocks', c.depths[i]!))
      x = attentive ? attentionBlock(scope, x, { ratio, norm }) : mixerBlock(scope, x, ratio)
  }
  const width = channelsOf(x)
  const last = mobileOne(w.at('final_conv'), x, { out: 2 * width, kernel: 3, groups: width })
  x = gelu(squeezeExcite(w.at('final_conv.se'), last, { inner: Math.round(width / 8) }))
  return pooledHead(w.at('head.fc'), x, c.classes)
}

interface MobileOneOptions {
  out: number
  kernel?: number
  stride?: number
  groups?: number
  /** Whether a 1 × 1 convolution is beside a larger one; it is by default. */
  pointwise?: boolean
}

/** Sums a convolution, one of 1 × 1 and the input's norm, as far as the shapes allow. */
const mobileOne: Block<MobileOneOptions> = (w, x, c) => {
  const { out, kernel = 1, stride = 1, pointwise = true } = c
  const branches = [convBranch(w.at('conv_kxk.0'), kernel)]
  if (kernel > 1 && pointwise) branches.push(convBranch(w.at('conv_scale')))
  if (channelsOf(x) === out && stride === 1) branches.push({ norm: w.at('identity') })
  return branchedConv(x, branches, c)
}

/** Halves [n, c, h, w] to twice the channels. */
const downsample: Block<{ active: boolean; excited: boolean }> = (w, x, { active, excited }) => {
  const groups = channelsOf(x)
  const out = 2 * groups
  const layers = w.at(0)
  const branches = [convBranch(layers.at('large_conv'), 7), convBranch(layers.at('small_conv'), 3)]
  const smaller = branchedConv(x, branches, { out, stride: 2, groups })
  const weighed = excited
    ? squeezeExcite(layers.at('se'), smaller, { inner: Math.round(out / 4) })
    : smaller
  return gelu(mobileOne(w.at(1), active ? gelu(weighed) : weighed, { out }))
}

/** A depthwise 7 × 7 convolution, then two layers at every position. */
const localMlp: Block<number> = (w, x, ratio) => {
  const local = depthwiseConvNorm(w.at('conv'), x, { kernel: 7 })
  return convMlp(w, local, { hidden: ratio * channelsOf(x) })
}

const mixerBlock: Block<number> = (w, x, ratio) => {
  const width = channelsOf(x)
  const mixer = w.at('token_mixer')
  const mixed = mobileOne(mixer.at('mixer'), x, { out: width, kernel: 3, groups: width })
  const change = sub(mixed, batchNorm(mixer.at('norm.identity'), x))
  const y = add(x, layerScaleChw(mixer.at('layer_scale'), change))
  return add(y, layerScaleChw(w.at('layer_scale'), localMlp(w.at('mlp'), y, ratio)))
}

const attentionBlock: Block<{
  ratio: number
  norm: (w: ParameterScope, x: Tensor, epsilon: number) => Tensor
}> = (w, x, { ratio, norm }) => {
  const heads = channelsOf(x) / 32
  const tokens = toTokens(norm(w.at('norm'), x, 1e-5))
  const mixed = selfAttention(w.at('token_mixer'), tokens, { heads, project: unbiasedProjection })
  const y = add(x, layerScaleChw(w.at('layer_scale_1'), toImage(mixed, x.shape.slice(2))))
  return add(y, layerScaleChw(w.at('layer_scale_2'), localMlp(w.at('mlp'), y, ratio)))
}

export const fastViTs = classifiers({ family: 'fastvit', rows, build: fastVit })

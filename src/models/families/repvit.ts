/** RepViT (Wang et al. 2023) as timm's repvit.py computes it; the logits are the mean of two heads. */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { branchedConv } from '../../lib/onnx/blocks/branches.ts'
import {
  addPointwise,
  convNorm,
  depthwiseConvNorm,
  divisibleWidth,
  halvingStem,
  normLinear,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, flatten, gelu, globalAvgPool, mul } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface RepVitConfig {
  /** Channels of the first stage, doubled in each that follows. */
  dim: number
  depths: readonly number[]
  /** Whether each of a token mixer's branches has its norm, or their sum has one. */
  branchNorms?: boolean
}

const rows: Rows<RepVitConfig> = {
  repvit_m1: { dim: 48, depths: [2, 2, 14, 2], branchNorms: true },
  repvit_m2: { dim: 64, depths: [2, 2, 12, 2], branchNorms: true },
  repvit_m3: { dim: 64, depths: [4, 4, 18, 2], branchNorms: true },
  repvit_m0_9: { dim: 48, depths: [2, 2, 14, 2] },
  repvit_m1_0: { dim: 56, depths: [2, 2, 14, 2] },
  repvit_m1_1: { dim: 64, depths: [2, 2, 12, 2] },
  repvit_m1_5: { dim: 64, depths: [4, 4, 24, 4] },
  repvit_m2_3: { dim: 80, depths: [6, 6, 34, 2] },
}

const names = ['c', 'bn'] as const

/** image [n, 3, h, w] -> features [n, 8 · dim], logits [n, classes] */
const repVit: ClassifierBuilder<RepVitConfig> = (w, image, c) => {
  const scopes = [w.at('stem.conv1'), w.at('stem.conv2')]
  let x = halvingStem(scopes, image, { out: c.dim, activation: gelu, names })
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    if (i > 0) x = downsample(stage.at('downsample'), x, c)
    for (const [j, block] of stage.each('blocks', c.depths[i]!).entries())
      x = repVitBlock(block, x, { ...c, squeezed: j % 2 === 0 })
  }
  const pooled = globalAvgPool(x)
  const head = (name: string): Tensor =>
    normLinear(w.at('head').at(name), pooled, { out: c.classes, name: 'l' })
  return { features: flatten(pooled), logits: mul(add(head('head'), head('head_dist')), 0.5) }
}

const tokenMixer: Block<Pick<RepVitConfig, 'branchNorms'>> = (w, x, c) => {
  const out = channelsOf(x)
  const wide = { conv: w.at('conv.c'), norm: w.at('conv.bn'), kernel: 3 }
  const small = c.branchNorms
    ? { conv: w.at('conv1.c'), norm: w.at('conv1.bn') }
    : { conv: w.at('conv1'), bias: true }
  const y = branchedConv(x, [wide, small, {}], { out, groups: out })
  return c.branchNorms ? y : batchNorm(w.at('bn'), y)
}

/** Adds two layers at every position to x. */
const channelMixer: Layer = (w, x) =>
  addPointwise(w, x, { layers: ['conv1', 'conv2'], activation: gelu, names })

const repVitBlock: Block<Pick<RepVitConfig, 'branchNorms'> & { squeezed?: boolean }> = (
  w,
  x,
  c,
) => {
  const y = tokenMixer(w.at('token_mixer'), x, c)
  const inner = divisibleWidth(channelsOf(y) / 4)
  return channelMixer(
    w.at('channel_mixer'),
    c.squeezed ? squeezeExcite(w.at('se'), y, { inner }) : y,
  )
}

/** Halves [n, c, h, w] to twice the channels. */
const downsample: Block<RepVitConfig> = (w, x, c) => {
  const width = channelsOf(x)
  const y = repVitBlock(w.at('pre_block'), x, { branchNorms: c.branchNorms ?? false })
  const spatial = { kernel: 3, stride: 2, names }
  const smaller = depthwiseConvNorm(w.at('spatial_downsample'), y, spatial)
  return channelMixer(
    w.at('ffn'),
    convNorm(w.at('channel_downsample'), smaller, { out: 2 * width, names }),
  )
}

export const repViTs = classifiers({ family: 'repvit', rows, build: repVit })

/**
 * ViTamin (Chen et al. 2024): two stages of inverted bottlenecks before a transformer with gated MLPs, as timm's vitamin.py
 * computes them.
 */
import { type Block, type Layer } from '../../lib/onnx/graph.ts'
import { selfAttention } from '../../lib/onnx/blocks/attention.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { embedTokens, toTokens } from '../../lib/onnx/blocks/tokens.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { add, avgPool, gelu, mean, mul } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface ViTaminConfig {
  /** Channels of the stem and of the first convolutional stage; the second has twice as many. */
  channels: number
  dim: number
  blocks: number
  heads: number
  positions?: 'none'
}

const large = { channels: 160, dim: 1024, blocks: 31, heads: 16 }
const xlarge = { channels: 192, dim: 1152, blocks: 32, heads: 16, positions: 'none' } as const

const rows: Rows<ViTaminConfig> = {
  vitamin_small_224: { channels: 64, dim: 384, blocks: 14, heads: 6 },
  vitamin_base_224: { channels: 128, dim: 768, blocks: 14, heads: 12 },
  vitamin_large_224: large,
  vitamin_large_256: large,
  vitamin_large_336: large,
  vitamin_large_384: large,
  vitamin_large2_224: large,
  vitamin_large2_256: large,
  vitamin_large2_336: large,
  vitamin_large2_384: large,
  vitamin_xlarge_256: xlarge,
  vitamin_xlarge_336: xlarge,
  vitamin_xlarge_384: xlarge,
}

/** Blocks of the two convolutional stages. */
const depths = [2, 4]

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const vitamin: ClassifierBuilder<ViTaminConfig> = (w, image, c) => {
  const patches = convolutions(w.at('patch_embed.backbone'), image, c)
  const x = embedTokens(w, image, { ...c, patch: 16, prefix: [], patches })
  const attention: Layer = (scope, z) => selfAttention(scope, z, c)
  const branches = { attention, mlp: gatedMlp }
  const y = w.each('blocks', c.blocks).reduce((z, block) => preNormBlock(block, z, branches), x)
  return linearHead(w.at('head'), layerNorm(w.at('fc_norm'), mean(y, [1])), c.classes)
}

/** image [n, 3, h, w] to tokens [n, h / 16 · w / 16, dim] */
const convolutions: Block<ViTaminConfig> = (w, image, c) => {
  const kernel = { kernel: 3, padding: 1, bias: true }
  const first = conv(w.at('stem.conv1'), image, { out: c.channels, stride: 2, ...kernel })
  let x = conv(w.at('stem.conv2'), gelu(layerNorm2d(w.at('stem.norm1'), first)), {
    out: c.channels,
    ...kernel,
  })
  for (const [stage, depth] of depths.entries()) {
    for (const [i, scope] of w.each(`stages.${stage}`, depth).entries())
      x = bottleneck(scope, x, { out: c.channels * 2 ** stage, stride: i === 0 ? 2 : 1 })
  }
  const pool = w.at('pool')
  const last = layerNorm2d(pool.at('norm'), x)
  return toTokens(conv(pool.at('proj'), last, { out: c.dim, stride: 2, ...kernel }))
}

/** A depthwise convolution of four times the channels behind a norm, added to x. */
const bottleneck: Block<{ out: number; stride: number }> = (w, x, { out, stride }) => {
  const inner = 4 * out
  let y = gelu(
    conv(w.at('conv1_1x1'), layerNorm2d(w.at('pre_norm'), x), { out: inner, bias: true }),
  )
  y = depthwiseConv(w.at('conv2_kxk'), y, { kernel: 3, stride, bias: true })
  y = conv(w.at('conv3_1x1'), gelu(y), { out, bias: true })
  if (stride === 1) return add(y, x)
  const half = avgPool(x, 3, { stride, padding: 1 })
  const expands = x.shape[1] !== out
  return add(y, expands ? conv(w.at('shortcut.expand'), half, { out, bias: true }) : half)
}

/** GELU of one layer times another (Shazeer 2020), behind a norm of their own: x [n, length, dim] to its shape. */
const gatedMlp: Layer = (w, x) => {
  const dim = sizeAt(x, -1)
  const y = layerNorm(w.at('norm'), x)
  const gate = gelu(linear(w.at('w0'), y, 2 * dim))
  return linear(w.at('w2'), mul(gate, linear(w.at('w1'), y, 2 * dim)), dim)
}

export const vitamins = classifiers({ family: 'vitamin', rows, build: vitamin })

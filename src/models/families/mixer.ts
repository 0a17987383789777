/**
 * Networks of MLPs across tokens and across channels: MLP-Mixer (Tolstikhin et al. 2021), ResMLP (Touvron et al. 2021),
 * gMLP (Liu et al. 2021) and gMixer, as timm's mlp_mixer.py computes them.
 */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed } from '../../lib/onnx/blocks/tokens.ts'
import { add, gelu, mean, mul, silu, split, transpose } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface MixerConfig {
  patch: number
  dim: number
  blocks: number
  kind: 'mixer' | 'resmlp' | 'gmlp'
  /** Width inside the MLP across tokens (mixer alone). */
  tokens?: number
  /** Width inside the MLP across channels. */
  channels: number
  /** Whether one half of an MLP's inner channels gates the other. */
  gated?: boolean
}

const mixer = { kind: 'mixer', patch: 16 } as const
const resmlp = { kind: 'resmlp', patch: 16, dim: 384, channels: 1536 } as const

const rows: ArchitectureRows<MixerConfig> = {
  mixer_b16_224: { ...mixer, dim: 768, blocks: 12, tokens: 384, channels: 3072 },
  mixer_l16_224: { ...mixer, dim: 1024, blocks: 24, tokens: 512, channels: 4096 },
  gmixer_24_224: { ...mixer, dim: 384, blocks: 24, tokens: 384, channels: 1536, gated: true },
  resmlp_12_224: { ...resmlp, blocks: 12 },
  resmlp_24_224: { ...resmlp, blocks: 24 },
  resmlp_36_224: { ...resmlp, blocks: 36 },
  resmlp_big_24_224: { kind: 'resmlp', patch: 8, dim: 768, channels: 3072, blocks: 24 },
  gmlp_s16_224: { kind: 'gmlp', patch: 16, dim: 256, blocks: 30, channels: 1536 },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const mlpMixer: ClassifierBuilder<MixerConfig> = (w, image, c) => {
  const x = w
    .each('blocks', c.blocks)
    .reduce((y, block) => blocks[c.kind](block, y, c), patchEmbed(w.at('stem.proj'), image, c))
  const norm = c.kind === 'resmlp' ? scaleAndShift : layerNorm
  const features = mean(norm(w.at('norm'), x), [1])
  return { features, logits: linear(w.at('head'), features, c.classes) }
}

type Block = (w: ParameterScope, x: Tensor, c: MixerConfig) => Tensor

const swapTokens = (x: Tensor): Tensor => transpose(x, [0, 2, 1])

const blocks: Record<MixerConfig['kind'], Block> = {
  mixer: (w, x, c) => {
    const activation = c.gated ? swishGate : gelu
    const across = mlp(w.at('mlp_tokens'), swapTokens(layerNorm(w.at('norm1'), x)), {
      hidden: c.tokens!,
      activation,
    })
    const y = add(x, swapTokens(across))
    const inner = { hidden: c.channels, activation }
    return add(y, mlp(w.at('mlp_channels'), layerNorm(w.at('norm2'), y), inner))
  },
  resmlp: (w, x, c) => {
    const scale = (name: string): Tensor => w.get(name, [c.dim], 'scale')
    const length = fixedSize(x.shape[1], 'resmlp')
    const across = linear(
      w.at('linear_tokens'),
      swapTokens(scaleAndShift(w.at('norm1'), x)),
      length,
    )
    const y = add(x, mul(swapTokens(across), scale('ls1')))
    const inner = scaleAndShift(w.at('norm2'), y)
    return add(y, mul(mlp(w.at('mlp_channels'), inner, { hidden: c.channels }), scale('ls2')))
  },
  gmlp: (w, x, c) => {
    const layers = w.at('mlp_channels')
    const activation = (y: Tensor): Tensor => spatialGate(layers.at('gate'), gelu(y))
    return add(x, mlp(layers, layerNorm(w.at('norm'), x), { hidden: c.channels, activation }))
  },
}

/** A learned factor and summand for each channel, in place of a norm. */
function scaleAndShift(w: ParameterScope, x: Tensor): Tensor {
  const shape = [1, 1, fixedSize(x.shape[2], 'scaleAndShift')]
  return add(mul(x, w.get('alpha', shape, 'scale')), w.get('beta', shape, 'bias'))
}

function halves(x: Tensor): readonly [Tensor, Tensor] {
  const width = fixedSize(x.shape.at(-1), 'halves') / 2
  const [first, second] = split(x, [width, width], -1)
  return [first!, second!]
}

/** The first half of the channels, each times the swish of its partner in the second. */
function swishGate(x: Tensor): Tensor {
  const [first, second] = halves(x)
  return mul(first, silu(second))
}

/** The first half of the channels times a linear map of the second across tokens. */
function spatialGate(w: ParameterScope, x: Tensor): Tensor {
  const [first, second] = halves(x)
  const across = swapTokens(layerNorm(w.at('norm'), second, 1e-5))
  return mul(first, swapTokens(linear(w.at('proj'), across, fixedSize(x.shape[1], 'spatialGate'))))
}

export const mixers = classifiers({ family: 'mixer', rows, build: mlpMixer })

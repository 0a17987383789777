import { type Tensor, type ParameterScope } from '../graph.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  div,
  flatten,
  gelu,
  globalAvgPool,
  globalMean,
  mean,
  mul,
  norm,
} from '../ops.ts'
import { channelsOf, sizeAt } from '../shapes.ts'
import { conv, depthwiseConv } from './linear.ts'
import { convMlp, mlp } from './mlp.ts'
import {
  channelValues,
  layerNorm,
  layerNorm2d,
  layerScale,
  layerScale2d,
  varianceNorm2d,
} from './norm.ts'

export interface ConvNextConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** Sides of the depthwise kernels, 7 by default, for each stage. */
  kernels?: readonly number[]
  epsilon?: number
  activation?: (x: Tensor) => Tensor
  /** The stem: patches of 4 × 4 pixels (default), or two 3 × 3 convolutions of which the first has this many channels. */
  stem?: { width: number; activated?: boolean }
  /** Whether the MLP's layers are 1 × 1 convolutions. */
  convolutional?: boolean
  /** ConvNeXt V2: global response normalization in the MLP, in place of a learned factor per channel. */
  responseNorm?: boolean
  /** Whether norms divide by the deviation without subtracting the mean. */
  varianceNorm?: boolean
  /** Whether the last norm precedes the pooling. */
  normFirst?: boolean
}

/** ConvNeXt (Liu et al. 2022) up to its classifier, with timm's names: image [n, 3, h, w] to [n, last width]. */
export function convNextTrunk(w: ParameterScope, image: Tensor, c: ConvNextConfig): Tensor {
  let x = c.stem ? overlappingStem(w.at('stem'), image, c) : patchStem(w.at('stem'), image, c)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    if (i > 0) x = downsample(stage.at('downsample'), x, { ...c, width: c.widths[i]! })
    const block = { ...c, kernel: c.kernels?.[i] ?? 7 }
    x = stage.each('blocks', c.depths[i]!).reduce((y, scope) => convNextBlock(scope, y, block), x)
  }
  if (c.normFirst) return globalMean(layerNorm2d(w.at('norm_pre'), x, c.epsilon))
  return flatten(channelNorm(w.at('head.norm'), globalAvgPool(x), c))
}

type NormSettings = Pick<ConvNextConfig, 'epsilon' | 'varianceNorm'>

const channelNorm = (w: ParameterScope, x: Tensor, c: NormSettings): Tensor =>
  (c.varianceNorm ? varianceNorm2d : layerNorm2d)(w, x, c.epsilon)

/** Embeds and normalizes patches of 4 × 4 pixels: [n, 3, h, w] to [n, width, h / 4, w / 4]. */
export function patchStem(
  w: ParameterScope,
  image: Tensor,
  c: NormSettings & Pick<ConvNextConfig, 'widths'>,
): Tensor {
  const patches = conv(w.at(0), image, { out: c.widths[0]!, kernel: 4, stride: 4, bias: true })
  return channelNorm(w.at(1), patches, c)
}

function overlappingStem(w: ParameterScope, image: Tensor, c: ConvNextConfig): Tensor {
  const { width, activated = false } = c.stem!
  const halving = { kernel: 3, stride: 2, padding: 1, bias: true }
  const first = conv(w.at(0), image, { out: width, ...halving })
  const next = activated ? 2 : 1
  const y = conv(w.at(next), activated ? (c.activation ?? gelu)(first) : first, {
    out: c.widths[0]!,
    ...halving,
  })
  return channelNorm(w.at(next + 1), y, c)
}

/** Normalizes [n, c, h, w] and halves it to [n, width, h / 2, w / 2]. */
export const downsample = (
  w: ParameterScope,
  x: Tensor,
  c: NormSettings & { width: number },
): Tensor =>
  conv(w.at(1), channelNorm(w.at(0), x, c), { out: c.width, kernel: 2, stride: 2, bias: true })

type ConvNextBlock = Partial<ConvNextConfig> & { kernel: number }

/** Adds to x [n, c, h, w] a depthwise convolution with a norm and an MLP at every position behind it. */
export function convNextBlock(w: ParameterScope, x: Tensor, c: ConvNextBlock): Tensor {
  const local = depthwiseConv(w.at('conv_dw'), x, { kernel: c.kernel, bias: true })
  const mixed = c.convolutional ? convolutionalMlp(w, local, c) : positionalMlp(w, local, c)
  return add(x, mixed)
}

/** Applies the norm and the MLP to every position of [n, width, h, w]. */
function positionalMlp(w: ParameterScope, x: Tensor, c: ConvNextBlock): Tensor {
  const rows = channelsLast(x)
  if (!c.responseNorm) return scaledMlp(w, rows, c)
  const { activation = gelu, epsilon } = c
  const hidden = 4 * channelsOf(x)
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm'), rows, epsilon), {
    hidden,
    activation: y => globalResponseNorm(w.at('mlp.grn'), activation(y), { spatial: [1, 2], at: 3 }),
  })
  return channelsFirst(mixed)
}

function convolutionalMlp(w: ParameterScope, x: Tensor, c: ConvNextBlock): Tensor {
  const width = channelsOf(x)
  const { activation = gelu } = c
  const mixed = convMlp(w.at('mlp'), channelNorm(w.at('norm'), x, c), {
    hidden: 4 * width,
    activation: y =>
      c.responseNorm
        ? globalResponseNorm(w.at('mlp.grn'), activation(y), { spatial: [2, 3], at: 1 })
        : activation(y),
  })
  return c.responseNorm ? mixed : layerScale2d(w, mixed)
}

/** Adds to x its channels scaled by their share of the energy over all positions (Woo et al. 2023). */
export function globalResponseNorm(
  w: ParameterScope,
  x: Tensor,
  { spatial, at }: { spatial: readonly number[]; at: number },
): Tensor {
  const width = sizeAt(x, at)
  const energy = norm(x, spatial)
  const share = div(energy, add(mean(energy, [at], true), 1e-6))
  const channel = (name: string, role: 'scale' | 'bias'): Tensor =>
    at === 1 ? channelValues(w, name, { width, role }) : w.get(name, [width], role)
  const scaled = mul(mul(x, share), channel('weight', 'scale'))
  return add(x, add(scaled, channel('bias', 'bias')))
}

/** Applies `norm`, `mlp` and the factors `gamma` to x [n, h, w, width] and returns [n, width, h, w]. */
export function scaledMlp(
  w: ParameterScope,
  x: Tensor,
  c: Pick<ConvNextConfig, 'epsilon' | 'activation'> = {},
): Tensor {
  const width = sizeAt(x, -1)
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm'), x, c.epsilon), {
    hidden: 4 * width,
    activation: c.activation,
  })
  return channelsFirst(layerScale(w, mixed))
}

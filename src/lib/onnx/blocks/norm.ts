import { constant, type Tensor, type ParameterScope } from '../graph.ts'
import {
  add,
  batchNormalization,
  channelsFirst,
  channelsLast,
  div,
  instanceNormalization,
  layerNormalization,
  mean,
  mul,
  reshape,
  sigmoid,
  sqrt,
  sub,
} from '../ops.ts'
import { channelsOf, product, sizeAt } from '../shapes.ts'

/** Applies batch normalization at inference to the channels of [n, c, h, w], with PyTorch's parameter names. */
export function batchNorm(w: ParameterScope, x: Tensor, epsilon = 1e-5): Tensor {
  const shape = [channelsOf(x)]
  const scale = w.get('weight', shape, 'scale')
  const bias = w.get('bias', shape, 'bias')
  const mean = w.get('running_mean', shape, 'mean')
  const variance = w.get('running_var', shape, 'variance')
  return batchNormalization(x, { scale, bias, mean, variance }, epsilon)
}

/** Applies layer normalization over the last axis. */
export function layerNorm(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  const shape = [sizeAt(x, -1)]
  return layerNormalization(
    x,
    { scale: w.get('weight', shape, 'scale'), bias: w.get('bias', shape, 'bias') },
    epsilon,
  )
}

/** Applies layer normalization without bias over the last axis. */
export function unbiasedLayerNorm(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  const width = sizeAt(x, -1)
  const bias = constant(x.graph, new Float32Array(width), [width])
  return layerNormalization(x, { scale: w.get('weight', [width], 'scale'), bias }, epsilon)
}

/** Applies layer normalization over the channels of [n, c, h, w]. */
export function layerNorm2d(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  return channelsFirst(layerNorm(w, channelsLast(x), epsilon))
}

/** Applies layer normalization without bias over the channels of [n, c, h, w]. */
export const unbiasedLayerNorm2d = (w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor =>
  channelsFirst(unbiasedLayerNorm(w, channelsLast(x), epsilon))

/** Returns a parameter with a value for each channel as [width, 1, 1], which broadcasts over images [n, width, h, w]. */
export const channelValues = (
  w: ParameterScope,
  name: string,
  { width, role = 'scale' }: { width: number; role?: 'scale' | 'bias' },
): Tensor => reshape(w.get(name, [width], role), [width, 1, 1])

/** Applies root-mean-square normalization over the last axis (Zhang and Sennrich 2019). */
export function rmsNorm(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  const scale = w.get('weight', [sizeAt(x, -1)], 'scale')
  return mul(div(x, sqrt(add(mean(mul(x, x), [-1], true), epsilon))), scale)
}

/** Multiplies the last axis by a learned factor per channel, `gamma` (timm's LayerScale; Touvron et al. 2021). */
export const layerScale = (w: ParameterScope, x: Tensor): Tensor =>
  mul(x, w.get('gamma', [sizeAt(x, -1)], 'scale'))

/** Multiplies the channels of [n, c, h, w] by a learned factor each, `gamma` [c]. */
export const layerScale2d = (w: ParameterScope, x: Tensor): Tensor =>
  mul(x, channelValues(w, 'gamma', { width: channelsOf(x) }))

/** Multiplies the channels of [n, c, h, w] by a learned factor each, `gamma` [c, 1, 1]. */
export const layerScaleChw = (w: ParameterScope, x: Tensor): Tensor =>
  mul(x, w.get('gamma', [channelsOf(x), 1, 1], 'scale'))

interface GroupNormOptions {
  groups: number
  epsilon?: number
  /** Whether a bias is learned; it is by default. */
  bias?: boolean
}

/** Applies group normalization to [n, c, h, w] (Wu and He 2018). */
export function groupNorm(w: ParameterScope, x: Tensor, options: GroupNormOptions): Tensor {
  const { groups, epsilon = 1e-5, bias = true } = options
  const width = channelsOf(x)
  const filled = (value: number): Tensor =>
    constant(x.graph, new Float32Array(groups).fill(value), [groups])
  const grouped = reshape(x, [x.shape[0]!, groups, product([width / groups, ...x.shape.slice(2)])])
  const normal = instanceNormalization(grouped, { scale: filled(1), bias: filled(0) }, epsilon)
  const scaled = mul(reshape(normal, x.shape), channelValues(w, 'weight', { width }))
  return bias ? add(scaled, channelValues(w, 'bias', { width, role: 'bias' })) : scaled
}

interface EvoNormOptions {
  /** Groups of channels, 32 by default. */
  groups?: number
  epsilon?: number
  /** Whether the norm has its activation; it has by default. */
  activated?: boolean
}

/** Applies EvoNorm-S0 (Liu et al. 2020), a norm with its activation: x sigmoid(v x) over the deviation of groups of channels. */
export function evoNorm(w: ParameterScope, x: Tensor, options: EvoNormOptions = {}): Tensor {
  const { groups: count = 32, epsilon = 1e-5, activated = true } = options
  const width = channelsOf(x)
  const grouped = [x.shape[0]!, count, product([width / count, ...x.shape.slice(2)])]
  const groups = reshape(x, grouped)
  const centred = sub(groups, mean(groups, [2], true))
  const deviation = sqrt(add(mean(mul(centred, centred), [2], true), epsilon))
  const active = activated ? mul(x, sigmoid(mul(x, channelValues(w, 'v', { width })))) : x
  const normal = reshape(div(reshape(active, grouped), deviation), x.shape)
  const scaled = mul(normal, channelValues(w, 'weight', { width }))
  return add(scaled, channelValues(w, 'bias', { width, role: 'bias' }))
}

/** Divides the channels of [n, c, h, w] by their deviation at each position, without subtracting their mean. */
export function varianceNorm2d(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  const width = channelsOf(x)
  const centred = sub(x, mean(x, [1], true))
  const variance = mul(mean(mul(centred, centred), [1], true), width / (width - 1))
  return mul(div(x, sqrt(add(variance, epsilon))), channelValues(w, 'weight', { width }))
}

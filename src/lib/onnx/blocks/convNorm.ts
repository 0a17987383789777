import { constant, type ParameterScope, sharedConstant, type Tensor } from '../graph.ts'
import {
  add,
  conv2d,
  flatten,
  globalAvgPool,
  hardSigmoid,
  matmul,
  mul,
  pad2d,
  relu,
  reshape,
  sigmoid,
  softmax,
  type SlidingWindow,
  transpose,
} from '../ops.ts'
import { channelsOf, fixedSize, product, sizeAt } from '../shapes.ts'
import { conv, linear } from './linear.ts'
import { batchNorm, layerNorm2d } from './norm.ts'

interface ConvNormOptions {
  out: number
  /** Side of the kernel, or its height and width; 1 by default. */
  kernel?: number | readonly [height: number, width: number]
  stride?: number
  groups?: number
  dilation?: number
  /** Keeps the size at stride 1 by default. */
  padding?: NonNullable<SlidingWindow['padding']>
  /** Whether the norm follows (default); the convolution has a bias where it does not. */
  norm?: boolean
  epsilon?: number
  /** Whether the convolution has a bias beside the norm's; by default it has none. */
  bias?: boolean
  /** Names of the two layers in the checkpoint; `conv` and `bn` by default. */
  names?: readonly [conv: string, norm: string] | undefined
}

/** Applies a convolution, padded to keep the size at stride 1 unless told otherwise, then batch normalization. */
export function convNorm(w: ParameterScope, x: Tensor, c: ConvNormOptions): Tensor {
  const { names = ['conv', 'bn'], kernel = 1, dilation = 1, norm = true, epsilon, ...options } = c
  const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel
  const [rows, columns] = [(dilation * (height - 1)) / 2, (dilation * (width - 1)) / 2]
  const padding = [rows, columns, rows, columns] as const
  const y = conv(w.at(names[0]), x, { padding, bias: !norm, ...options, kernel, dilation })
  return norm ? batchNorm(w.at(names[1]), y, epsilon) : y
}

/** Returns TensorFlow's `SAME` padding [top, left, bottom, right]: the output has the input's size over the stride, rounded up. */
export function samePadding(
  x: Tensor,
  { kernel, stride }: { kernel: number; stride: number },
): readonly [number, number, number, number] {
  const total = (axis: number): number => {
    const size = sizeAt(x, axis)
    return Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0)
  }
  const [rows, columns] = [total(2), total(3)]
  const [top, left] = [Math.floor(rows / 2), Math.floor(columns / 2)]
  return [top, left, rows - top, columns - left]
}

/** Applies a depthwise convolution to x [n, c, h, w], then batch normalization. */
export function depthwiseConvNorm(
  w: ParameterScope,
  x: Tensor,
  c: Omit<ConvNormOptions, 'out' | 'groups'>,
): Tensor {
  const channels = channelsOf(x)
  return convNorm(w, x, { ...c, out: channels, groups: channels })
}

interface HalvingOptions extends Pick<ConvNormOptions, 'names' | 'bias'> {
  /** Channels of the result; every layer has twice the channels of the layer before. */
  out: number
  activation: (x: Tensor) => Tensor
}

/** Halves an image once for each scope by a 3 × 3 convolution with norm; an activation stands between two of them. */
export const halvingStem = (
  scopes: readonly ParameterScope[],
  image: Tensor,
  { out, activation, ...options }: HalvingOptions,
): Tensor =>
  scopes.reduce((x, w, i) => {
    const channels = out / 2 ** (scopes.length - 1 - i)
    const layer = { ...options, out: channels, kernel: 3, stride: 2 }
    return convNorm(w, i === 0 ? x : activation(x), layer)
  }, image)

type LayerNames = Pick<ConvNormOptions, 'names'>

/** Adds a depthwise 3 × 3 convolution with norm to x [n, c, h, w]. */
export const addDepthwise = (w: ParameterScope, x: Tensor, { names }: LayerNames = {}): Tensor =>
  add(x, depthwiseConvNorm(w, x, { kernel: 3, names }))

interface PointwiseOptions extends LayerNames {
  /** Names of the two convolutions; `pw1` and `pw2` by default. */
  layers?: readonly [first: string, second: string]
  /** ReLU by default. */
  activation?: (x: Tensor) => Tensor
}

/** Adds two 1 × 1 convolutions with norms to x [n, c, h, w]; between them are twice the channels and an activation. */
export function addPointwise(w: ParameterScope, x: Tensor, c: PointwiseOptions = {}): Tensor {
  const { layers = ['pw1', 'pw2'], activation = relu, names } = c
  const channels = channelsOf(x)
  const inner = activation(convNorm(w.at(layers[0]), x, { out: 2 * channels, names }))
  return add(x, convNorm(w.at(layers[1]), inner, { out: channels, names }))
}

interface MergingOptions extends LayerNames {
  /** Channels of the result. */
  out: number
  /** Channels inside, four times those of x by default. */
  inner?: number
  /** Names of the four layers; `conv1`, `conv2`, `se` and `conv3` by default. */
  layers?: readonly [expand: string, halve: string, squeeze: string, project: string]
}

/** Halves x [n, c, h, w] by an inverted bottleneck with squeeze-and-excitation. */
export function mergeByBottleneck(w: ParameterScope, x: Tensor, c: MergingOptions): Tensor {
  const { out, inner = 4 * channelsOf(x), names } = c
  const [expand, halve, squeeze, project] = c.layers ?? ['conv1', 'conv2', 'se', 'conv3']
  const wide = relu(convNorm(w.at(expand), x, { out: inner, names }))
  const halved = relu(depthwiseConvNorm(w.at(halve), wide, { kernel: 3, stride: 2, names }))
  const gated = squeezeExcite(w.at(squeeze), halved, { inner: divisibleWidth(inner / 4) })
  return convNorm(w.at(project), gated, { out, names })
}

interface SqueezeOptions {
  /** Channels between the two layers. */
  inner: number
  activation?: ((x: Tensor) => Tensor) | undefined
  gate?: (x: Tensor) => Tensor
  /** Whether a norm, `bn`, follows the first layer. */
  norm?: boolean
  /** Whether the layers have biases; they do by default. */
  bias?: boolean
  /** Names of the two layers; `fc1` and `fc2` by default. */
  names?: readonly [reduce: string, expand: string]
}

/** Scales the channels of x [n, c, h, w] by gates that two layers compute from the channels' means (Hu et al. 2017). */
export function squeezeExcite(w: ParameterScope, x: Tensor, c: SqueezeOptions): Tensor {
  const { activation = relu, gate = sigmoid, bias = true, names = ['fc1', 'fc2'] } = c
  const reduced = conv(w.at(names[0]), globalAvgPool(x), { out: c.inner, bias })
  const hidden = activation(c.norm ? batchNorm(w.at('bn'), reduced) : reduced)
  const out = channelsOf(x)
  return mul(x, gate(conv(w.at(names[1]), hidden, { out, bias })))
}

/** Scales the channels of x [n, c, h, w] by gates that the layer `w` computes from the channels' means (Lee and Park 2019). */
export const effectiveSqueezeExcite = (
  w: ParameterScope,
  x: Tensor,
  gate: (x: Tensor) => Tensor = hardSigmoid,
): Tensor => {
  const out = channelsOf(x)
  return mul(x, gate(conv(w, globalAvgPool(x), { out, bias: true })))
}

interface ContextOptions {
  /** Channels between the two layers. */
  inner: number
  activation: (x: Tensor) => Tensor
}

/**
 * Global context (Cao et al. 2019): a network `w` of two layers, `fc1` and `fc2`, on the mean of all positions of x
 * [n, c, h, w] with the weights `scores` [n, 1, h, w] before their softmax. Returns [n, c, 1, 1].
 */
export function globalContext(
  w: ParameterScope,
  { x, scores }: { x: Tensor; scores: Tensor },
  { inner, activation }: ContextOptions,
): Tensor {
  const [n, , height, width] = x.shape
  const channels = channelsOf(x)
  const places = product([height!, width!])
  const columns = reshape(scores, [n!, places, 1])
  const context = matmul(reshape(x, [n!, channels, places]), softmax(columns, 1))
  const mean = reshape(context, [n!, channels, 1, 1])
  const reduced = conv(w.at('fc1'), mean, { out: inner, bias: true })
  const hidden = activation(layerNorm2d(w.at('norm'), reduced))
  return conv(w.at('fc2'), hidden, { out: channels, bias: true })
}

/** Normalizes channels [n, c, 1, 1] by `bn` and applies the linear layer `name`: [n, out]. */
export const normLinear = (
  w: ParameterScope,
  x: Tensor,
  { out, name = 'linear' }: { out: number; name?: string },
): Tensor => linear(w.at(name), flatten(batchNorm(w.at('bn'), x)), out)

/** Rounds a width to the nearest multiple of `divisor` (8 by default), at least one; to the next if less than `limit` of the width would be left. */
export function divisibleWidth(width: number, { divisor = 8, limit = 0 } = {}): number {
  const rounded = Math.max(divisor, Math.floor((width + divisor / 2) / divisor) * divisor)
  return rounded < limit * width ? rounded + divisor : rounded
}

/**
 * Scales each channel of x [n, c, h, w] by a gate from the means of neighbouring channels (ECA, Wang et al. 2019), by the
 * layer `conv`. The width decides how many neighbours: that before pruning, `unpruned`, if it is given.
 */
export function channelAttention(
  w: ParameterScope,
  x: Tensor,
  { unpruned }: { unpruned?: number } = {},
): Tensor {
  const [n, channels] = x.shape
  const width = fixedSize(channels, 'channelAttention')
  const reach = Math.floor((Math.log2(unpruned ?? width) + 1) / 2)
  const kernel = Math.max(3, reach % 2 === 1 ? reach : reach + 1)
  const weight = reshape(w.at('conv').get('weight', [1, 1, kernel]), [1, 1, kernel, 1])
  const pad = (kernel - 1) / 2
  const means = reshape(globalAvgPool(x), [n!, 1, width, 1])
  const gate = conv2d(means, { weight }, { padding: [pad, 0, pad, 0] })
  return mul(x, reshape(sigmoid(gate), [n!, width, 1, 1]))
}

/** Halves x [n, c, h, w] by a binomial 3 × 3 kernel with stride 2 (Zhang 2019); borders are reflected or zero. */
export function blurPool(x: Tensor, border: 'reflect' | 'constant' = 'reflect'): Tensor {
  const width = channelsOf(x)
  const kernel = [1, 2, 1, 2, 4, 2, 1, 2, 1].map(value => value / 16)
  const values = Float32Array.from({ length: 9 * width }, (_, i) => kernel[i % 9]!)
  const weight = constant(x.graph, values, [width, 1, 3, 3])
  return conv2d(pad2d(x, [1, 1, 1, 1], border), { weight }, { stride: 2, groups: width })
}

/** Averages [n, c, h, w] over size × size parts that overlap where they do not divide it, as PyTorch's adaptive pooling. */
export function adaptiveAvgPool(x: Tensor, size: number): Tensor {
  const along = (axis: 2 | 3): Tensor => {
    const whole = sizeAt(x, axis)
    return sharedConstant(x.graph, `adaptive_${whole}_${size}`, () => {
      const shares = new Float32Array(size * whole)
      for (let part = 0; part < size; part++) {
        const start = Math.floor((part * whole) / size)
        const end = Math.ceil(((part + 1) * whole) / size)
        shares.fill(1 / (end - start), part * whole + start, part * whole + end)
      }
      return { data: shares, shape: [size, whole] }
    })
  }
  return matmul(matmul(along(2), x), transpose(along(3), [1, 0]))
}

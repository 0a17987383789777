import { type Tensor, type ParameterScope } from '../graph.ts'
import { globalAvgPool, mul, relu, sigmoid } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { conv } from './linear.ts'
import { batchNorm } from './norm.ts'

interface ConvNormOptions {
  out: number
  kernel?: number
  stride?: number
  groups?: number
  /** Names of the two layers in the checkpoint; `conv` and `bn` by default. */
  names?: readonly [conv: string, norm: string]
}

/** A convolution without bias, padded to keep the size at stride 1, then batch normalization. */
export function convNorm(
  w: ParameterScope,
  x: Tensor,
  { names = ['conv', 'bn'], ...options }: ConvNormOptions,
): Tensor {
  const padding = ((options.kernel ?? 1) - 1) / 2
  const y = conv(w.at(names[0]), x, { ...options, padding })
  return batchNorm(w.at(names[1]), y)
}

/** Scales channels by a gate of `inner` units on their means, with timm's names `fc1`, `bn` if `norm`, `fc2`. */
export function squeezeExcite(
  w: ParameterScope,
  x: Tensor,
  { inner, norm = false }: { inner: number; norm?: boolean },
): Tensor {
  const reduced = conv(w.at('fc1'), globalAvgPool(x), { out: inner, bias: true })
  const hidden = relu(norm ? batchNorm(w.at('bn'), reduced) : reduced)
  return mul(
    x,
    sigmoid(conv(w.at('fc2'), hidden, { out: fixedSize(x.shape[1], 'squeezeExcite'), bias: true })),
  )
}

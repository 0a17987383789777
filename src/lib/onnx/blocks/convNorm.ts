import { type Tensor, type ParameterScope } from '../graph.ts'
import { globalAvgPool, mul, relu, sigmoid } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { conv } from './linear.ts'
import { batchNorm } from './norm.ts'

interface ConvNormOptions {
  stride?: number
  groups?: number
  /** Names of the two layers in the checkpoint; `conv` and `bn` by default. */
  names?: readonly [conv: string, norm: string]
}

/** A convolution without bias, padded to keep the size at stride 1, then batch normalization. */
export function convNorm(
  w: ParameterScope,
  x: Tensor,
  out: number,
  kernel: number,
  options: ConvNormOptions = {},
): Tensor {
  const { stride = 1, groups = 1, names = ['conv', 'bn'] } = options
  const y = conv(w.at(names[0]), x, out, kernel, { stride, groups, padding: (kernel - 1) / 2 })
  return batchNorm(w.at(names[1]), y)
}

/** Scales channels by a gate of `inner` units on their means, with timm's names `fc1`, `bn` if `norm`, `fc2`. */
export function squeezeExcite(w: ParameterScope, x: Tensor, inner: number, norm = false): Tensor {
  const reduced = conv(w.at('fc1'), globalAvgPool(x), inner, 1, { bias: true })
  const hidden = relu(norm ? batchNorm(w.at('bn'), reduced) : reduced)
  return mul(
    x,
    sigmoid(conv(w.at('fc2'), hidden, fixedSize(x.shape[1], 'squeezeExcite'), 1, { bias: true })),
  )
}

import { constant, type Tensor, type ParameterScope } from '../graph.ts'
import { conv2d, instanceNormalization, mul, reshape, type SlidingWindow } from '../ops.ts'
import { channelsOf } from '../shapes.ts'

interface StandardizedConvOptions extends SlidingWindow {
  out: number
  kernel?: number
  groups?: number
  epsilon: number
  /** Factor on filters that are scaled by a learned `gain` and 1/√(inputs of a filter), as in normalizer-free networks; adds a bias. */
  gain?: number
}

/** Applies a convolution whose filters have mean 0 and deviation 1 (Qiao et al. 2019), or are scaled by `gain` (Brock et al. 2021). */
export function standardizedConv(w: ParameterScope, x: Tensor, c: StandardizedConvOptions): Tensor {
  const { out, kernel = 1, groups = 1, epsilon, gain, ...window } = c
  const inputs = channelsOf(x) / groups
  const weight = w.get('weight', [out, inputs, kernel, kernel])
  const size = inputs * kernel * kernel
  const filled = (value: number): Tensor =>
    constant(x.graph, new Float32Array(out).fill(value), [out])
  const scale =
    gain === undefined
      ? filled(1)
      : mul(reshape(w.get('gain', [out, 1, 1, 1], 'scale'), [out]), gain * size ** -0.5)
  const filters = reshape(weight, [1, out, size])
  const standard = instanceNormalization(filters, { scale, bias: filled(0) }, epsilon)
  const bias = gain === undefined ? undefined : w.get('bias', [out], 'bias')
  return conv2d(x, { weight: reshape(standard, weight.shape), bias }, { groups, ...window })
}

/**
 * Re-parameterized layers (RepVGG, Ding et al. 2021): linear branches whose sum is computed as one convolution. The
 * checkpoint keeps its branches; the graph adds their kernels in double precision, which ONNX Runtime does once when it
 * loads the model.
 */
import {
  constant,
  type Graph,
  type ParameterRole,
  type ParameterScope,
  scalar,
  type Tensor,
} from '../graph.ts'
import { add, cast, conv2d, div, mul, pad2d, reshape, sqrt, sub } from '../ops.ts'
import { batchNorm } from './norm.ts'
import { channelsOf, sizeAt } from '../shapes.ts'

/** One of the branches: a convolution, a batch normalization, both in this order, or neither (the input itself). */
export interface Branch {
  conv?: ParameterScope
  norm?: ParameterScope
  /** Side of the kernel, 1 by default. */
  kernel?: number
  /** Whether the convolution has a bias. */
  bias?: boolean
}

/** Returns the branch of a convolution `conv` and the norm behind it. */
export const convBranch = (w: ParameterScope, kernel = 1, norm = 'bn'): Branch => ({
  conv: w.at('conv'),
  norm: w.at(norm),
  kernel,
})

interface BranchSettings {
  out: number
  stride?: number
  groups?: number
  epsilon?: number
}

interface Kernel {
  weight: Tensor
  bias?: Tensor | undefined
}

function branchKernel(x: Tensor, branch: Branch, c: BranchSettings): Kernel {
  const { conv, norm, kernel = 1 } = branch
  const { out, groups = 1, epsilon = 1e-5 } = c
  const inputs = channelsOf(x) / groups
  const double = (parameter: Tensor): Tensor => cast(parameter, 'float64')
  const values = (scope: ParameterScope, name: string, role: ParameterRole): Tensor =>
    double(scope.get(name, [out], role))
  const weight = double(conv?.get('weight', [out, inputs, kernel, kernel]) ?? ones(x.graph, out))
  const bias = branch.bias && conv ? values(conv, 'bias', 'bias') : undefined
  if (!norm) return { weight, bias }
  const variance = values(norm, 'running_var', 'variance')
  const deviation = sqrt(add(variance, double(scalar(x.graph, epsilon))))
  const factor = div(values(norm, 'weight', 'scale'), deviation)
  const mean = values(norm, 'running_mean', 'mean')
  return {
    weight: mul(weight, reshape(factor, [out, 1, 1, 1])),
    bias: sub(values(norm, 'bias', 'bias'), mul(bias ? sub(mean, bias) : mean, factor)),
  }
}

/** Returns the kernels [width, 1, 1, 1] that leave a depthwise convolution's input as it is. */
const ones = (graph: Graph, width: number): Tensor =>
  constant(graph, new Float32Array(width).fill(1), [width, 1, 1, 1])

/**
 * Computes the sum of branches over x [n, in, h, w], each padded to keep the size at stride 1, as one convolution. Where
 * channels mix, a branch without convolution is added to the result instead: its large values would round the other
 * kernels.
 */
export function branchedConv(x: Tensor, branches: readonly Branch[], c: BranchSettings): Tensor {
  const { out, stride = 1, groups = 1, epsilon } = c
  const folded = branches.filter(({ conv }) => conv !== undefined || groups === out)
  const kernels = folded.map(branch => branchKernel(x, branch, c))
  const side = Math.max(...folded.map(({ kernel = 1 }) => kernel))
  const total = (parts: readonly Tensor[]): Tensor =>
    cast(
      parts.reduce((a, b) => add(a, b)),
      'float32',
    )
  const weight = total(kernels.map(kernel => widened(kernel.weight, side)))
  const biases = kernels.flatMap(({ bias }) => (bias ? [bias] : []))
  const bias = biases.length > 0 ? total(biases) : undefined
  const y = conv2d(x, { weight, bias }, { stride, groups, padding: (side - 1) / 2 })
  return branches
    .filter(branch => !folded.includes(branch))
    .reduce((sum, { norm }) => add(sum, norm ? batchNorm(norm, x, epsilon) : x), y)
}

/** Pads a kernel with zeros to `side` rows and columns. */
function widened(weight: Tensor, side: number): Tensor {
  const border = (side - sizeAt(weight, 2)) / 2
  return border === 0 ? weight : pad2d(weight, [border, border, border, border])
}

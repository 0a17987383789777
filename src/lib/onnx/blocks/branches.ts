/**
 * Re-parameterized layers (RepVGG, Ding et al. 2021): linear branches whose sum is computed as one convolution. The
 * checkpoint keeps its branches; the graph adds their kernels, which ONNX Runtime does once when it loads the model.
 */
import { sharedConstant, type Tensor, type ParameterScope } from '../graph.ts'
import { add, cast, conv2d, div, mul, pad2d, reshape, sqrt, sub } from '../ops.ts'
import { fixedSize } from '../shapes.ts'

/** A convolution, a batch normalization, the one behind the other, or neither: the input itself. */
export interface Branch {
  conv?: ParameterScope
  norm?: ParameterScope
  /** Side of the kernel, 1 by default. */
  kernel?: number
  /** Whether the convolution has a bias. */
  bias?: boolean
}

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

/** The branch that is the input itself, as a kernel of ones and zeros [out, in / groups, 1, 1]. */
function identityKernel(x: Tensor, { out, groups = 1 }: BranchSettings): Tensor {
  const inputs = out / groups
  const ones = sharedConstant(x.graph, `identity_${out}_${inputs}`, () => {
    const data = new Uint8Array(out * inputs)
    for (let i = 0; i < out; i++) data[i * inputs + (i % inputs)] = 1
    return { data, shape: [out, inputs, 1, 1] }
  })
  return cast(ones, 'float32')
}

function branchKernel(x: Tensor, branch: Branch, c: BranchSettings): Kernel {
  const { conv, norm, kernel = 1 } = branch
  const { out, groups = 1, epsilon = 1e-5 } = c
  const inputs = fixedSize(x.shape[1], 'branch') / groups
  const weight = conv?.get('weight', [out, inputs, kernel, kernel]) ?? identityKernel(x, c)
  const bias = branch.bias ? conv?.get('bias', [out], 'bias') : undefined
  if (!norm) return { weight, bias }
  const deviation = sqrt(add(norm.get('running_var', [out], 'variance'), epsilon))
  const factor = div(norm.get('weight', [out], 'scale'), deviation)
  const mean = norm.get('running_mean', [out], 'mean')
  const centre = bias ? sub(mean, bias) : mean
  return {
    weight: mul(weight, reshape(factor, [out, 1, 1, 1])),
    bias: sub(norm.get('bias', [out], 'bias'), mul(centre, factor)),
  }
}

/** The sum of branches over x [n, in, h, w], each padded to keep the size at stride 1, as one convolution. */
export function branchedConv(x: Tensor, branches: readonly Branch[], c: BranchSettings): Tensor {
  const kernels = branches.map(branch => branchKernel(x, branch, c))
  const side = Math.max(...branches.map(({ kernel = 1 }) => kernel))
  const weight = kernels.map(({ weight }) => widened(weight, side)).reduce((a, b) => add(a, b))
  const biases = kernels.flatMap(({ bias }) => (bias ? [bias] : []))
  const bias = biases.length > 0 ? biases.reduce((a, b) => add(a, b)) : undefined
  const { stride = 1, groups = 1 } = c
  return conv2d(x, { weight, bias }, { stride, groups, padding: (side - 1) / 2 })
}

/** A kernel with zeros around it, `side` wide. */
function widened(weight: Tensor, side: number): Tensor {
  const border = (side - fixedSize(weight.shape[2], 'widened')) / 2
  return border === 0 ? weight : pad2d(weight, [border, border, border, border])
}

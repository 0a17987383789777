import { type Tensor, type ParameterScope } from '../graph.ts'
import { gelu, halves, mul, silu } from '../ops.ts'
import { channelsOf, sizeAt } from '../shapes.ts'
import { conv, linear, unbiasedLinear } from './linear.ts'

interface MlpOptions {
  /** Width between the two layers. */
  hidden: number
  activation?: ((x: Tensor) => Tensor) | undefined
  /** Width of the result, that of `x` by default. */
  out?: number
  /** Whether the layers have biases; they do by default. */
  bias?: boolean
  /** Whether the second layer has a bias; by default as `bias` says. */
  outBias?: boolean
}

/** Applies two linear layers, `fc1` and `fc2`, with an activation (GELU by default) between them. */
export function mlp(w: ParameterScope, x: Tensor, options: MlpOptions): Tensor {
  const { hidden, activation = gelu, out = sizeAt(x, -1) } = options
  const { bias = true, outBias = bias } = options
  const layer = (biased: boolean) => (biased ? linear : unbiasedLinear)
  return layer(outBias)(w.at('fc2'), activation(layer(bias)(w.at('fc1'), x, hidden)), out)
}

/** Applies a linear layer to twice `hidden` channels and scales the second half by SiLU of the first (SwiGLU, Shazeer 2020). */
export function packedSwiglu(w: ParameterScope, x: Tensor, hidden: number): Tensor {
  const [gate, value] = halves(linear(w, x, 2 * hidden))
  return mul(silu(gate), value)
}

/** Applies two 1 × 1 convolutions, `fc1` and `fc2`, to [n, c, h, w], with an activation (GELU by default) between them. */
export function convMlp(
  w: ParameterScope,
  x: Tensor,
  options: Pick<MlpOptions, 'hidden' | 'activation' | 'bias'>,
): Tensor {
  const { hidden, activation = gelu, bias = true } = options
  const inner = activation(conv(w.at('fc1'), x, { out: hidden, bias }))
  return conv(w.at('fc2'), inner, { out: channelsOf(x), bias })
}

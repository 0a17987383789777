import { type Tensor, type ParameterScope } from '../graph.ts'
import { gelu } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { linear, unbiasedLinear } from './linear.ts'

interface MlpOptions {
  /** Width between the two layers. */
  hidden: number
  activation?: ((x: Tensor) => Tensor) | undefined
  /** Width of the result, that of `x` by default. */
  out?: number
  /** Whether the second layer has a bias. */
  outBias?: boolean
}

/** Two linear layers, `fc1` and `fc2`, with an activation (GELU by default) between them. */
export function mlp(w: ParameterScope, x: Tensor, options: MlpOptions): Tensor {
  const { hidden, activation = gelu, out = fixedSize(x.shape.at(-1), 'mlp') } = options
  const second = (options.outBias ?? true) ? linear : unbiasedLinear
  return second(w.at('fc2'), activation(linear(w.at('fc1'), x, hidden)), out)
}

import { type Tensor, type ParameterScope } from '../graph.ts'
import { gelu } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { linear } from './linear.ts'

/** Two linear layers, `fc1` and `fc2`, with an activation between them; the result is as wide as `x` unless told. */
export function mlp(
  w: ParameterScope,
  x: Tensor,
  hidden: number,
  activation: (x: Tensor) => Tensor = gelu,
  { out = fixedSize(x.shape.at(-1), 'mlp'), outBias = true } = {},
): Tensor {
  return linear(w.at('fc2'), activation(linear(w.at('fc1'), x, hidden)), out, outBias)
}

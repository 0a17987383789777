/*
 * An optimizer as a graph: parameter, gradient and state in, parameter and state out, by PyTorch's formulas in float32. The
 * bias corrections 1 - β^step are taken in float64, for in float32 the first one would be off by 6e-5.
 */
import { constant, type Tensor } from './graph.ts'
import { add, cast, div, mul, pow, sqrt, sub } from './ops.ts'

/** One parameter's update; `state` has a tensor of the parameter's shape for every slot, zeros at the start. */
export type ParameterUpdate = (
  parameter: Tensor,
  gradient: Tensor,
  state: readonly Tensor[],
) => { parameter: Tensor; state: readonly Tensor[] }

export interface Optimizer {
  name: string
  /** Names of the state's tensors. */
  slots: readonly string[]
  /** `step` is the int64 number [] of the update, 1 for the first. */
  begin(step: Tensor): ParameterUpdate
}

export interface AdamOptions {
  /** Learning rate. */
  rate: number
  betas?: readonly [number, number]
  epsilon?: number
}

/** Adam (Kingma and Ba 2015) as torch.optim.Adam computes it, without weight decay. */
export function adam(options: AdamOptions): Optimizer {
  const { rate, betas = [0.9, 0.999], epsilon = 1e-8 } = options
  const [first, second] = betas
  return {
    name: 'adam',
    slots: ['first', 'second'],
    begin: step => {
      const { size, floor } = correctBias(step, { rate, betas, epsilon })
      return (parameter, gradient, [m, v]) => {
        const mean = add(mul(m!, first), mul(gradient, 1 - first))
        const square = add(mul(v!, second), mul(mul(gradient, gradient), 1 - second))
        const change = div(mul(mean, size), add(sqrt(square), floor))
        return { parameter: sub(parameter, change), state: [mean, square] }
      }
    },
  }
}

export interface NesterovOptions {
  /** Learning rate. */
  rate: number
  /** Default 0.9. */
  momentum?: number
  /** Factor of the L2 penalty: this times the parameter is added to its gradient. Default 0. */
  decay?: number
}

/** Gradient descent with Nesterov's momentum as torch.optim.SGD computes it with `nesterov=True`. */
export function nesterov({ rate, momentum = 0.9, decay = 0 }: NesterovOptions): Optimizer {
  return {
    name: 'nesterov',
    slots: ['velocity'],
    begin:
      () =>
      (parameter, gradient, [velocity]) => {
        const slope = decay === 0 ? gradient : add(gradient, mul(parameter, decay))
        const next = add(mul(velocity!, momentum), slope)
        const change = mul(add(slope, mul(next, momentum)), rate)
        return { parameter: sub(parameter, change), state: [next] }
      },
  }
}

/** With c = √(1 - β₂^step): the step size, rate · c / (1 - β₁^step), and the addend of the root, epsilon · c. */
function correctBias(step: Tensor, { rate, betas, epsilon }: Required<AdamOptions>) {
  const exact = (value: number): Tensor => constant(step.graph, Float64Array.of(value), [])
  const missing = (beta: number): Tensor => sub(exact(1), pow(exact(beta), cast(step, 'float64')))
  const root = sqrt(missing(betas[1]))
  return {
    size: cast(div(mul(root, exact(rate)), missing(betas[0])), 'float32'),
    floor: cast(mul(root, exact(epsilon)), 'float32'),
  }
}

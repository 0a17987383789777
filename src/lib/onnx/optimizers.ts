/*
 * Optimizers as graphs: parameter, gradient and state in, parameter and state out, by PyTorch's formulas in float32. The
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
  /** Names of what is kept per parameter. */
  slots: readonly string[]
  /** `step` is the int64 number [] of the update, 1 for the first. */
  begin(step: Tensor): ParameterUpdate
}

export interface AdamOptions {
  /** Learning rate. */
  rate: number
  betas?: readonly [number, number]
  epsilon?: number
  /** Adam adds `decay` × parameter to the gradient, AdamW shrinks the parameter by rate × decay. */
  decay?: number
}

/** Adam (Kingma and Ba 2015) as torch.optim.Adam computes it. */
export const adam = (options: AdamOptions): Optimizer => createAdam('adam', options, false)

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it; decay 0.01. */
export const adamW = (options: AdamOptions): Optimizer =>
  createAdam('adamw', { decay: 0.01, ...options }, true)

function createAdam(name: string, options: AdamOptions, decoupled: boolean): Optimizer {
  const { rate, betas = [0.9, 0.999], epsilon = 1e-8, decay = 0 } = options
  const [first, second] = betas
  const moved = (step: Tensor): ParameterUpdate => {
    const { size, floor } = correctBias(step, { rate, betas, epsilon })
    return (parameter, gradient, [m, v]) => {
      const shrunk = decoupled && decay > 0 ? mul(parameter, 1 - rate * decay) : parameter
      const slope = decoupled || decay === 0 ? gradient : add(gradient, mul(parameter, decay))
      const mean = add(mul(m!, first), mul(slope, 1 - first))
      const square = add(mul(v!, second), mul(mul(slope, slope), 1 - second))
      return {
        parameter: sub(shrunk, div(mul(mean, size), add(sqrt(square), floor))),
        state: [mean, square],
      }
    }
  }
  return { name, slots: ['first', 'second'], begin: moved }
}

/** With c = √(1 - β₂^step): the step size, rate · c / (1 - β₁^step), and what is added to the root, epsilon · c. */
function correctBias(step: Tensor, { rate, betas, epsilon }: Required<Omit<AdamOptions, 'decay'>>) {
  const exact = (value: number): Tensor => constant(step.graph, Float64Array.of(value), [])
  const missing = (beta: number): Tensor => sub(exact(1), pow(exact(beta), cast(step, 'float64')))
  const root = sqrt(missing(betas[1]))
  return {
    size: cast(div(mul(root, exact(rate)), missing(betas[0])), 'float32'),
    floor: cast(mul(root, exact(epsilon)), 'float32'),
  }
}

export interface SgdOptions {
  rate: number
  momentum?: number
  /** Added to the gradient, times the parameter. */
  decay?: number
}

/** Stochastic gradient descent with momentum as torch.optim.SGD computes it, without dampening. */
export function sgd({ rate, momentum = 0, decay = 0 }: SgdOptions): Optimizer {
  return {
    name: 'sgd',
    slots: momentum === 0 ? [] : ['velocity'],
    begin:
      () =>
      (parameter, gradient, [velocity]) => {
        const slope = decay === 0 ? gradient : add(gradient, mul(parameter, decay))
        const moved = velocity ? add(mul(velocity, momentum), slope) : slope
        return { parameter: sub(parameter, mul(moved, rate)), state: velocity ? [moved] : [] }
      },
  }
}

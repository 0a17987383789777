/*
 * Training as graphs. A step is one graph: inputs are a batch, the trained parameters and the optimizer's state, outputs
 * the loss and the new parameters and state. Where a batch does not fit the memory it takes two: one adds a micro-batch's
 * gradients to running sums, the other updates.
 */
import { inputError } from '../../lib/errors.ts'
import { gradients } from '../../lib/onnx/gradient.ts'
import {
  createGraph,
  type Graph,
  addInput,
  addOutput,
  type TensorShape,
  type Tensor,
  type ParameterScope,
  parameterScope,
} from '../../lib/onnx/graph.ts'
import { type Optimizer, type ParameterUpdate } from '../../lib/onnx/optimizers.ts'
import { add, mean, mul, sum } from '../../lib/onnx/ops.ts'

/** Declares the inputs of a batch and gives the loss of each of its rows, [n]. */
export type Objective = (graph: Graph, w: ParameterScope) => Tensor

/** `next(name)` is the output that holds the new value of the input `name`. */
export const nextName = (name: string): string => `next:${name}`

/** The name of an optimizer's slot for a parameter. */
export const slotName = (slot: string, parameter: string): string => `${slot}:${parameter}`

const sumName = (parameter: string): string => slotName('gradient', parameter)

/**
 * Loss (mean over the batch), gradients and update in one. Inputs: the objective's, `step` (int64), the parameters `trained`
 * and their slots; outputs: `loss` and `next(…)` of each.
 */
export function stepGraph(
  objective: Objective,
  trained: readonly string[],
  optimizer: Optimizer,
): Graph {
  const { graph, losses, parameters } = openTrainingGraph(objective, trained)
  const loss = addOutput('loss', mean(losses, [0]))
  const slopes = gradients(loss, parameters)
  updateAll(graph, parameters, slopes, optimizer)
  return graph
}

/**
 * Adds a micro-batch's gradients to sums. Inputs: the objective's, `scale` (float32, 1 / rows of the whole batch), the
 * parameters and `gradient:<name>`; outputs: `loss` (the micro-batch's share of the mean) and `next(gradient:<name>)`.
 */
export function accumulationGraph(objective: Objective, trained: readonly string[]): Graph {
  const { graph, losses, parameters } = openTrainingGraph(objective, trained)
  const loss = addOutput('loss', mul(sum(losses, [0]), addInput(graph, 'scale', { shape: [] })))
  for (const [i, slope] of gradients(loss, parameters).entries()) {
    const { name, shape } = parameters[i]!
    addOutput(nextName(sumName(name)), add(addInput(graph, sumName(name), { shape }), slope))
  }
  return graph
}

/** The update alone. Inputs: `step`, the parameters, `gradient:<name>` and slots; outputs: `next(…)` of all but gradients. */
export function updateGraph(shapes: ReadonlyMap<string, TensorShape>, optimizer: Optimizer): Graph {
  const graph = createGraph()
  const parameters = Array.from(shapes, ([name, shape]) => addInput(graph, name, { shape }))
  const slopes = parameters.map(({ name, shape }) => addInput(graph, sumName(name), { shape }))
  updateAll(graph, parameters, slopes, optimizer)
  return graph
}

/** The objective with the trained parameters made inputs. */
function openTrainingGraph(objective: Objective, trained: readonly string[]) {
  const graph = createGraph()
  const losses = objective(graph, parameterScope(graph))
  const parameters = trained.map(name => {
    const known = graph.parameters.get(name)
    if (!known) throw inputError('unknown-parameter', `no parameter ${name} to train in this model`)
    graph.parameters.delete(name)
    graph.inputs.push(known.tensor)
    return known.tensor
  })
  return { graph, losses, parameters }
}

function updateAll(
  graph: Graph,
  parameters: readonly Tensor[],
  slopes: readonly Tensor[],
  optimizer: Optimizer,
): void {
  const update: ParameterUpdate = optimizer.begin(
    addInput(graph, 'step', { dtype: 'int64', shape: [] }),
  )
  for (const [i, parameter] of parameters.entries()) {
    const names = optimizer.slots.map(slot => slotName(slot, parameter.name))
    const state = names.map(name => addInput(graph, name, { shape: parameter.shape }))
    const updated = update(parameter, slopes[i]!, state)
    addOutput(nextName(parameter.name), updated.parameter)
    for (const [at, name] of names.entries()) addOutput(nextName(name), updated.state[at]!)
  }
}

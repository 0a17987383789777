/*
 * Builds training graphs. The graph of a step maps a batch, the trained parameters and the optimizer's state to the loss and the
 * new parameters and state. A batch that does not fit the memory needs two graphs: one adds the gradients of a micro-batch to
 * sums, the other updates the parameters.
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

/** Declares the inputs of a batch and returns the loss of each of its rows, [n]. */
export type Objective = (graph: Graph, w: ParameterScope) => Tensor

/** Returns the name of the output that holds the new value of the input `name`. */
export const nextName = (name: string): string => `next:${name}`

/** Returns the name of an optimizer's slot for a parameter. */
export const slotName = (slot: string, parameter: string): string => `${slot}:${parameter}`

const sumName = (parameter: string): string => slotName('gradient', parameter)

/**
 * Returns the graph of loss (mean over the batch), gradients and update. Inputs: the objective's, `step` (int64), the parameters `trained`
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
  const trainedParameters = parameters.map((parameter, i) => ({ parameter, slope: slopes[i]! }))
  addUpdate(graph, trainedParameters, optimizer)
  return graph
}

/**
 * Returns the graph that adds the gradients of a micro-batch to sums. Inputs: the objective's, `scale` (float32, 1 / rows of the whole batch), the
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

/** Returns the graph of the update alone. Inputs: `step`, the parameters, `gradient:<name>` and slots; outputs: `next(…)` of all but gradients. */
export function updateGraph(shapes: ReadonlyMap<string, TensorShape>, optimizer: Optimizer): Graph {
  const graph = createGraph()
  const trained = Array.from(shapes, ([name, shape]) => ({
    parameter: addInput(graph, name, { shape }),
    slope: addInput(graph, sumName(name), { shape }),
  }))
  addUpdate(graph, trained, optimizer)
  return graph
}

/** Creates the graph of an objective with the trained parameters as inputs. */
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

/** Adds the new values of parameters by their gradients, and of the optimizer's slots, as outputs. */
function addUpdate(
  graph: Graph,
  trained: readonly { parameter: Tensor; slope: Tensor }[],
  optimizer: Optimizer,
): void {
  const update: ParameterUpdate = optimizer.begin(
    addInput(graph, 'step', { dtype: 'int64', shape: [] }),
  )
  for (const { parameter, slope } of trained) {
    const names = optimizer.slots.map(slot => slotName(slot, parameter.name))
    const state = names.map(name => addInput(graph, name, { shape: parameter.shape }))
    const updated = update(parameter, slope, state)
    addOutput(nextName(parameter.name), updated.parameter)
    for (const [at, name] of names.entries()) addOutput(nextName(name), updated.state[at]!)
  }
}

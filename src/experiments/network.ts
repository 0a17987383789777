import { GeogapError } from '../lib/errors.ts'
import { crossEntropies } from '../lib/onnx/blocks/loss.ts'
import { createGraph, type Graph, input, output, type Tensor, type Weights, weights } from '../lib/onnx/graph.ts'
import { architecture } from '../models/architectures.ts'
import { type ReadyModel } from '../models/spec.ts'
import { normalizeGraph } from '../lib/pixels/toGraph.ts'
import { splitSteps, type Step } from '../lib/pixels/steps.ts'
import { type Objective } from './training/step.ts'

/** What is fine-tuned: a classifier behind its normalization. */
export interface Network {
  /** Says which one it is: architecture, classes and preprocessing. */
  name: string
  /** Pixels of a crop's side. */
  size: number
  /** crops uint8 [n, 3, size, size] to logits [n, classes]. */
  logits: (w: Weights, crops: Tensor) => Tensor
}

/** A classifier of the catalogue with its preprocessing. Errors: no-head for a model without a classification head. */
export function networkOf(model: Pick<ReadyModel, 'architecture' | 'classes'>, steps: readonly Step[]): Network {
  const known = architecture(model.architecture)
  if (known.kind !== 'classifier')
    throw new GeogapError('input', 'no-head', `${model.architecture} has no classification head to fine-tune`)
  const { normalization, size } = splitSteps(steps)
  return {
    name: `${model.architecture}, ${model.classes} classes, ${JSON.stringify(steps)}`,
    size,
    logits: (w, crops) => known.build(w, normalizeGraph(crops, normalization), model.classes).logits,
  }
}

const cropsInput = (graph: Graph, size: number): Tensor => input(graph, 'crops', 'uint8', ['n', 3, size, size])

/** The graph from `crops` to `logits`, for its parameters or to run a trained network. */
export function networkGraph({ logits, size }: Network): Graph {
  const graph = createGraph()
  output('logits', logits(weights(graph), cropsInput(graph, size)))
  return graph
}

/** Cross-entropy for inputs `crops` and `labels` int64 [n]. */
export const objectiveOf =
  ({ logits, size }: Network): Objective =>
  (graph, w) =>
    crossEntropies(logits(w, cropsInput(graph, size)), input(graph, 'labels', 'int64', ['n']))

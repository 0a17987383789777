import { inputError } from '../lib/errors.ts'
import { crossEntropies } from '../lib/onnx/blocks/loss.ts'
import {
  createGraph,
  type Graph,
  addInput,
  addOutput,
  type Tensor,
  type ParameterScope,
  parameterScope,
} from '../lib/onnx/graph.ts'
import { findArchitecture } from '../models/architectures.ts'
import { type LocalModel } from '../models/spec.ts'
import { normalizeCrops } from '../lib/pixels/toGraph.ts'
import { splitSteps, type PreprocessingStep } from '../lib/pixels/steps.ts'
import { type Objective } from './training/step.ts'

/** A classifier with its normalization, to be fine-tuned. */
export interface TrainableNetwork {
  /** Architecture, classes and preprocessing. */
  name: string
  /** Pixels of a crop's side. */
  size: number
  /** Maps crops, uint8 [n, 3, size, size], to logits [n, classes]. */
  logits: (w: ParameterScope, crops: Tensor) => Tensor
}

/** Returns the network of a catalogue model. Errors: no-head for a model without a classification head. */
export function networkOf(
  model: Pick<LocalModel, 'architecture' | 'classes'>,
  steps: readonly PreprocessingStep[],
): TrainableNetwork {
  const known = findArchitecture(model.architecture)
  if (known.kind !== 'classifier')
    throw inputError('no-head', `${model.architecture} has no classification head to fine-tune`)
  const { normalization, size } = splitSteps(steps)
  return {
    name: `${model.architecture}, ${model.classes} classes, ${JSON.stringify(steps)}`,
    size,
    logits: (w, crops) =>
      known.build(w, normalizeCrops(crops, normalization), model.classes).logits,
  }
}

const cropsInput = (graph: Graph, size: number): Tensor =>
  addInput(graph, 'crops', { dtype: 'uint8', shape: ['n', 3, size, size] })

/** Returns the graph from `crops` to `logits`. */
export function networkGraph({ logits, size }: TrainableNetwork): Graph {
  const graph = createGraph()
  addOutput('logits', logits(parameterScope(graph), cropsInput(graph, size)))
  return graph
}

/** Returns the cross-entropy of the inputs `crops` and `labels`, int64 [n]. */
export const objectiveOf =
  ({ logits, size }: TrainableNetwork): Objective =>
  (graph, w) =>
    crossEntropies(
      logits(w, cropsInput(graph, size)),
      addInput(graph, 'labels', { dtype: 'int64', shape: ['n'] }),
    )

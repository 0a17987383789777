import { internalError } from '../lib/errors.ts'
import { type Graph, type Tensor } from '../lib/onnx/graph.ts'
import { findArchitecture } from '../models/architectures.ts'
import { readParameters } from '../lib/tensors/bindWeights.ts'
import { type LinearHead } from '../models/runtime/head.ts'
import { classifierGraph } from '../models/runtime/loadModel.ts'
import { readWeights } from '../lib/tensors/readWeights.ts'
import { loadModelSpec } from '../models/loadModelSpec.ts'
import { type PreparedModel, prepareModel } from '../models/runtime/prepareModel.ts'
import { type LocalModel, type ModelSpec } from '../models/spec.ts'
import { type OnDownload } from '../evaluate/prepareModels.ts'
import { type PreprocessingStep } from '../lib/pixels/steps.ts'

/** Returns the names of the linear layer's parameters between `features` and `logits`; null if another operation lies between. */
export function headNames(graph: Graph): { weight: string; bias: string } | null {
  const maker = (tensor: Tensor) => graph.nodes.find(node => node.outputs.includes(tensor))
  const reshaped = (tensor: Tensor): Tensor => {
    const node = maker(tensor)
    return node?.op === 'Reshape' ? reshaped(node.inputs[0]!) : tensor
  }
  const [features, logits] = ['features', 'logits'].map(name =>
    reshaped(graph.outputs.get(name)!),
  ) as [Tensor, Tensor]
  const last = maker(logits)
  const [x, weight, bias] = last?.inputs ?? []
  const isParameter = (tensor?: Tensor): tensor is Tensor =>
    tensor !== undefined && graph.parameters.has(tensor.name)
  if (!x || reshaped(x) !== features || !isParameter(weight) || !isParameter(bias)) return null
  const isLinear =
    last?.op === 'Gemm' || (last?.op === 'Conv' && weight.shape.slice(2).every(size => size === 1))
  return isLinear ? { weight: weight.name, bias: bias.name } : null
}

/** Finds a model by its name and prepares its weights, once `requireUsable` has not thrown. */
export async function prepareNamedModel(
  model: string | ModelSpec,
  onDownload?: OnDownload,
  requireUsable?: (spec: ModelSpec) => void,
): Promise<PreparedModel> {
  const spec = typeof model === 'string' ? await loadModelSpec(model) : model
  requireUsable?.(spec)
  return prepareModel(spec, (done, total) => onDownload?.(spec.name, done, total))
}

/** Reads the linear classifier that a model was published with; null for a model without one. */
export async function pretrainedHead(
  model: LocalModel,
  steps: readonly PreprocessingStep[],
): Promise<LinearHead | null> {
  const known = model.graph ? undefined : findArchitecture(model.architecture)
  if (known?.kind !== 'classifier' || model.classes === 0) return null
  const graph = classifierGraph(model, steps)
  const names = headNames(graph)
  if (!names) return null
  const files = await Promise.all(model.files.map(readWeights))
  const found = await readParameters(graph, files, {
    ...known.names,
    only: [names.weight, names.bias],
  })
  const [weight, bias] = found
  if (!weight || !bias)
    throw internalError('no-head', `no values of ${names.weight} and ${names.bias}`)
  return { classes: model.classes, width: weight.shape[1]!, weight: weight.data, bias: bias.data }
}

/** Returns a head of zeros, which gives all classes the same score. */
export const untrainedHead = (classes: number, width: number): LinearHead => ({
  classes,
  width,
  weight: new Float32Array(classes * width),
  bias: new Float32Array(classes),
})

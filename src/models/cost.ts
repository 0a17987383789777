import { statSync } from 'node:fs'
import { multiplyAdds, parameterCount } from '../lib/onnx/cost.ts'
import { createGraph, addInput, parameterScope } from '../lib/onnx/graph.ts'
import { findArchitecture } from './architectures.ts'
import { type ModelSpec } from './spec.ts'

export interface ModelCost {
  /** Trained values, of both towers where there are two. */
  parameters: number
  /** For one image of the model's own input size; texts are embedded once and not counted. */
  multiplyAdds: number
}

/** Computed from the graph, without weights; guessed for a graph made elsewhere. */
export function modelCost(spec: ModelSpec): ModelCost {
  return spec.graph ? guessCost(spec.weights) : countCost(spec)
}

/** float32 weights in all of the file, or a ResNet-50's where it is not here, and 200 multiply-adds for each as there. */
function guessCost(weights: ModelSpec['weights']): ModelCost {
  const [file] = weights.from === 'files' ? weights.files : []
  const size = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })?.size
  const parameters = size === undefined ? 25e6 : Math.ceil(size / 4)
  return { parameters, multiplyAdds: 200 * parameters }
}

function countCost({ architecture: name, recipe, classes }: ModelSpec): ModelCost {
  const graph = createGraph()
  const w = parameterScope(graph)
  const image = addInput(graph, 'image', { shape: ['n', 3, recipe.size, recipe.size] })
  const known = findArchitecture(name)
  if (known.kind === 'classifier') {
    known.build(w, image, Array.isArray(classes) ? classes.length : 1000)
    return { parameters: parameterCount(graph), multiplyAdds: multiplyAdds(graph) }
  }
  known.encodeImage(w, image)
  const adds = multiplyAdds(graph)
  const tokens = addInput(graph, 'tokens', { dtype: 'int64', shape: ['t', known.contextLength] })
  known.encodeText(
    w,
    tokens,
    addInput(graph, 'mask', { dtype: 'int64', shape: ['t', known.contextLength] }),
  )
  return { parameters: parameterCount(graph), multiplyAdds: adds }
}

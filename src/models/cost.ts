import { multiplyAdds, parameterCount } from '../graph/cost.ts'
import { createGraph, input, weights } from '../graph/graph.ts'
import { architecture } from './architectures.ts'
import { type ModelSpec } from './spec.ts'

export interface ModelCost {
  /** Trained values, of both towers where there are two. */
  parameters: number
  /** For one image of the model's own input size; texts are embedded once and not counted. */
  multiplyAdds: number
}

/** Computed from the graph, without weights. */
export function modelCost({ architecture: name, recipe, classes }: ModelSpec): ModelCost {
  const graph = createGraph()
  const w = weights(graph)
  const image = input(graph, 'image', 'float32', ['n', 3, recipe.size, recipe.size])
  const known = architecture(name)
  if (known.kind === 'classifier') {
    known.build(w, image, Array.isArray(classes) ? classes.length : 1000)
    return { parameters: parameterCount(graph), multiplyAdds: multiplyAdds(graph) }
  }
  known.image(w, image)
  const adds = multiplyAdds(graph)
  const tokens = input(graph, 'tokens', 'int64', ['t', known.context])
  known.text(w, tokens, input(graph, 'mask', 'int64', ['t', known.context]))
  return { parameters: parameterCount(graph), multiplyAdds: adds }
}

import { statSync } from 'node:fs'
import { multiplyAdds, parameterCount } from '../lib/onnx/multiplyAdds.ts'
import { createGraph, parameterScope } from '../lib/onnx/graph.ts'
import { readTsv } from '../lib/archive/tsv.ts'
import { findArchitecture } from './architectures.ts'
import { type ModelSpec } from './spec.ts'
import { imageTower, textTower } from './towers.ts'

export interface ModelCost {
  /** Trained values, of both towers if there are two. */
  parameters: number
  /** For one image of the model's input size; texts, which are embedded once, do not count. */
  multiplyAdds: number
}

let knownCosts: ReadonlyMap<string, ModelCost> | undefined

/** Costs of the catalogue's architectures at its sizes, with 1,000 classes, so that no graph is built to list models. */
function readKnownCosts(): ReadonlyMap<string, ModelCost> {
  type Column = 'architecture' | 'size' | 'parameters' | 'multiplyAdds'
  const rows = readTsv<Column>(new URL('./costs.tsv', import.meta.url))
  return new Map(
    rows.map(({ architecture, size, parameters, multiplyAdds }) => [
      `${architecture} ${size}`,
      { parameters: Number(parameters), multiplyAdds: Number(multiplyAdds) },
    ]),
  )
}

/**
 * Counts parameters and multiply-adds in the model's graph, which needs no weights. A foreign graph's are estimated: one
 * parameter for four bytes of its file (a ResNet-50's 25 million if it is not on this machine), 200 multiply-adds for each.
 */
export function modelCost(spec: ModelSpec): ModelCost {
  if (!spec.graph) {
    const otherClasses = Array.isArray(spec.classes) && ![0, 1000].includes(spec.classes.length)
    knownCosts ??= readKnownCosts()
    const known = knownCosts.get(`${costName(spec)} ${spec.recipe.size}`)
    return known && !otherClasses ? known : countCost(spec)
  }
  const { weights } = spec
  const sizes = (weights.from === 'files' ? weights.files : []).map(
    file => statSync(file, { throwIfNoEntry: false })?.size ?? 0,
  )
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const parameters = bytes === 0 ? 25e6 : Math.ceil(bytes / 4)
  return { parameters, multiplyAdds: 200 * parameters }
}

/**
 * Returns the name of a model's row in the table of costs: its architecture, without its head or with another one if the
 * weights have these.
 */
export function costName({ architecture, classes, headClasses }: ModelSpec): string {
  if (headClasses !== undefined) return `${architecture} with ${headClasses} classes`
  return classes.length === 0 ? `${architecture} without head` : architecture
}

/** Counts parameters and multiply-adds in the graph of a catalogued architecture. */
export function countCost(spec: ModelSpec): ModelCost {
  const { architecture: name, recipe, classes, headClasses } = spec
  const graph = createGraph()
  const w = parameterScope(graph)
  const known = findArchitecture(name)
  const own = headClasses ?? (Array.isArray(classes) ? classes.length : 1000)
  imageTower(w, known, { size: recipe.size, classes: own })
  const adds = multiplyAdds(graph)
  if (known.kind === 'dual') textTower(w, known)
  return { parameters: parameterCount(graph), multiplyAdds: adds }
}

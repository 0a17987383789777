import { type GeogapError, inputError } from '../lib/errors.ts'
import { memoize, memoizeByObject } from '../lib/memoize.ts'
import { createGraph, type Graph, parameterScope } from '../lib/onnx/graph.ts'
import { positionGrids } from '../lib/tensors/bindWeights.ts'
import { findArchitecture } from './architectures.ts'
import { type ModelSpec } from './spec.ts'
import { imageTower } from './towers.ts'

/** A size of the input: pixels of a side, or the size at which timm validates the model. */
export type InputSize = number | 'test'

/** Splits `NAME:test` and `NAME:288` into name and size. */
export function splitInputSize(name: string): [name: string, size?: InputSize] {
  const [, base, size] = /^(.+):(test|\d+)$/.exec(name) ?? []
  return base === undefined ? [name] : [base, size === 'test' ? size : Number(size)]
}

/** Families of one size whose reference library resizes their table of positions as `resizeGrid` does. */
const resizableFamilies = ['vit', 'clip']

/**
 * Returns the model at another size of its input, under its name with the size (`resnet50.a1_in1k:test`), or the error that
 * says why it does not take the size: `no-test-size`, `fixed-size`, `bad-option`.
 */
export function withInputSize(spec: ModelSpec, size: InputSize): ModelSpec | GeogapError {
  const { name, recipe, testRecipe } = spec
  if (size === 'test') {
    if (!testRecipe)
      return inputError(
        'no-test-size',
        `${name} has no test size: it is validated at its own ${recipe.size} pixels; ${name}:N takes another size`,
      )
    return { ...spec, name: `${name}:test`, sizeOf: name, recipe: { ...recipe, ...testRecipe } }
  }
  if (size === recipe.size) return spec
  if (size < 16 || size > 2048)
    return inputError('bad-option', `${name}:${size}: a side has 16 to 2,048 pixels`)
  if (!takesSize(spec)(size))
    return inputError(
      'fixed-size',
      `${name}:${size}: ${spec.architecture} takes images of ${recipe.size} pixels a side only`,
    )
  const sized = { ...recipe, size }
  if (recipe.resize !== undefined) sized.resize = Math.floor((recipe.resize * size) / recipe.size)
  return { ...spec, name: `${name}:${size}`, sizeOf: name, recipe: sized }
}

/** Returns whether a model's weights, with a table of positions resized, fit images of a size: `takesSize(spec)(size)`. */
const takesSize = memoizeByObject(({ architecture, recipe, graph, fixedSize = false }: ModelSpec) =>
  memoize((size: number): boolean => {
    if (graph) return false
    const { family } = findArchitecture(architecture)
    if (fixedSize && !resizableFamilies.includes(family)) return false
    const own = imageGraph(architecture, recipe.size)!
    const other = imageGraph(architecture, size)
    if (other?.parameters.size !== own.parameters.size) return false
    return [...other.parameters.values()].every(({ tensor }) => {
      const shape = own.parameters.get(tensor.name)?.tensor.shape.map(Number)
      if (shape === undefined) return false
      return String(shape) === String(tensor.shape) || positionGrids(tensor, shape) !== undefined
    })
  }),
)

/** Returns the graph of a model's images; undefined if it cannot be built for this size. */
function imageGraph(architecture: string, size: number): Graph | undefined {
  const graph = createGraph()
  try {
    imageTower(parameterScope(graph), findArchitecture(architecture), { size })
    return graph
  } catch {
    return undefined
  }
}

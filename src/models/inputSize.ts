import { type GeogapError, inputError } from '../lib/errors.ts'
import { memoize, memoizeByObject } from '../lib/memoize.ts'
import { createGraph, parameterScope } from '../lib/onnx/graph.ts'
import { tableResize } from '../lib/tensors/positionTables.ts'
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

/** Creates the error for a size that a model does not take. Finding the sizes that it takes costs about a second. */
export type SizeError = () => GeogapError

/**
 * Returns the model at another size of its input, under its name with the size (`resnet50.a1_in1k:test`), or the error that
 * says why it does not take the size: `no-test-size`, `fixed-size`, `bad-option`.
 */
export function withInputSize(spec: ModelSpec, size: InputSize): ModelSpec | SizeError {
  const { name, recipe, testRecipe } = spec
  if (size === 'test') {
    if (!testRecipe)
      return () =>
        inputError(
          'no-test-size',
          `${name} has no test size: it is validated at its own ${recipe.size} pixels; ${name}:N takes another size`,
        )
    return { ...spec, name: `${name}:test`, sizeOf: name, recipe: { ...recipe, ...testRecipe } }
  }
  if (size === recipe.size) return spec
  if (size < smallest || size > largest)
    return () => inputError('bad-option', `${name}:${size}: a side has 16 to 2,048 pixels`)
  if (!takesSize(spec)(size)) return () => fixedSizeError(spec, size)
  const sized = { ...recipe, size }
  if (recipe.resize !== undefined) sized.resize = Math.floor((recipe.resize * size) / recipe.size)
  return { ...spec, name: `${name}:${size}`, sizeOf: name, recipe: sized }
}

const [smallest, largest] = [16, 2048]

/** Returns the error that names the nearest sizes below and above, among multiples of 16 and the model's own, that fit. */
function fixedSizeError(spec: ModelSpec, size: number): GeogapError {
  const { name, architecture, recipe } = spec
  const sizes = [recipe.size]
  for (let one = smallest; one <= Math.min(2 * size, largest); one += 16)
    if (one >= size / 2) sizes.push(one)
  sizes.sort((a, b) => a - b)
  const fits = takesSize(spec)
  const [below, above] = [
    sizes.findLast(one => one < size && fits(one)),
    sizes.find(one => one > size && fits(one)),
  ]
  const found = [below, above].filter(one => one !== undefined)
  return inputError(
    'fixed-size',
    found.some(one => one !== recipe.size)
      ? `${name}:${size}: ${architecture} takes no images of ${size} pixels a side; it takes ${found.join(' and ')}`
      : `${name}:${size}: ${architecture} takes images of ${recipe.size} pixels a side only`,
  )
}

/** Returns whether a model's weights, with its tables of positions resized, fit images of a size: `takesSize(spec)(size)`. */
const takesSize = memoizeByObject(({ architecture, recipe, graph }: ModelSpec) => {
  const own = graph ? undefined : parameterShapes(architecture, recipe.size)
  const { positions = [] } = own ? findArchitecture(architecture).names : {}
  const fits = (name: string, shape: readonly number[]): boolean => {
    const from = own?.get(name)
    if (from === undefined) return false
    return (
      String(from) === String(shape) || tableResize({ name, shape }, from, positions) !== undefined
    )
  }
  return memoize((size: number): boolean => {
    const other = own && parameterShapes(architecture, size)
    return (
      other?.size === own?.size && [...(other ?? [])].every(([name, shape]) => fits(name, shape))
    )
  })
})

/** Returns the shapes of the parameters that a model's images need; undefined if they cannot have this size. */
function parameterShapes(
  architecture: string,
  size: number,
): ReadonlyMap<string, number[]> | undefined {
  const graph = createGraph()
  try {
    imageTower(parameterScope(graph), findArchitecture(architecture), { size })
  } catch {
    return undefined
  }
  return new Map(
    Array.from(graph.parameters.values(), ({ tensor }) => [tensor.name, tensor.shape.map(Number)]),
  )
}

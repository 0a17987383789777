/** Tensors of an architecture under the names that another library gives them. */
import { createHash } from 'node:crypto'
import { graphOf } from '../../../scripts/conformanceCase.ts'
import { readParameters } from '../../../src/lib/tensors/bindWeights.ts'
import { asBytes } from '../../../src/lib/tensors/tensors.ts'
import { type NamedTensor } from '../../../src/lib/tensors/safetensors.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'

export interface Given {
  name: string
  shape: readonly number[]
  /** Returns the values, made when they are read. */
  values: () => Float32Array
}

const period = Float64Array.from({ length: 97 }, (_, j) => j / 7)

/** Returns `length` values, which begin anew after the last of `period`. */
function repeated(period: Float64Array, length: number): Float32Array {
  const values = new Float32Array(length)
  values.set(period.subarray(0, length))
  for (let done = period.length; done < length; done *= 2) values.copyWithin(done, 0, done)
  return values
}

/** Returns the tensors of an architecture, each with values of its own. */
export function ownTensors(model: string, size: number, classes?: number) {
  const graph = graphOf(findArchitecture(model), size, classes)
  const tensors = [...graph.parameters].map(([name, { tensor }], i): Given => {
    const shape = tensor.shape as number[]
    const values = () =>
      repeated(
        period.map(value => i + value),
        volume(shape),
      )
    return { name, shape, values }
  })
  return { graph, tensors }
}

/** Reads the parameters `only` of an architecture from tensors by another library's names. */
export function readForeign(
  model: string,
  graph: ReturnType<typeof graphOf>,
  { given, only }: { given: readonly Given[]; only: readonly string[] },
): Promise<NamedTensor[]> {
  const entries = given.map(({ name, shape, values }) => {
    const place = { file: 'foreign.safetensors', offset: 0, length: 4 * volume(shape) }
    const all = { name, dtype: 'F32' as const, shape, ...place }
    const isPart = /qkv|attn_pool|register|storage|cls|pos_embed/.test(name)
    const read = () => Promise.resolve(values())
    return [name, isPart ? { ...all, data: asBytes(values()) } : { ...all, values: read }] as const
  })
  const file = { file: 'foreign.safetensors', tensors: new Map(entries), metadata: {} }
  return readParameters(graph, [file], { ...findArchitecture(model).names, only })
}

/** Replaces values by their hash, as comparing millions of them one by one takes seconds. */
export const hashed = (tensors: readonly NamedTensor[]) =>
  tensors.map(({ data, ...rest }) => ({
    ...rest,
    data: createHash('sha1').update(asBytes(data)).digest('hex'),
  }))

export const asRead = (tensors: readonly Given[], only: readonly string[]): NamedTensor[] =>
  only.map(name => {
    const { shape, values } = tensors.find(one => one.name === name)!
    return { name, shape, data: values() }
  })

export const renamedBy = (name: string, rules: Renaming): string =>
  rules.reduce((text, [pattern, by]) => text.replace(pattern, by), name)

export type Renaming = readonly (readonly [RegExp, string])[]

/** Returns the tensors by another library's names; those of `inThirds` are cut into queries, keys and values. */
export const cutInThirds = (given: Given, inThirds: RegExp, places: readonly string[]): Given[] =>
  inThirds.test(given.name)
    ? places.map((place, i) => {
        const [rows = 0, ...rest] = given.shape
        const third = volume(given.shape) / 3
        return {
          name: given.name.replace(inThirds, place),
          shape: [rows / 3, ...rest],
          values: () => given.values().slice(i * third, (i + 1) * third),
        }
      })
    : [given]

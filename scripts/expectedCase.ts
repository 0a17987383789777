/** Golden cases whose tensors are read from the graph of their model. */
import { readFileSync } from 'node:fs'
import { ownValue } from '../src/lib/ownValue.ts'
import { type Parameter } from '../src/lib/onnx/graph.ts'
import { fixedSize, volume } from '../src/lib/onnx/shapes.ts'
import { architectureOfCase, type GoldenCase, graphOf } from './conformanceCase.ts'

/** A case whose tensors have the formulas of their roles unless `formulas` has others. */
export interface ExpectedCase extends Pick<GoldenCase, 'model' | 'input' | 'trained' | 'every'> {
  /** The checkpoint's names of the graph's parameters, where they differ. */
  names: Record<string, string>
  formulas: Record<string, readonly [center: number, radius: number]>
  /** All values of tensors that follow no formula. */
  values?: Record<string, number[]>
  logits: number[][]
}

/** The center and the radius that the golden files' formulas have for most tensors of a role. */
export function formulaOf({ tensor, role }: Parameter): readonly [center: number, radius: number] {
  if (role === 'scale') return [1, 0.2]
  if (role === 'bias') return [0, 0.1]
  const fanIn = volume(tensor.shape.slice(1))
  return [0, Number(Math.sqrt(3 / fanIn).toPrecision(6))]
}

/** Reads the cases of `file`, each with the tensors of its graph. */
export function readExpectedCases(file: URL): GoldenCase[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map(line => {
    const { names, formulas, values = {}, logits, ...rest } = JSON.parse(line) as ExpectedCase
    const { parameters } = graphOf(architectureOfCase(rest)!, rest.trained ?? rest.input.size)
    const tensors = Array.from(parameters, ([name, parameter]) => {
      const [center, radius] = formulas[name] ?? formulaOf(parameter)
      const shape = parameter.tensor.shape.map(size => fixedSize(size, name))
      const own = ownValue(values, name)
      return { name: names[name] ?? name, shape, ...(own ? { values: own } : { center, radius }) }
    })
    return { ...rest, tensors, outputs: { logits } }
  })
}

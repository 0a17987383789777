import { type GeogapError, nearestNames, quoteForMessage, weightsError } from '../../lib/errors.ts'
import { type BoundGraphUse, type GraphUse, type ModelSpec } from '../spec.ts'
import { admitOnnx } from './admit.ts'
import { type OnnxFacts, type OnnxValue } from './inspect.ts'

const inputDtypes = ['float32', 'float16', 'uint8'] as const

/**
 * Compares the use of a foreign graph with what its file says, and completes it with the type and sizes that the file
 * fixes. Returns it with the graph's files and, where the file states it, the width of its output.
 * @throws GeogapError `graph-mismatch`, and the errors of `admitOnnx`
 */
export async function bindGraphUse(
  spec: ModelSpec,
  use: GraphUse,
  file: string,
): Promise<{ files: string[]; graph: BoundGraphUse; width: number | undefined }> {
  const facts = await admitOnnx(file)
  const isHub = spec.weights.from === 'hub'
  // Exporters other than Transformers' choose other names, which matter only where there are several.
  const sole = isHub && facts.inputs.length === 1 ? facts.inputs[0] : undefined
  const input = sole ?? findValue(spec, ['input', use.input], facts.inputs)
  const others = facts.inputs.map(({ name }) => name).filter(name => name !== input.name)
  if (others.length > 0)
    throw mismatchError(spec, `it needs ${quoteNames(others)} beside the image`)
  const soleOutput =
    isHub && use.kind === 'logits' && facts.outputs.length === 1 ? [facts.outputs[0]!.name] : []
  const wanted = [use.output, ...(use.otherwise ?? []), ...soleOutput]
  const output = wanted.find(name => facts.outputs.some(found => found.name === name)) ?? use.output
  const found = findValue(spec, ['output', output], facts.outputs)
  checkClasses(spec, { ...use, output }, found)
  const dtype = inputDtypes.find(known => known === input.dtype && known === (use.dtype ?? known))
  if (!dtype)
    throw mismatchError(
      spec,
      `input ${quoteForMessage(input.name)} takes ${input.dtype || 'no tensor'}, not ${use.dtype ?? inputDtypes.join(', ')}`,
    )
  const isSoftmax = isHub && use.kind === 'logits' && found.operator === 'Softmax'
  const kind = isSoftmax ? 'probabilities' : use.kind
  const { layout } = use
  const graph: BoundGraphUse = { input: input.name, layout, dtype, output, kind }
  const width = found.shape.at(-1)
  return {
    files: facts.files,
    graph: { ...graph, ...fixedSizes(spec, use, input), ...batchOf(facts) },
    width: typeof width === 'number' ? width : undefined,
  }
}

/** Returns one image at a time for graphs that round to the range of the whole batch. */
const batchOf = (facts: OnnxFacts): Pick<BoundGraphUse, 'batch' | 'oneAtATime'> =>
  facts.isDynamicallyQuantized ? { batch: 1, oneAtATime: true } : {}

/** Describes the use in one line of a result's key: other settings on the same file are another model. */
export const describeUse = ({ input, layout, dtype, output, ...use }: BoundGraphUse): string =>
  `${input} ${layout} ${dtype}, ${output} ${use.kind}${use.oneAtATime ? ', one image at a time' : ''}`

type NamedSpec = Pick<ModelSpec, 'name' | 'classes' | 'headClasses'>

const mismatchError = ({ name }: NamedSpec, what: string): GeogapError =>
  weightsError('graph-mismatch', `${name} is not as described: ${what}`)

const quoteNames = (names: readonly string[]): string =>
  names.map(name => quoteForMessage(name)).join(', ')

function findValue<T extends OnnxValue>(
  spec: NamedSpec,
  [what, wanted]: readonly [what: string, name: string],
  values: readonly T[],
): T {
  const value = values.find(({ name }) => name === wanted)
  if (value) return value
  const near = nearestNames(
    wanted,
    values.map(({ name }) => name),
  )
  throw mismatchError(spec, `no ${what} ${quoteForMessage(wanted)}; there are ${quoteNames(near)}`)
}

function fixedSizes(
  spec: NamedSpec,
  { layout }: GraphUse,
  { name: input, shape }: OnnxValue,
): Pick<BoundGraphUse, 'batch' | 'size'> {
  const [batch, a, b, c] = shape
  const [channels, height, width] = layout === 'NCHW' ? [a, b, c] : [c, a, b]
  const isImage = shape.length === 4 && (typeof channels !== 'number' || channels === 3)
  if (!isImage && shape.length > 0)
    throw mismatchError(
      spec,
      `input ${quoteForMessage(input)} is [${shape.join(', ')}], not an image in ${layout}`,
    )
  const sides = [height, width].filter(side => typeof side === 'number')
  if (new Set(sides).size > 1)
    throw mismatchError(
      spec,
      `input ${quoteForMessage(input)} takes ${sides.join(' × ')} pixels; only squares are known`,
    )
  const sizes: Pick<BoundGraphUse, 'batch' | 'size'> = {}
  if (typeof batch === 'number') sizes.batch = batch
  if (sides[0] !== undefined) sizes.size = sides[0]
  return sizes
}

function checkClasses(spec: NamedSpec, { kind, output }: GraphUse, { shape }: OnnxValue): void {
  const wanted = spec.headClasses ?? (spec.classes === 'imagenet-1k' ? 1000 : spec.classes.length)
  const width = shape.slice(1).find(size => size !== 1)
  if (kind !== 'embedding' && typeof width === 'number' && width !== wanted)
    throw mismatchError(
      spec,
      `output ${quoteForMessage(output)} has ${width} columns for ${wanted} classes`,
    )
}

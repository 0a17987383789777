import { GeogapError, nearestNames, quoteForMessage } from '../../lib/errors.ts'
import { type GraphUse, type ModelSpec, type LocalModel } from '../spec.ts'
import { type AdmittedOnnx, admitOnnx } from './admit.ts'
import { type OnnxFacts, type OnnxValue } from './inspect.ts'

const inputDtypes = ['float32', 'float16', 'uint8'] as const

type BoundGraphUse = NonNullable<LocalModel['graph']>

/**
 * The files of a graph made elsewhere and the sizes that it is bound to, with its use compared to what the file says.
 * @throws GeogapError `graph-mismatch`, and what `admitOnnx` throws
 */
export async function bindGraphUse(
  spec: ModelSpec,
  use: GraphUse,
  file: string,
): Promise<{ files: string[]; graph: BoundGraphUse }> {
  const facts: AdmittedOnnx = await admitOnnx(file)
  return { files: facts.files, graph: completeUse(spec, use, facts) }
}

/** One line for a result's key: other settings on the same file are another model. */
export const describeUse = ({ input, layout, dtype, output, kind }: BoundGraphUse): string =>
  `${input} ${layout} ${dtype}, ${output} ${kind}`

type Mismatch = (what: string) => GeogapError

/** `use` with the type, batch and size that the file fixes. */
function completeUse(
  spec: Pick<ModelSpec, 'name' | 'classes'>,
  use: GraphUse,
  facts: OnnxFacts,
): BoundGraphUse {
  const mismatch: Mismatch = what =>
    new GeogapError('weights', 'graph-mismatch', `${spec.name} is not as described: ${what}`)
  const input = findValue('input', use.input, facts.inputs, mismatch)
  const others = facts.inputs.filter(({ name }) => name !== use.input)
  if (others.length > 0)
    throw mismatch(
      `it needs ${others.map(({ name }) => quoteForMessage(name)).join(', ')} beside the image`,
    )
  const dtype = inputDtypes.find(known => known === input.dtype && known === (use.dtype ?? known))
  const [taken, wanted] = [input.dtype || 'no tensor', use.dtype ?? inputDtypes.join(', ')]
  if (!dtype) throw mismatch(`input ${quoteForMessage(use.input)} takes ${taken}, not ${wanted}`)
  checkClasses(spec, use, findValue('output', use.output, facts.outputs, mismatch), mismatch)
  return { ...use, dtype, ...fixedSizes(use, input, mismatch) }
}

function findValue(
  what: string,
  name: string,
  values: readonly OnnxValue[],
  mismatch: Mismatch,
): OnnxValue {
  const value = values.find(other => other.name === name)
  if (value) return value
  const names = values.map(other => other.name)
  throw mismatch(
    `no ${what} ${quoteForMessage(name)}; there are ${nearestNames(name, names)
      .map(near => quoteForMessage(near))
      .join(', ')}`,
  )
}

function fixedSizes(
  use: GraphUse,
  { shape }: OnnxValue,
  mismatch: Mismatch,
): Pick<BoundGraphUse, 'batch' | 'size'> {
  const [batch, a, b, c] = shape
  const [channels, height, width] = use.layout === 'NCHW' ? [a, b, c] : [c, a, b]
  const isImage = shape.length === 4 && (typeof channels !== 'number' || channels === 3)
  if (!isImage && shape.length > 0)
    throw mismatch(
      `input ${quoteForMessage(use.input)} is [${shape.join(', ')}], not an image in ${use.layout}`,
    )
  const sides = [height, width].filter(side => typeof side === 'number')
  if (new Set(sides).size > 1)
    throw mismatch(
      `input ${quoteForMessage(use.input)} takes ${sides.join(' × ')} pixels; only squares are known`,
    )
  const [size] = sides
  return { ...(typeof batch === 'number' && { batch }), ...(size !== undefined && { size }) }
}

function checkClasses(
  { classes }: Pick<ModelSpec, 'classes'>,
  use: GraphUse,
  { shape }: OnnxValue,
  mismatch: Mismatch,
): void {
  const wanted = classes === 'imagenet-1k' ? 1000 : classes.length
  const width = shape.slice(1).find(size => size !== 1)
  if (use.kind !== 'embedding' && typeof width === 'number' && width !== wanted)
    throw mismatch(
      `output ${quoteForMessage(use.output)} has ${width} columns for ${wanted} classes`,
    )
}

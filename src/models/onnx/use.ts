import { GeogapError, nearest } from '../../errors.ts'
import { type GraphUse, type ModelSpec, type ReadyModel } from '../spec.ts'
import { shown } from '../tensors.ts'
import { type Admitted, admitOnnx } from './admit.ts'
import { type OnnxFacts, type OnnxValue } from './inspect.ts'

type ReadyUse = NonNullable<ReadyModel['graph']>

/**
 * The files of a graph made elsewhere and the sizes that it is bound to, with its use compared to what the file says.
 * @throws GeogapError `graph-mismatch`, and what `admitOnnx` throws
 */
export async function readyGraph(
  spec: ModelSpec,
  use: GraphUse,
  file: string,
): Promise<{ files: string[]; graph: ReadyUse }> {
  const facts: Admitted = await admitOnnx(file)
  return { files: facts.files, graph: fitUse(spec, use, facts) }
}

/** One line for a result's key: other settings on the same file are another model. */
export const describeUse = ({ input, layout, dtype, output, kind }: GraphUse): string =>
  `${input} ${layout} ${dtype}, ${output} ${kind}`

/** `use` with the batch and size that the file fixes. */
export function fitUse(spec: Pick<ModelSpec, 'name' | 'classes'>, use: GraphUse, facts: OnnxFacts): ReadyUse {
  const mismatch = (what: string): GeogapError =>
    new GeogapError('weights', 'graph-mismatch', `${spec.name} is not as described: ${what}`)
  const found = (what: string, name: string, values: readonly OnnxValue[]): OnnxValue => {
    const value = values.find(other => other.name === name)
    if (value) return value
    const near = nearest(
      name,
      values.map(other => other.name),
    )
      .map(other => shown(other))
      .join(', ')
    throw mismatch(`no ${what} ${shown(name)}; there are ${near}`)
  }
  const input = found('input', use.input, facts.inputs)
  const others = facts.inputs.filter(({ name }) => name !== use.input)
  if (others.length > 0) throw mismatch(`it needs ${others.map(({ name }) => shown(name)).join(', ')} beside the image`)
  if (input.dtype !== use.dtype) throw mismatch(`input ${shown(use.input)} takes ${input.dtype}, not ${use.dtype}`)
  const [batch, a, b, c] = input.shape
  const [channels, height, width] = use.layout === 'NCHW' ? [a, b, c] : [c, a, b]
  if (input.shape.length !== 0 && (input.shape.length !== 4 || (typeof channels === 'number' && channels !== 3)))
    throw mismatch(`input ${shown(use.input)} is [${input.shape.join(', ')}], not an image in ${use.layout}`)
  if (typeof height === 'number' && typeof width === 'number' && height !== width)
    throw mismatch(`input ${shown(use.input)} takes ${width} × ${height} pixels; only squares are known`)
  const size = [height, width].find(side => typeof side === 'number')
  const output = found('output', use.output, facts.outputs)
  checkClasses(spec, use, output, mismatch)
  return {
    ...use,
    ...(typeof batch === 'number' && { batch }),
    ...(size !== undefined && { size }),
  }
}

function checkClasses(
  { classes }: Pick<ModelSpec, 'classes'>,
  use: GraphUse,
  { shape }: OnnxValue,
  mismatch: (what: string) => GeogapError,
): void {
  const wanted = classes === 'imagenet-1k' ? 1000 : classes.length
  const width = shape.slice(1).find(size => size !== 1)
  if (use.kind !== 'embedding' && typeof width === 'number' && width !== wanted)
    throw mismatch(`output ${shown(use.output)} has ${width} columns for ${wanted} classes`)
}

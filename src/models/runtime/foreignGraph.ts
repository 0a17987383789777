/*
 * A graph made elsewhere, between two small parts of ours: one turns uint8 crops into the tensor that the graph takes, the
 * other reads its output. The graph's own file is loaded untouched.
 */
import { type Tensor as OrtTensor } from 'onnxruntime-node'
import { GeogapError, quoteForMessage } from '../../lib/errors.ts'
import { createGraph, type Graph, addInput, addOutput } from '../../lib/onnx/graph.ts'
import { encodeModel } from '../../lib/onnx/encode.ts'
import { cast, transpose } from '../../lib/onnx/ops.ts'
import { type ModelSession } from './session.ts'
import { type OutputName } from './session.ts'
import { admitOnnx } from '../onnx/admit.ts'
import { type LocalModel } from '../spec.ts'
import { widenHalf } from '../../lib/tensors/tensors.ts'
import { splitSteps, type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { normalizeCrops, orderChannels } from '../../lib/pixels/toGraph.ts'
import { createSession, type SessionOptions } from './session.ts'

type ForeignGraphUse = NonNullable<LocalModel['graph']>

/** crops uint8 [n, 3, size, size] -> feed, in the layout and type that the graph takes */
function feedGraph({ dtype, layout }: ForeignGraphUse, steps: readonly PreprocessingStep[]): Graph {
  const { normalization, size } = splitSteps(steps)
  const graph = createGraph()
  const crops = addInput(graph, 'crops', { dtype: 'uint8', shape: ['n', 3, size, size] })
  const values =
    dtype === 'uint8'
      ? orderChannels(crops, normalization)
      : cast(normalizeCrops(crops, normalization), dtype)
  addOutput('feed', layout === 'NHWC' ? transpose(values, [0, 2, 3, 1]) : values)
  return graph
}

/**
 * Loads the graph in the first of the model's files; an embedding is given as `features`, all else as `logits`.
 * @throws GeogapError `bad-onnx`, `custom-operators`, `external-data`, `wrong-size`, `no-features`
 */
export async function loadForeignGraph(
  model: LocalModel,
  use: ForeignGraphUse,
  steps: readonly PreprocessingStep[],
  wanted: readonly OutputName[],
  options: SessionOptions,
): Promise<ModelSession> {
  const { size } = splitSteps(steps)
  if (use.size !== undefined && use.size !== size)
    throw new GeogapError(
      'weights',
      'wrong-size',
      `${model.name} takes ${use.size} pixels a side, the crop has ${size}`,
    )
  if (wanted.includes('features') && use.kind !== 'embedding')
    throw new GeogapError(
      'weights',
      'no-features',
      `${model.name} gives ${use.kind}, no embedding to take as features`,
    )
  const [file] = (await admitOnnx(model.files[0]!)).files
  const feeder = await createSession(encodeModel(feedGraph(use, steps)), {
    threads: 1,
    spinning: false,
  })
  const session = await createSession(file!, options)
  const name = use.kind === 'embedding' ? 'features' : 'logits'
  const { Tensor } = await import('onnxruntime-node')
  const batch = async (crops: Uint8Array, n: number): Promise<Float32Array> => {
    const { feed } = await feeder.run({ crops: new Tensor('uint8', crops, [n, 3, size, size]) })
    const results = await session.run({ [use.input]: feed! }, [use.output])
    return outputRows(model, use, results[use.output]!, n)
  }
  return {
    run: async (crops, n) => ({ [name]: await runInBatches(crops, n, use.batch, batch) }),
    release: async () => {
      await feeder.release()
      await session.release()
    },
  }
}

/** Runs all crops at once, or as many at a time as a graph of a fixed batch takes, the last ones filled up. */
async function runInBatches(
  crops: Uint8Array,
  n: number,
  fixed: number | undefined,
  run: (crops: Uint8Array, count: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  if (fixed === undefined || fixed === n) return run(crops, n)
  const bytes = crops.length / n
  let rows: Float32Array | undefined
  for (let first = 0; first < n; first += fixed) {
    const some = new Uint8Array(fixed * bytes)
    some.set(crops.subarray(first * bytes, Math.min(n, first + fixed) * bytes))
    const values = await run(some, fixed)
    const width = values.length / fixed
    rows ??= new Float32Array(n * width)
    rows.set(values.subarray(0, Math.min(n - first, fixed) * width), first * width)
  }
  return rows!
}

/** float32's smallest number above 0, so that a probability of 0 has a logarithm. */
const minProbability = 2 ** -149

function outputRows(
  model: LocalModel,
  use: ForeignGraphUse,
  { type, dims, data }: OrtTensor,
  n: number,
): Float32Array {
  const width = dims.slice(1).reduce((product, size) => product * size, 1)
  const isRows = dims[0] === n && dims.slice(1).filter(size => size > 1).length <= 1
  if (!isRows || (use.kind !== 'embedding' && width !== model.classes))
    throw badOutputError(
      model,
      use,
      `is [${dims.join(', ')}] for ${n} images and ${model.classes} classes`,
    )
  const values = type === 'float32' ? (data as Float32Array) : toFloat32(type, data)
  if (!values) throw badOutputError(model, use, `holds ${type}`)
  return use.kind === 'probabilities'
    ? values.map(p => Math.log(Math.max(p, minProbability)))
    : values
}

/** float16 comes as bits, or as numbers where Node knows the type. */
function toFloat32(type: OrtTensor['type'], data: OrtTensor['data']): Float32Array | undefined {
  if (type === 'float16' && data instanceof Uint16Array) return widenHalf(data)
  return type === 'float16' || type === 'float64'
    ? Float32Array.from(data as Float64Array)
    : undefined
}

const badOutputError = (model: LocalModel, use: ForeignGraphUse, what: string): GeogapError =>
  new GeogapError(
    'weights',
    'bad-output',
    `output ${quoteForMessage(use.output)} of ${model.name} ${what}`,
  )

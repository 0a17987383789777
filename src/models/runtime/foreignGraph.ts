/*
 * Runs a foreign graph: a small graph of this library turns uint8 crops into the tensor that it takes, and its output is
 * checked and converted. The foreign file itself is loaded unchanged.
 */
import { type Tensor as OrtTensor } from 'onnxruntime-node'
import { type GeogapError, quoteForMessage, weightsError } from '../../lib/errors.ts'
import { createGraph, type Graph, addInput, addOutput } from '../../lib/onnx/graph.ts'
import { encodeModel } from '../../lib/onnx/encode.ts'
import { cast, transpose } from '../../lib/onnx/ops.ts'
import { admitOnnx } from '../onnx/admit.ts'
import { type BoundGraphUse, type LocalModel } from '../spec.ts'
import { widenHalf } from '../../lib/tensors/widenToFloat32.ts'
import { splitSteps, type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { normalizeCrops, orderChannels } from '../../lib/pixels/toGraph.ts'
import {
  createSession,
  type ModelSession,
  type OutputName,
  type SessionOptions,
} from './session.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

type ForeignGraph = LocalModel & { graph: BoundGraphUse }

/** crops uint8 [n, 3, size, size] -> feed, in the layout and type that the graph takes */
function feedGraph({ dtype, layout }: BoundGraphUse, steps: readonly PreprocessingStep[]): Graph {
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
 * Loads the graph in the first of the model's files; an embedding becomes `features`, any other output `logits`.
 * @throws GeogapError `bad-onnx`, `custom-operators`, `external-data`, `wrong-size`, `no-features`
 */
export async function loadForeignGraph(
  model: ForeignGraph,
  steps: readonly PreprocessingStep[],
  { outputs, ...options }: SessionOptions & { outputs: readonly OutputName[] },
): Promise<ModelSession> {
  const { graph: use } = model
  const { size } = splitSteps(steps)
  if (use.size !== undefined && use.size !== size)
    throw weightsError(
      'wrong-size',
      `${model.name} takes ${use.size} pixels a side, the crop has ${size}`,
    )
  if (outputs.includes('features') && use.kind !== 'embedding')
    throw weightsError(
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
  const { Tensor } = await loadOnnxRuntime()
  const run = inFixedBatches(use.batch, async (crops, n) => {
    const { feed } = await feeder.run({ crops: new Tensor('uint8', crops, [n, 3, size, size]) })
    const results = await session.run({ [use.input]: feed! }, [use.output])
    return outputRows(model, results[use.output]!, n)
  })
  return {
    run: async (crops, n) => ({ [name]: await run(crops, n) }),
    release: async () => {
      await feeder.release()
      await session.release()
    },
  }
}

type RunCrops = (crops: Uint8Array, n: number) => Promise<Float32Array>

/** Returns `run` for any number of crops if it takes only `fixed` at a time; the last ones are filled up with zeros. */
const inFixedBatches =
  (fixed: number | undefined, run: RunCrops): RunCrops =>
  async (crops, n) => {
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

/** The smallest positive float32, so that a probability of 0 has a logarithm. */
const minProbability = 2 ** -149

/** Returns the output's rows as float32, probabilities as their logarithms. */
function outputRows(
  { name, classes, graph: use }: ForeignGraph,
  { type, dims, data }: OrtTensor,
  n: number,
): Float32Array {
  const badOutput = (what: string): GeogapError =>
    weightsError('bad-output', `output ${quoteForMessage(use.output)} of ${name} ${what}`)
  const width = dims.slice(1).reduce((product, size) => product * size, 1)
  const isRows = dims[0] === n && dims.slice(1).filter(size => size > 1).length <= 1
  if (!isRows || (use.kind !== 'embedding' && width !== classes))
    throw badOutput(`is [${dims.join(', ')}] for ${n} images and ${classes} classes`)
  const values = type === 'float32' ? (data as Float32Array) : toFloat32(type, data)
  if (!values) throw badOutput(`holds ${type}`)
  return use.kind === 'probabilities'
    ? values.map(p => Math.log(Math.max(p, minProbability)))
    : values
}

/** float16 values are bits in a Uint16Array, or numbers where Node has a Float16Array. */
function toFloat32(type: OrtTensor['type'], data: OrtTensor['data']): Float32Array | undefined {
  if (type === 'float16' && data instanceof Uint16Array) return widenHalf(data)
  return type === 'float16' || type === 'float64'
    ? Float32Array.from(data as Float64Array)
    : undefined
}

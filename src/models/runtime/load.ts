import { type InferenceSession } from 'onnxruntime-node'
import { GeogapError, inputError } from '../../lib/errors.ts'
import {
  createGraph,
  type Graph,
  addInput,
  addOutput,
  parameterScope,
} from '../../lib/onnx/graph.ts'
import { toHalfPrecision } from '../../lib/onnx/half.ts'
import { encodeModel } from '../../lib/onnx/encode.ts'
import { loadForeignGraph } from './foreignGraph.ts'
import { createSession, type ModelSession, type OutputName } from './session.ts'
import { type LoadModelOptions, zeroShotClassifier, zeroShotHead } from './zeroShotHead.ts'
import { normalizeCrops } from '../../lib/pixels/toGraph.ts'
import { splitSteps, type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { findArchitecture } from '../architectures.ts'
import { bindWeights } from '../../lib/tensors/bind.ts'
import { createHeadSession, loadHead } from './head.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { type LocalModel } from '../spec.ts'

/**
 * crops uint8 [n, 3, size, size] -> logits [n, classes], features [n, width]. An encoder of images and texts needs its
 * class embeddings `head` [classes, embedding]; without them the graph is good for counting only.
 */
export function classifierGraph(
  model: Pick<LocalModel, 'architecture' | 'classes'>,
  steps: readonly PreprocessingStep[],
  head?: Float32Array,
): Graph {
  const { normalization, size } = splitSteps(steps)
  const known = findArchitecture(model.architecture)
  const classifier = known.kind === 'classifier' ? known : zeroShotClassifier(known, head)
  const graph = createGraph({ fused: true })
  const crops = addInput(graph, 'crops', { dtype: 'uint8', shape: ['n', 3, size, size] })
  const outputs = classifier.build(
    parameterScope(graph),
    normalizeCrops(crops, normalization),
    model.classes,
  )
  addOutput('logits', outputs.logits)
  addOutput('features', outputs.features)
  return graph
}

/** Loads what computes `wanted` outputs of a model from uint8 crops. */
export async function loadModel(
  model: LocalModel,
  steps: readonly PreprocessingStep[],
  wanted: readonly OutputName[],
  options: LoadModelOptions = {},
): Promise<ModelSession> {
  if (model.headFile !== undefined)
    return loadWithHead(model, model.headFile, steps, wanted, options)
  if (model.graph && options.precision === 'fp16')
    throw inputError(
      'no-precision',
      `${model.name} is a graph made elsewhere, which keeps its own precision: without fp16`,
    )
  if (model.graph) return loadForeignGraph(model, model.graph, steps, wanted, options)
  const { size } = splitSteps(steps)
  const session = await createGraphSession(model, steps, wanted, options)
  const { Tensor } = await import('onnxruntime-node')
  return {
    run: async (crops, n) => {
      const results = await session.run({ crops: new Tensor('uint8', crops, [n, 3, size, size]) })
      return Object.fromEntries(wanted.map(name => [name, results[name]!.data as Float32Array]))
    },
    release: () => session.release(),
  }
}

/** The model for its features, and the head on them. */
async function loadWithHead(
  model: LocalModel,
  head: string,
  steps: readonly PreprocessingStep[],
  wanted: readonly OutputName[],
  options: LoadModelOptions,
): Promise<ModelSession> {
  const base = { ...model }
  delete base.headFile
  const body = await loadModel(base, steps, ['features'], options)
  const classifier = await createHeadSession(await loadHead(head), options)
  return {
    run: async (crops, n) => {
      const { features } = await body.run(crops, n)
      const logits = await classifier.run(features!)
      return Object.fromEntries(wanted.map(name => [name, name === 'logits' ? logits : features!]))
    },
    release: async () => {
      await body.release()
      await classifier.release()
    },
  }
}

async function createGraphSession(
  model: LocalModel,
  steps: readonly PreprocessingStep[],
  wanted: readonly OutputName[],
  options: LoadModelOptions,
): Promise<InferenceSession> {
  const head = wanted.includes('logits') ? await classEmbeddings(model, options) : undefined
  const whole = classifierGraph(model, steps, head)
  const graph = options.precision === 'fp16' ? toHalfPrecision(whole) : whole
  const files = await Promise.all(model.files.map(readWeights))
  const { folder, bind } = await bindWeights(
    graph,
    files,
    findArchitecture(model.architecture).names,
  )
  return createSession(encodeModel(graph, { outputs: wanted, bind }), { folder, ...options })
}

async function classEmbeddings(
  model: LocalModel,
  options: LoadModelOptions,
): Promise<Float32Array | undefined> {
  const known = findArchitecture(model.architecture)
  if (known.kind === 'classifier') return undefined
  if (model.zeroShot) return zeroShotHead(known, model.files, model.zeroShot, options)
  throw new GeogapError(
    'input',
    'no-head',
    `${model.architecture} has no classification head and no class names`,
  )
}

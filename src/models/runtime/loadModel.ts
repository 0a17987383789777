import { type InferenceSession } from 'onnxruntime-node'
import { inputError } from '../../lib/errors.ts'
import {
  createGraph,
  type Graph,
  addInput,
  addOutput,
  parameterScope,
} from '../../lib/onnx/graph.ts'
import { toHalfPrecision } from '../../lib/onnx/toHalfPrecision.ts'
import { encodeModel } from '../../lib/onnx/encode.ts'
import { headListOf, pickImagenetLogits } from '../headClasses.ts'
import { loadForeignGraph } from './foreignGraph.ts'
import { createSession, type ModelSession, type OutputName } from './session.ts'
import { foreignTextEncoder } from '../zeroShot/textEncoder.ts'
import {
  builtTextEncoder,
  foreignFeatureScorer,
  type TextEmbeddingOptions,
  zeroShotClassifier,
  zeroShotHead,
} from '../zeroShot/zeroShotHead.ts'
import { normalizeCrops } from '../../lib/pixels/toGraph.ts'
import { splitSteps, type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { findArchitecture } from '../architectures.ts'
import { bindWeights } from '../../lib/tensors/bindWeights.ts'
import { createHeadSession, type HeadSession, loadHead } from './head.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { type BoundGraphUse, type LocalModel } from '../spec.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

/**
 * crops uint8 [n, 3, size, size] -> features [n, width], and logits [n, classes] unless the weights have no head. The logits
 * of an encoder of images and texts need its class embeddings `head` [classes, embedding]; without them the graph only
 * serves to count operations.
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
  addOutput('features', outputs.features)
  if (known.kind !== 'classifier' || model.classes > 0) addOutput('logits', outputs.logits)
  return graph
}

export interface LoadModelOptions extends TextEmbeddingOptions {
  outputs: readonly OutputName[]
}

/**
 * Loads a model into ONNX Runtime; its session computes the wanted outputs from uint8 crops.
 * @throws GeogapError `no-precision`, `no-head`, and the errors of reading weights
 */
export async function loadModel(
  model: LocalModel,
  steps: readonly PreprocessingStep[],
  options: LoadModelOptions,
): Promise<ModelSession> {
  const session = await loadWholeHead(model, steps, options)
  const list =
    model.picksImagenet && model.headFile === undefined ? headListOf(model.classes) : undefined
  return list ? pickImagenetLogits(session, list) : session
}

async function loadWholeHead(
  model: LocalModel,
  steps: readonly PreprocessingStep[],
  options: LoadModelOptions,
): Promise<ModelSession> {
  const { graph, headFile } = model
  if (headFile !== undefined) {
    const body = await loadModel({ ...model, headFile: undefined }, steps, {
      ...options,
      outputs: ['features'],
    })
    return addHead(body, headFile, options)
  }
  if (graph && options.precision === 'fp16')
    throw inputError(
      'no-precision',
      `${model.name} is a foreign ONNX graph, which keeps its own precision: without fp16`,
    )
  if (graph && model.text && options.outputs.includes('logits'))
    return loadForeignEncoder({ ...model, graph }, steps, options)
  if (graph) return loadForeignGraph({ ...model, graph }, steps, options)
  const { size } = splitSteps(steps)
  const session = await createGraphSession(model, steps, options)
  const { Tensor } = await loadOnnxRuntime()
  return {
    run: async (crops, n) => {
      const results = await session.run({ crops: new Tensor('uint8', crops, [n, 3, size, size]) })
      return Object.fromEntries(
        options.outputs.map(name => [name, results[name]!.data as Float32Array]),
      )
    },
    release: () => session.release(),
  }
}

/** Puts a head on the features of a loaded model. */
async function addHead(
  body: ModelSession,
  headFile: string,
  options: LoadModelOptions,
): Promise<ModelSession> {
  return joinHead(body, await createHeadSession(await loadHead(headFile), options), options)
}

/** Loads a foreign image tower whose classes are texts. @throws GeogapError `no-head` without class names */
async function loadForeignEncoder(
  model: LocalModel & { graph: BoundGraphUse },
  steps: readonly PreprocessingStep[],
  options: LoadModelOptions,
): Promise<ModelSession> {
  const { text, zeroShot, classes } = model
  if (!text || !zeroShot) throw inputError('no-head', `${model.name} has no class names`)
  const head = await zeroShotHead(foreignTextEncoder(text), zeroShot, options)
  const body = await loadForeignGraph(model, steps, { ...options, outputs: ['features'] })
  return joinHead(body, await foreignFeatureScorer(text, { head, classes }, options), options)
}

function joinHead(
  body: ModelSession,
  classifier: HeadSession,
  { outputs }: Pick<LoadModelOptions, 'outputs'>,
): ModelSession {
  return {
    run: async (crops, n) => {
      const { features } = await body.run(crops, n)
      const logits = await classifier.run(features!)
      return Object.fromEntries(outputs.map(name => [name, name === 'logits' ? logits : features!]))
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
  { outputs, ...options }: LoadModelOptions,
): Promise<InferenceSession> {
  const head = outputs.includes('logits') ? await classEmbeddings(model, steps, options) : undefined
  const whole = classifierGraph(model, steps, head)
  const graph = options.precision === 'fp16' ? toHalfPrecision(whole) : whole
  const files = await Promise.all(model.files.map(readWeights))
  const { names } = findArchitecture(model.architecture)
  const { folder, bind } = await bindWeights(graph, files, {
    ...names,
    resizePositions: model.resizePositions,
  })
  return createSession(encodeModel(graph, { outputs, bind }), { folder, ...options })
}

async function classEmbeddings(
  { architecture, files, classes, zeroShot, resizePositions }: LocalModel,
  steps: readonly PreprocessingStep[],
  options: TextEmbeddingOptions,
): Promise<Float32Array | undefined> {
  const encoder = findArchitecture(architecture)
  if (encoder.kind === 'classifier' && classes > 0) return undefined
  if (encoder.kind === 'dual' && zeroShot) {
    const local = { encoder, files, imageSize: splitSteps(steps).size, resizePositions }
    return zeroShotHead(builtTextEncoder(local), zeroShot, options)
  }
  throw inputError('no-head', `${architecture} has no classification head and no class names`)
}

import { type InferenceSession } from 'onnxruntime-node'
import { GeogapError, inputError } from '../../lib/errors.ts'
import { createGraph, type Graph, input, output, weights } from '../../lib/onnx/graph.ts'
import { halved } from '../../lib/onnx/half.ts'
import { encode } from '../../lib/onnx/onnx.ts'
import { loadGraph } from './foreign.ts'
import { createSession, type LoadedModel, type Output } from './session.ts'
import { type HeadOptions, zeroShotClassifier, zeroShotHead } from './zeroshot.ts'
import { normalizeGraph } from '../../lib/pixels/toGraph.ts'
import { splitSteps, type Step } from '../../lib/pixels/steps.ts'
import { architecture } from '../architectures.ts'
import { bindWeights } from '../../lib/tensors/bind.ts'
import { createClassifier, loadHead } from './head.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { type ReadyModel } from '../spec.ts'

/**
 * crops uint8 [n, 3, size, size] -> logits [n, classes], features [n, width]. An encoder of images and texts needs its
 * class embeddings `head` [classes, embedding]; without them the graph is good for counting only.
 */
export function classifierGraph(
  model: Pick<ReadyModel, 'architecture' | 'classes'>,
  steps: readonly Step[],
  head?: Float32Array,
): Graph {
  const { normalization, size } = splitSteps(steps)
  const known = architecture(model.architecture)
  const classifier = known.kind === 'classifier' ? known : zeroShotClassifier(known, head)
  const graph = createGraph({ fused: true })
  const crops = input(graph, 'crops', 'uint8', ['n', 3, size, size])
  const outputs = classifier.build(weights(graph), normalizeGraph(crops, normalization), model.classes)
  output('logits', outputs.logits)
  output('features', outputs.features)
  return graph
}

/** Loads what computes `wanted` outputs of a model from uint8 crops. */
export async function loadModel(
  model: ReadyModel,
  steps: readonly Step[],
  wanted: readonly Output[],
  options: HeadOptions = {},
): Promise<LoadedModel> {
  if (model.head !== undefined) return withHead(model, model.head, steps, wanted, options)
  if (model.graph && options.precision === 'fp16')
    throw inputError(
      'no-precision',
      `${model.name} is a graph made elsewhere, which keeps its own precision: without fp16`,
    )
  if (model.graph) return loadGraph(model, model.graph, steps, wanted, options)
  const { size } = splitSteps(steps)
  const session = await modelSession(model, steps, wanted, options)
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
async function withHead(
  model: ReadyModel,
  head: string,
  steps: readonly Step[],
  wanted: readonly Output[],
  options: HeadOptions,
): Promise<LoadedModel> {
  const base = { ...model }
  delete base.head
  const body = await loadModel(base, steps, ['features'], options)
  const classifier = await createClassifier(await loadHead(head), options)
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

async function modelSession(
  model: ReadyModel,
  steps: readonly Step[],
  wanted: readonly Output[],
  options: HeadOptions,
): Promise<InferenceSession> {
  const head = wanted.includes('logits') ? await classEmbeddings(model, options) : undefined
  const whole = classifierGraph(model, steps, head)
  const graph = options.precision === 'fp16' ? halved(whole) : whole
  const files = await Promise.all(model.files.map(readWeights))
  const { folder, bind } = await bindWeights(graph, files, architecture(model.architecture).names)
  return createSession(encode(graph, { outputs: wanted, bind }), { folder, ...options })
}

async function classEmbeddings(model: ReadyModel, options: HeadOptions): Promise<Float32Array | undefined> {
  const known = architecture(model.architecture)
  if (known.kind === 'classifier') return undefined
  if (model.zeroShot) return zeroShotHead(known, model.files, model.zeroShot, options)
  throw new GeogapError('input', 'no-head', `${model.architecture} has no classification head and no class names`)
}

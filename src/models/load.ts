import { type InferenceSession } from 'onnxruntime-node'
import { GeogapError } from '../errors.ts'
import { createGraph, type Graph, input, output, weights } from '../graph/graph.ts'
import { encode } from '../graph/onnx.ts'
import { createSession } from '../inference/session.ts'
import { type HeadOptions, zeroShotClassifier, zeroShotHead } from '../inference/zeroshot.ts'
import { normalizeGraph } from '../preprocessing/toGraph.ts'
import { splitSteps, type Step } from '../preprocessing/steps.ts'
import { architecture } from './architectures.ts'
import { bindWeights } from './bind.ts'
import { readWeights } from './readWeights.ts'
import { type ReadyModel } from './spec.ts'

/**
 * crops uint8 [n, 3, size, size] -> logits [n, classes], features [n, width]. An encoder of images and texts needs its
 * class embeddings `head` [classes, embedding]; without them the graph is good for counting only.
 */
export function classifierGraph(
  model: Pick<ReadyModel, 'architecture' | 'classes'>,
  steps: readonly Step[],
  head?: Float32Array,
): Graph {
  const { mean, std, size } = splitSteps(steps)
  const known = architecture(model.architecture)
  const classifier = known.kind === 'classifier' ? known : zeroShotClassifier(known, head)
  const graph = createGraph()
  const crops = input(graph, 'crops', 'uint8', ['n', 3, size, size])
  const outputs = classifier.build(weights(graph), normalizeGraph(crops, mean, std), model.classes)
  output('logits', outputs.logits)
  output('features', outputs.features)
  return graph
}

/** A session that computes `wanted` outputs of a model from uint8 crops. */
export async function loadModel(
  model: ReadyModel,
  steps: readonly Step[],
  wanted: readonly ('logits' | 'features')[],
  options: HeadOptions = {},
): Promise<InferenceSession> {
  const graph = classifierGraph(model, steps, await classEmbeddings(model, options))
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

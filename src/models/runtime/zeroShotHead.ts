/*
 * An encoder of images and texts as a classifier: the class names, put into prompts, become the rows of a linear layer
 * over image embeddings. The rows are computed once for each set of weights, tokenizer, prompts and names, and kept.
 */
import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { inputError } from '../../lib/errors.ts'
import { writeError, orIfMissing } from '../../lib/files.ts'
import { mul } from '../../lib/onnx/ops.ts'
import {
  constant,
  createGraph,
  type Graph,
  addInput,
  addOutput,
  type Tensor,
  type ParameterScope,
  parameterScope,
} from '../../lib/onnx/graph.ts'
import { normalizeRows, similarity } from '../../lib/onnx/blocks/similarity.ts'
import { encodeModel } from '../../lib/onnx/encode.ts'
import { bindWeights, type BindOptions, type BoundWeights } from '../../lib/tensors/bind.ts'
import { type Classifier, type DualEncoder, scoreCosines } from '../families/family.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { readSafetensors, writeSafetensors } from '../../lib/tensors/safetensors.ts'
import { readTensor } from '../../lib/tensors/tensors.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { sha256 } from '../../lib/hash.ts'
import { groupByKey } from '../../lib/tally.ts'
import { imageTower, textTower } from '../towers.ts'
import { classText, fillTemplate } from './prompts.ts'
import { type Engine } from '../../lib/onnx/engine.ts'
import { type HeadSession } from './head.ts'
import { type BoundTextTower, type ZeroShotTask } from '../spec.ts'
import { createSession, type SessionOptions } from './session.ts'
import { scaleRowsToUnit, type TextEncoder } from './textEncoder.ts'
import { loadTokenizer, padTokens } from './tokenizer.ts'

/** Returns the hash of prompts and class names that a result's key has. */
export const hashPrompts = ({ templates, classNames }: ZeroShotTask): string =>
  sha256(JSON.stringify([templates, classNames.map(classText)]), 16)

export interface TextEmbeddingOptions extends Omit<SessionOptions, 'folder'>, Engine {
  /** Called after each batch of prompts: a thousand classes in 80 prompts take minutes. */
  onBatch?: () => void
}

/** An encoder of images and texts with the files of its weights, which are checked as for images of this size. */
export interface LocalEncoder extends BindOptions {
  encoder: DualEncoder
  files: readonly string[]
  /** Pixels of a side. */
  imageSize: number
}

/**
 * Returns the file in `folder` for the embeddings of a task's classes. Its name depends on the architecture too, since one
 * file of weights may serve two, with the plain and the quick GELU; `hashes` are the SHA-256 of the weight files.
 */
export async function classEmbeddingsFile(
  folder: string,
  { architecture, hashes }: { architecture: string; hashes: readonly string[] },
  { tokenizer, templates, classNames }: ZeroShotTask,
): Promise<string> {
  const hash = await hashFile(tokenizer, 'sha256')
  const texts = classNames.map(classText)
  const content = JSON.stringify([3, architecture, hashes, hash, templates, texts])
  return join(folder, `${sha256(content)}.safetensors`)
}

/**
 * Returns unit class embeddings [classes, embedding]: the mean of the unit embeddings of each class's prompts. They are
 * read from `task.embeddingsFile` if it exists, else computed and written to it.
 */
export async function zeroShotHead(
  texts: TextEncoder,
  task: ZeroShotTask,
  options: TextEmbeddingOptions = {},
): Promise<Float32Array> {
  const { embeddingsFile } = task
  if (embeddingsFile !== undefined && (await orIfMissing(stat(embeddingsFile), undefined)))
    return readEmbeddings(embeddingsFile)
  const tokenize = await loadTokenizer(task.tokenizer, texts.tokenizer)
  const prompts = task.classNames.flatMap((name, row) =>
    task.templates.map(template => ({ row, ids: tokenize(fillTemplate(template, name)) })),
  )
  const classes = task.classNames.length
  let head: Float32Array | undefined
  for (const [length, group] of groupByLength(prompts, texts)) {
    const session = await texts.open(length, options)
    try {
      for (let first = 0; first < group.length; first += batchSize) {
        const some = group.slice(first, first + batchSize)
        const rows = await session.embed(some.map(({ ids }) => ids))
        head ??= new Float32Array((classes * rows.length) / some.length)
        addRows(head, rows, some)
        options.onBatch?.()
      }
    } finally {
      await session.release()
    }
  }
  const scaled = scaleRowsToUnit(head!, classes)
  if (embeddingsFile !== undefined)
    await saveEmbeddings(embeddingsFile, scaled, scaled.length / classes)
  return scaled
}

/** A text's tokens and the class that it describes. */
interface TokenizedPrompt {
  row: number
  ids: number[]
}

const batchSize = 64
const lengthStep = 4

/**
 * Groups prompts by the length that they are padded to: a multiple of `lengthStep`, or the context length. For a tower that
 * takes any length they make one group.
 */
function groupByLength(
  prompts: readonly TokenizedPrompt[],
  { tokenizer: { contextLength, padded }, isLengthFree }: TextEncoder,
): Map<number, TokenizedPrompt[]> {
  const longest = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 0)
  return groupByKey(prompts, ({ ids }) => {
    if (padded) return contextLength
    if (isLengthFree) return longest
    return Math.min(contextLength, Math.ceil(ids.length / lengthStep) * lengthStep)
  })
}

async function readEmbeddings(file: string): Promise<Float32Array> {
  const { tensors } = await readSafetensors(file)
  return (await readTensor(tensors.get('head')!)) as Float32Array
}

async function saveEmbeddings(file: string, data: Float32Array, embedding: number): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeSafetensors(file, [
      { name: 'head', shape: [data.length / embedding, embedding], data },
    ])
  } catch (error) {
    throw writeError(file, error)
  }
}

/** Returns the text tower of a checkpoint as an encoder. */
export const builtTextEncoder = (local: LocalEncoder): TextEncoder => ({
  tokenizer: local.encoder.tokenizer,
  isLengthFree: false,
  open: async (length, options) => {
    const graph = createGraph()
    addOutput('embedding', normalizeRows(textTower(parameterScope(graph), local.encoder, length)))
    const { folder, bind } = await bindEncoder(graph, local)
    const session = await createSession(encodeModel(graph, { bind }), { ...options, folder })
    const { padding } = local.encoder.tokenizer
    return {
      embed: rows => embed(session, rows, { length, padding }),
      release: () => session.release(),
    }
  },
})

/** Binds the graph of one tower, or of none, to weights that have to fit both. */
async function bindEncoder(graph: Graph, local: LocalEncoder): Promise<BoundWeights> {
  const { encoder, files, imageSize, resizePositions } = local
  declareParameters(graph, w => imageTower(w, encoder, { size: imageSize }))
  declareParameters(graph, w => textTower(w, encoder))
  const read = await Promise.all(files.map(readWeights))
  return bindWeights(graph, read, { ...encoder.names, resizePositions })
}

async function embed(
  session: InferenceSession,
  rows: readonly number[][],
  { length, padding }: { length: number; padding: number },
): Promise<Float32Array> {
  const ort = await import('onnxruntime-node')
  const shape = [rows.length, length]
  const feeds = Object.fromEntries(
    Object.entries(padTokens(rows, { length, padding }))
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, values]): [string, OrtTensor] => [name, new ort.Tensor('int64', values, shape)]),
  )
  const { embedding } = await session.run(feeds)
  return embedding!.data as Float32Array
}

/** Adds the embedding of each prompt to its class's row of `sums`. */
function addRows(
  sums: Float32Array,
  embeddings: Float32Array,
  prompts: readonly TokenizedPrompt[],
): void {
  const width = embeddings.length / prompts.length
  for (const [i, { row }] of prompts.entries()) {
    for (let j = 0; j < width; j++) sums[row * width + j]! += embeddings[i * width + j]!
  }
}

/** Returns a function from kept features [n, embedding] to logits [n, classes], for class embeddings [classes, embedding]. */
export async function featureScorer(
  local: LocalEncoder,
  head: Float32Array,
): Promise<(features: Float32Array) => Promise<Float32Array>> {
  const { encoder } = local
  const session = await createCosineSession(
    { head, width: encoder.embeddingWidth },
    {
      score: (w, cosines) => scoreCosines(w, cosines, encoder),
      bind: graph => bindEncoder(graph, local),
    },
  )
  return features => session.run(features)
}

/** Returns a session from features to logits for class embeddings whose cosines are multiplied by a number. */
export const foreignFeatureScorer = (
  { logitScale }: Pick<BoundTextTower, 'logitScale'>,
  { head, classes }: { head: Float32Array; classes: number },
  options: SessionOptions = {},
): Promise<HeadSession> =>
  createCosineSession(
    { head, width: head.length / classes },
    { score: (_, cosines) => mul(cosines, logitScale), options },
  )

interface CosineScoring {
  score: (w: ParameterScope, cosines: Tensor) => Tensor
  bind?: (graph: Graph) => Promise<BoundWeights>
  options?: SessionOptions
}

async function createCosineSession(
  { head, width }: { head: Float32Array; width: number },
  { score, bind: bindTo, options = {} }: CosineScoring,
): Promise<HeadSession> {
  const graph = createGraph()
  const features = addInput(graph, 'features', { shape: ['n', width] })
  const rows = constant(graph, head, [head.length / width, width])
  addOutput('logits', score(parameterScope(graph), similarity(features, rows)))
  const bound = await bindTo?.(graph)
  const encoded = encodeModel(graph, bound ? { bind: bound.bind } : {})
  const session = await createSession(
    encoded,
    bound ? { ...options, folder: bound.folder } : options,
  )
  const { Tensor } = await import('onnxruntime-node')
  return {
    run: async values => {
      if (values.length % width !== 0)
        throw inputError(
          'bad-features',
          `features that are no rows of ${width} values, as texts have`,
        )
      const { logits } = await session.run({
        features: new Tensor('float32', values, [values.length / width, width]),
      })
      return logits!.data as Float32Array
    },
    release: () => session.release(),
  }
}

/**
 * Returns the encoder as a classifier whose head is unit class embeddings [classes, embedding], all 0 if none are given;
 * `features` are image embeddings.
 */
export function zeroShotClassifier(encoder: DualEncoder, head?: Float32Array): Classifier {
  const build = (w: ParameterScope, image: Tensor, classes: number) => {
    const features = encoder.encodeImage(w, image)
    declareParameters(w.graph, aside => textTower(aside, encoder))
    const rows = constant(w.graph, head ?? new Float32Array(classes * encoder.embeddingWidth), [
      classes,
      encoder.embeddingWidth,
    ])
    return { features, logits: scoreCosines(w, similarity(features, rows), encoder) }
  }
  return {
    kind: 'classifier',
    family: encoder.family,
    names: encoder.names,
    build,
  }
}

/** Declares the parameters of a tower without its nodes, so that the whole checkpoint is checked. */
function declareParameters(graph: Graph, build: (w: ParameterScope) => void): void {
  const aside = createGraph()
  build(parameterScope(aside))
  for (const [name, { tensor, role }] of aside.parameters) {
    if (!graph.parameters.has(name))
      graph.parameters.set(name, { tensor: { ...tensor, graph }, role })
  }
}

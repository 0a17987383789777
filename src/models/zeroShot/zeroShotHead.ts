/*
 * An encoder of images and texts as a classifier: the class names, put into prompts, become the rows of a linear layer
 * over image embeddings. Each text goes through its tower once; `textCache.ts` keeps the embeddings.
 */
import { type InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { inputError } from '../../lib/errors.ts'
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
import { bindWeights, type BindOptions, type BoundWeights } from '../../lib/tensors/bindWeights.ts'
import {
  type Classifier,
  type DualEncoder,
  scoreCosines,
  type TokenizerSettings,
} from '../families/family.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { splitRange } from '../../lib/ranges.ts'
import { sha256 } from '../../lib/hash.ts'
import { groupByKey } from '../../lib/tally.ts'
import { imageTower, textTower } from '../towers.ts'
import { classText, fillTemplate } from './prompts.ts'
import { type Engine } from '../../lib/onnx/engine.ts'
import { type HeadSession } from '../runtime/head.ts'
import { type BoundTextTower, type ZeroShotTask } from '../spec.ts'
import { createSession, type SessionOptions } from '../runtime/session.ts'
import { keepTextEmbeddings, readTextEmbeddings, type TextEmbeddings } from './textCache.ts'
import { scaleRowsToUnit, type TextEncoder } from './textEncoder.ts'
import { loadTokenizer, padTokens } from './tokenizer.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

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
 * Returns unit class embeddings [classes, embedding]: the mean of the unit embeddings of each class's prompts. Texts that the
 * folder `task.embeddings` has are not embedded again; the others are added to it.
 */
export async function zeroShotHead(
  encoder: TextEncoder,
  task: ZeroShotTask,
  options: TextEmbeddingOptions = {},
): Promise<Float32Array> {
  const prompts = promptsOf(task)
  const rows = await embeddingsOf(new Set(prompts), { encoder, task }, options)
  const classes = task.classNames.length
  const width = rows.get(prompts[0]!)!.length
  const head = new Float32Array(classes * width)
  for (const [i, text] of prompts.entries()) {
    const start = Math.floor(i / task.templates.length) * width
    for (const [j, value] of rows.get(text)!.entries()) head[start + j]! += value
  }
  return scaleRowsToUnit(head, classes)
}

/** Returns the texts of a task: those of the first class, one for each template, then those of the next. */
const promptsOf = ({ classNames, templates }: ZeroShotTask): string[] =>
  classNames.flatMap(name => templates.map(template => fillTemplate(template, name)))

/** Returns whether the folder of a task lacks some of its texts. */
export async function hasUnknownTexts(task: ZeroShotTask): Promise<boolean> {
  if (task.embeddings === undefined) return false
  const texts = new Set(promptsOf(task))
  return (await readTextEmbeddings(task.embeddings, texts)).size < texts.size
}

const batchSize = 64
const lengthStep = 4
/** Texts after which embeddings are kept, so that an interrupted run of many goes on where it was. */
const textsPerFile = 4096

/** Returns the embeddings of texts: those that are kept, and the others from the tower. */
async function embeddingsOf(
  texts: ReadonlySet<string>,
  { encoder, task }: { encoder: TextEncoder; task: ZeroShotTask },
  options: TextEmbeddingOptions,
): Promise<TextEmbeddings> {
  const { embeddings: folder, tokenizer } = task
  const known = folder ? await readTextEmbeddings(folder, texts) : new Map<string, Float32Array>()
  const missing = [...texts].filter(text => !known.has(text))
  if (missing.length === 0) return known
  const tokenize = await loadTokenizer(tokenizer, encoder.tokenizer)
  const tokenized = missing.map(text => ({ text, ids: tokenize(text) }))
  const session = await encoder.open(options)
  let fresh: TextEmbeddings = new Map()
  const keep = async (): Promise<void> => {
    for (const [text, row] of fresh) known.set(text, row)
    if (folder && fresh.size > 0) await keepTextEmbeddings(folder, fresh)
    fresh = new Map()
  }
  try {
    for (const { length, batch } of batchesByLength(tokenized, encoder.tokenizer)) {
      const rows = await session.embed(
        batch.map(({ ids }) => ids),
        length,
      )
      const width = rows.length / batch.length
      for (const [i, { text }] of batch.entries())
        fresh.set(text, rows.subarray(i * width, (i + 1) * width))
      if (fresh.size >= textsPerFile) await keep()
      options.onBatch?.()
    }
    await keep()
  } finally {
    await session.release()
  }
  return known
}

interface TokenizedText {
  text: string
  ids: number[]
}

/**
 * Returns texts in batches that are padded to one length: a multiple of `lengthStep`, or the context length. The length depends
 * on the text alone, so that its embedding does not depend on the texts beside it.
 */
function batchesByLength(
  texts: readonly TokenizedText[],
  { contextLength, padded }: TokenizerSettings,
): { length: number; batch: TokenizedText[] }[] {
  const groups = groupByKey(texts, ({ ids }) =>
    padded
      ? contextLength
      : Math.min(contextLength, Math.ceil(ids.length / lengthStep) * lengthStep),
  )
  return [...groups].flatMap(([length, group]) =>
    splitRange({ start: 0, end: group.length }, batchSize).map(({ start, end }) => ({
      length,
      batch: group.slice(start, end),
    })),
  )
}

/** Returns the text tower of a checkpoint as an encoder, which has a session for one length at a time. */
export const builtTextEncoder = (local: LocalEncoder): TextEncoder => ({
  tokenizer: local.encoder.tokenizer,
  open: options => {
    const { padding } = local.encoder.tokenizer
    let opened: { length: number; session: InferenceSession } | undefined
    const release = async (): Promise<void> => {
      const last = opened
      opened = undefined
      await last?.session.release()
    }
    return Promise.resolve({
      embed: async (rows, length) => {
        if (opened?.length !== length) {
          await release()
          opened = { length, session: await openTextTower(local, length, options) }
        }
        return embedRows(opened.session, rows, { length, padding })
      },
      release,
    })
  },
})

async function openTextTower(
  local: LocalEncoder,
  length: number,
  options: SessionOptions,
): Promise<InferenceSession> {
  const graph = createGraph()
  addOutput('embedding', normalizeRows(textTower(parameterScope(graph), local.encoder, length)))
  const { folder, bind } = await bindEncoder(graph, local)
  return createSession(encodeModel(graph, { bind }), { ...options, folder })
}

/** Binds the graph of one tower, or of none, to weights that have to fit both. */
async function bindEncoder(graph: Graph, local: LocalEncoder): Promise<BoundWeights> {
  const { encoder, files, imageSize, resizePositions } = local
  declareParameters(graph, w => imageTower(w, encoder, { size: imageSize }))
  declareParameters(graph, w => textTower(w, encoder))
  const read = await Promise.all(files.map(readWeights))
  return bindWeights(graph, read, { ...encoder.names, resizePositions })
}

async function embedRows(
  session: InferenceSession,
  rows: readonly number[][],
  { length, padding }: { length: number; padding: number },
): Promise<Float32Array> {
  const ort = await loadOnnxRuntime()
  const shape = [rows.length, length]
  const feeds = Object.fromEntries(
    Object.entries(padTokens(rows, { length, padding }))
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, values]): [string, OrtTensor] => [name, new ort.Tensor('int64', values, shape)]),
  )
  const { embedding } = await session.run(feeds)
  return embedding!.data as Float32Array
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

/** Stands for a factor that is not known: ranks do not depend on it. */
const rankingScale = 100

/** Returns a session from features to logits for class embeddings whose cosines are multiplied by a number. */
export const foreignFeatureScorer = (
  { logitScale }: Pick<BoundTextTower, 'logitScale'>,
  { head, classes }: { head: Float32Array; classes: number },
  options: SessionOptions = {},
): Promise<HeadSession> =>
  createCosineSession(
    { head, width: head.length / classes },
    { score: (_, cosines) => mul(cosines, logitScale ?? rankingScale), options },
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
  const { Tensor } = await loadOnnxRuntime()
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

/*
 * An encoder of images and texts as a classifier: the class names, put into prompts, become the rows of a linear layer
 * over image embeddings. The rows are computed once for the same weights, tokenizer, prompts and names, and kept.
 */
import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { storageError, orIfMissing } from '../../lib/files.ts'
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
import { bindWeights } from '../../lib/tensors/bind.ts'
import { type Classifier, type DualEncoder } from '../families/family.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { readSafetensors, writeSafetensors } from '../../lib/tensors/safetensors.ts'
import { readTensor } from '../../lib/tensors/tensors.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { sha256 } from '../../lib/hash.ts'
import { fillTemplate } from './prompts.ts'
import { type Engine } from '../../lib/onnx/engine.ts'
import { createSession, type SessionOptions } from './session.ts'
import { loadTokenizer, padTokens } from './tokenizer.ts'

/** What makes an encoder a classifier; plain data, as a worker process is given it. */
export interface ZeroShotTask {
  /** Path of a `tokenizer.json`. */
  tokenizer: string
  classNames: readonly string[]
  /** `{}` stands for the class name. */
  templates: readonly string[]
  /** File that keeps the class embeddings (`headFile`). */
  embeddingsFile?: string
}

/** Returns the hash of prompts and class names that a result's key has. */
export const hashPrompts = ({ templates, classNames }: ZeroShotTask): string =>
  sha256(JSON.stringify([templates, classNames]), 16)

export interface LoadModelOptions extends Omit<SessionOptions, 'folder'>, Engine {
  /** Called between batches of prompts: a sign of life, for a thousand classes in 80 prompts take minutes. */
  onBatch?: () => void
}

/**
 * Where `folder` keeps the embeddings of these classes. One file of weights may serve two architectures, with the plain
 * and the quick GELU; `hashes` are the SHA-256 of the weight files.
 */
export async function classEmbeddingsFile(
  folder: string,
  architecture: string,
  hashes: readonly string[],
  task: ZeroShotTask,
): Promise<string> {
  const tokenizer = await hashFile(task.tokenizer, 'sha256')
  const content = JSON.stringify([
    2,
    architecture,
    hashes,
    tokenizer,
    task.templates,
    task.classNames,
  ])
  return join(folder, `${sha256(content)}.safetensors`)
}

/**
 * Unit class embeddings [classes, embedding] of the model in `files`: the mean of the unit embeddings of a class's
 * prompts. Read from `task.head` where it is there, else computed and kept there.
 */
export async function zeroShotHead(
  encoder: DualEncoder,
  files: readonly string[],
  task: ZeroShotTask,
  options: LoadModelOptions = {},
): Promise<Float32Array> {
  if (
    task.embeddingsFile !== undefined &&
    (await orIfMissing(stat(task.embeddingsFile), undefined))
  )
    return readEmbeddings(task.embeddingsFile)
  const tokenize = await loadTokenizer(task.tokenizer, encoder)
  const prompts = task.classNames.flatMap((name, row) =>
    task.templates.map(template => ({ row, ids: tokenize(fillTemplate(template, name)) })),
  )
  const head = new Float32Array(task.classNames.length * encoder.embeddingWidth)
  for (const [length, group] of groupByLength(prompts, encoder.contextLength)) {
    const session = await textSession(encoder, files, length, options)
    try {
      for (let first = 0; first < group.length; first += batchSize) {
        const some = group.slice(first, first + batchSize)
        addRows(head, await embed(session, some, length), some, encoder.embeddingWidth)
        options.onBatch?.()
      }
    } finally {
      await session.release()
    }
  }
  scaleRowsToUnit(head, encoder.embeddingWidth)
  if (task.embeddingsFile !== undefined)
    await saveEmbeddings(task.embeddingsFile, head, encoder.embeddingWidth)
  return head
}

/** A text's tokens and the class that it describes. */
interface TokenizedPrompt {
  row: number
  ids: number[]
}

const batchSize = 64
const lengthStep = 4

/** Short texts need not wait for long ones: groups under their common length, a multiple of `lengthStep`. */
function groupByLength(
  prompts: readonly TokenizedPrompt[],
  context: number,
): Map<number, TokenizedPrompt[]> {
  const groups = new Map<number, TokenizedPrompt[]>()
  for (const prompt of prompts) {
    const length = Math.min(context, Math.ceil(prompt.ids.length / lengthStep) * lengthStep)
    const group = groups.get(length)
    if (group) group.push(prompt)
    else groups.set(length, [prompt])
  }
  return groups
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
    throw storageError(file, error)
  }
}

/** tokens and mask int64 [t, length] -> unit embeddings [t, embedding] */
async function textSession(
  encoder: DualEncoder,
  files: readonly string[],
  length: number,
  options: SessionOptions,
): Promise<InferenceSession> {
  const graph = createGraph()
  const tokens = addInput(graph, 'tokens', { dtype: 'int64', shape: ['t', length] })
  const mask = addInput(graph, 'mask', { dtype: 'int64', shape: ['t', length] })
  addOutput('embedding', normalizeRows(encoder.encodeText(parameterScope(graph), tokens, mask)))
  declareImage(encoder, graph)
  const { folder, bind } = await bindWeights(
    graph,
    await Promise.all(files.map(readWeights)),
    encoder.names,
  )
  return createSession(encodeModel(graph, { bind }), { ...options, folder })
}

async function embed(
  session: InferenceSession,
  prompts: readonly TokenizedPrompt[],
  length: number,
): Promise<Float32Array> {
  const ort = await import('onnxruntime-node')
  const rows = prompts.map(({ ids }) => ids)
  const shape = [rows.length, length]
  const feeds = Object.fromEntries(
    Object.entries(padTokens(rows, length))
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, values]): [string, OrtTensor] => [name, new ort.Tensor('int64', values, shape)]),
  )
  const { embedding } = await session.run(feeds)
  return embedding!.data as Float32Array
}

function addRows(
  sums: Float32Array,
  embeddings: Float32Array,
  prompts: readonly TokenizedPrompt[],
  width: number,
): void {
  for (const [i, { row }] of prompts.entries()) {
    for (let j = 0; j < width; j++) sums[row * width + j]! += embeddings[i * width + j]!
  }
}

function scaleRowsToUnit(rows: Float32Array, width: number): void {
  for (let start = 0; start < rows.length; start += width) {
    const row = rows.subarray(start, start + width)
    const length = Math.hypot(...row)
    for (let i = 0; i < width; i++) row[i]! /= length
  }
}

/** Scores kept features [n, embedding] against unit class embeddings [classes, embedding]: logits [n, classes]. */
export async function featureScorer(
  encoder: DualEncoder,
  head: Float32Array,
): Promise<(features: Float32Array) => Promise<Float32Array>> {
  const graph = createGraph()
  const width = encoder.embeddingWidth
  const features = addInput(graph, 'features', { shape: ['n', width] })
  addOutput(
    'logits',
    similarity(features, constant(graph, head, [head.length / width, width]), encoder.logitScale),
  )
  const session = await createSession(encodeModel(graph))
  const { Tensor } = await import('onnxruntime-node')
  return async values => {
    const { logits } = await session.run({
      features: new Tensor('float32', values, [values.length / width, width]),
    })
    return logits!.data as Float32Array
  }
}

/**
 * The encoder with unit class embeddings [classes, embedding] as its head; `features` are image embeddings. Without a
 * head all of them are 0.
 */
export function zeroShotClassifier(encoder: DualEncoder, head?: Float32Array): Classifier {
  const build = (w: ParameterScope, image: Tensor, classes: number) => {
    const features = encoder.encodeImage(w, image)
    declareText(encoder, w.graph)
    const rows = constant(w.graph, head ?? new Float32Array(classes * encoder.embeddingWidth), [
      classes,
      encoder.embeddingWidth,
    ])
    return { features, logits: similarity(features, rows, encoder.logitScale) }
  }
  return {
    kind: 'classifier',
    family: encoder.family,
    ...(encoder.names && { names: encoder.names }),
    build,
  }
}

/** Declares the other tower's parameters too, so that the whole checkpoint is checked; its nodes are not wanted. */
function declareWith(graph: Graph, build: (w: ParameterScope) => void): void {
  const aside = createGraph()
  build(parameterScope(aside))
  for (const [name, { tensor, role }] of aside.parameters) {
    if (!graph.parameters.has(name))
      graph.parameters.set(name, { tensor: { ...tensor, graph }, role })
  }
}

const declareImage = (encoder: DualEncoder, graph: Graph): void =>
  declareWith(
    graph,
    w => void encoder.encodeImage(w, addInput(w.graph, 'image', { shape: ['n', 3, 224, 224] })),
  )

function declareText(encoder: DualEncoder, graph: Graph): void {
  declareWith(graph, w => {
    const [tokens, mask] = ['tokens', 'mask'].map(name =>
      addInput(w.graph, name, { dtype: 'int64', shape: ['t', encoder.contextLength] }),
    )
    encoder.encodeText(w, tokens!, mask!)
  })
}

/*
 * An encoder of images and texts as a classifier: the class names, put into prompts, become the rows of a linear layer
 * over image embeddings. The rows are computed once for the same weights, tokenizer, prompts and names, and kept.
 */
import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { storageError, whereThere } from '../../lib/files.ts'
import {
  constant,
  createGraph,
  type Graph,
  input,
  output,
  type Tensor,
  type Weights,
  weights,
} from '../../lib/onnx/graph.ts'
import { normalized, similarity } from '../../lib/onnx/blocks/similarity.ts'
import { encode } from '../../lib/onnx/onnx.ts'
import { bindWeights } from '../../lib/tensors/bind.ts'
import { type Classifier, type DualEncoder } from '../families/family.ts'
import { readWeights } from '../../lib/tensors/readWeights.ts'
import { readSafetensors, writeSafetensors } from '../../lib/tensors/safetensors.ts'
import { readTensor } from '../../lib/tensors/tensors.ts'
import { hashFile } from '../../lib/hub/hash.ts'
import { sha256 } from '../../lib/hash.ts'
import { filled } from './prompts.ts'
import { type Engine } from '../../lib/onnx/engine.ts'
import { createSession, type SessionOptions } from './session.ts'
import { loadTokenizer, padded } from './tokenizer.ts'

/** What makes an encoder a classifier; plain data, as a worker process is given it. */
export interface ZeroShot {
  /** Path of a `tokenizer.json`. */
  tokenizer: string
  classNames: readonly string[]
  /** `{}` stands for the class name. */
  templates: readonly string[]
  /** File that keeps the class embeddings (`headFile`). */
  head?: string
}

export interface HeadOptions extends Omit<SessionOptions, 'folder'>, Engine {
  /** Called between batches of prompts: a sign of life, for a thousand classes in 80 prompts take minutes. */
  onBatch?: () => void
}

/**
 * Where `folder` keeps the embeddings of these classes. One file of weights may serve two architectures, with the plain
 * and the quick GELU; `hashes` are the SHA-256 of the weight files.
 */
export async function headFile(
  folder: string,
  architecture: string,
  hashes: readonly string[],
  task: ZeroShot,
): Promise<string> {
  const tokenizer = await hashFile(task.tokenizer, 'sha256')
  const content = JSON.stringify([2, architecture, hashes, tokenizer, task.templates, task.classNames])
  return join(folder, `${sha256(content)}.safetensors`)
}

/**
 * Unit class embeddings [classes, embedding] of the model in `files`: the mean of the unit embeddings of a class's
 * prompts. Read from `task.head` where it is there, else computed and kept there.
 */
export async function zeroShotHead(
  encoder: DualEncoder,
  files: readonly string[],
  task: ZeroShot,
  options: HeadOptions = {},
): Promise<Float32Array> {
  if (task.head !== undefined && (await whereThere(stat(task.head), undefined))) return readHead(task.head)
  const tokenize = await loadTokenizer(task.tokenizer, encoder)
  const prompts = task.classNames.flatMap((name, row) =>
    task.templates.map(template => ({ row, ids: tokenize(filled(template, name)) })),
  )
  const head = new Float32Array(task.classNames.length * encoder.embedding)
  for (const [length, group] of byLength(prompts, encoder.context)) {
    const session = await textSession(encoder, files, length, options)
    try {
      for (let first = 0; first < group.length; first += batch) {
        const some = group.slice(first, first + batch)
        addRows(head, await embed(session, some, length), some, encoder.embedding)
        options.onBatch?.()
      }
    } finally {
      await session.release()
    }
  }
  toUnit(head, encoder.embedding)
  if (task.head !== undefined) await keep(task.head, head, encoder.embedding)
  return head
}

/** A text's tokens and the class that it describes. */
interface Prompt {
  row: number
  ids: number[]
}

const batch = 64
const lengthStep = 4

/** Short texts need not wait for long ones: groups under their common length, a multiple of `lengthStep`. */
function byLength(prompts: readonly Prompt[], context: number): Map<number, Prompt[]> {
  const groups = new Map<number, Prompt[]>()
  for (const prompt of prompts) {
    const length = Math.min(context, Math.ceil(prompt.ids.length / lengthStep) * lengthStep)
    const group = groups.get(length)
    if (group) group.push(prompt)
    else groups.set(length, [prompt])
  }
  return groups
}

async function readHead(file: string): Promise<Float32Array> {
  const { tensors } = await readSafetensors(file)
  return (await readTensor(tensors.get('head')!)) as Float32Array
}

async function keep(file: string, data: Float32Array, embedding: number): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeSafetensors(file, [{ name: 'head', shape: [data.length / embedding, embedding], data }])
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
  const tokens = input(graph, 'tokens', 'int64', ['t', length])
  const mask = input(graph, 'mask', 'int64', ['t', length])
  output('embedding', normalized(encoder.text(weights(graph), tokens, mask)))
  declareImage(encoder, graph)
  const { folder, bind } = await bindWeights(graph, await Promise.all(files.map(readWeights)), encoder.names)
  return createSession(encode(graph, { bind }), { ...options, folder })
}

async function embed(session: InferenceSession, prompts: readonly Prompt[], length: number): Promise<Float32Array> {
  const ort = await import('onnxruntime-node')
  const rows = prompts.map(({ ids }) => ids)
  const shape = [rows.length, length]
  const feeds = Object.fromEntries(
    Object.entries(padded(rows, length))
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, values]): [string, OrtTensor] => [name, new ort.Tensor('int64', values, shape)]),
  )
  const { embedding } = await session.run(feeds)
  return embedding!.data as Float32Array
}

function addRows(sums: Float32Array, embeddings: Float32Array, prompts: readonly Prompt[], width: number): void {
  for (const [i, { row }] of prompts.entries()) {
    for (let j = 0; j < width; j++) sums[row * width + j]! += embeddings[i * width + j]!
  }
}

function toUnit(rows: Float32Array, width: number): void {
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
  const width = encoder.embedding
  const features = input(graph, 'features', 'float32', ['n', width])
  output('logits', similarity(features, constant(graph, head, [head.length / width, width]), encoder.scale))
  const session = await createSession(encode(graph))
  const { Tensor } = await import('onnxruntime-node')
  return async values => {
    const { logits } = await session.run({ features: new Tensor('float32', values, [values.length / width, width]) })
    return logits!.data as Float32Array
  }
}

/**
 * The encoder with unit class embeddings [classes, embedding] as its head; `features` are image embeddings. Without a
 * head all of them are 0.
 */
export function zeroShotClassifier(encoder: DualEncoder, head?: Float32Array): Classifier {
  const build = (w: Weights, image: Tensor, classes: number) => {
    const features = encoder.image(w, image)
    declareText(encoder, w.graph)
    const rows = constant(w.graph, head ?? new Float32Array(classes * encoder.embedding), [classes, encoder.embedding])
    return { features, logits: similarity(features, rows, encoder.scale) }
  }
  return { kind: 'classifier', family: encoder.family, ...(encoder.names && { names: encoder.names }), build }
}

/** Declares the other tower's parameters too, so that the whole checkpoint is checked; its nodes are not wanted. */
function declareWith(graph: Graph, build: (w: Weights) => void): void {
  const aside = createGraph()
  build(weights(aside))
  for (const [name, { tensor, role }] of aside.parameters) {
    if (!graph.parameters.has(name)) graph.parameters.set(name, { tensor: { ...tensor, graph }, role })
  }
}

const declareImage = (encoder: DualEncoder, graph: Graph): void =>
  declareWith(graph, w => void encoder.image(w, input(w.graph, 'image', 'float32', ['n', 3, 224, 224])))

function declareText(encoder: DualEncoder, graph: Graph): void {
  declareWith(graph, w => {
    const [tokens, mask] = ['tokens', 'mask'].map(name => input(w.graph, name, 'int64', ['t', encoder.context]))
    encoder.text(w, tokens!, mask!)
  })
}

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createGraph,
  type Graph,
  addInput,
  addOutput,
  parameterScope,
} from '../src/lib/onnx/graph.ts'
import { multiplyAdds } from '../src/lib/onnx/multiplyAdds.ts'
import { normalizeRows, similarity } from '../src/lib/onnx/blocks/similarity.ts'
import { mul } from '../src/lib/onnx/ops.ts'
import { encodeModel } from '../src/lib/onnx/encode.ts'
import { createSession } from '../src/models/runtime/session.ts'
import { architectures } from '../src/models/architectures.ts'
import { textTower } from '../src/models/towers.ts'
import { bindWeights } from '../src/lib/tensors/bindWeights.ts'
import { type Architecture, scoreCosines } from '../src/models/families/family.ts'
import { readSafetensors } from '../src/lib/tensors/safetensors.ts'
import { formulaImages, type FormulaTensor, writeFormulaWeights } from './formula.ts'

export interface GoldenCase {
  model: string
  input: { name: string; batch: number; size: number }
  /** The size that the weights were made for, if the input has another one. */
  trained?: number
  outputs: Record<string, number[][]>
  /** Step of the values that the outputs have: each `every`-th from the first; 1 by default. */
  every?: number
  tensors: FormulaTensor[]
  /** The texts of `token_ids`. */
  prompts?: string[]
  token_ids?: number[][]
  attention_mask?: number[][]
}

/** A case as a golden file has it, with the number of the model's parameters. */
export interface GoldenFile extends GoldenCase {
  params: number
}

export const readGoldenFile = (path: string): GoldenFile =>
  JSON.parse(readFileSync(path, 'utf8')) as GoldenFile

export interface CaseResult {
  /** Largest |ours - expected| over the expected output's deviation, over all outputs. */
  worst: number
  detail: string
}

/** The golden files call OpenCLIP's models `clip_<name>`; the catalogue knows them by OpenCLIP's own names. */
export function architectureOfCase({ model }: Pick<GoldenCase, 'model'>): Architecture | undefined {
  return architectures[model] ?? architectures[model.replace(/^clip_/, 'clip:')]
}

/** Encodes the graph of a case, whose tensors are bound to the weights in `file`. */
async function encodeCase(golden: GoldenCase, file: string) {
  const architecture = architectureOfCase(golden)!
  const graph = graphOf(architecture, golden.input.size, golden.outputs.features ? 0 : 1000)
  const { folder, bind } = await bindWeights(graph, [await readSafetensors(file)], {
    ...architecture.names,
    resizePositions: golden.trained !== undefined,
  })
  return { graph, folder, bytes: encodeModel(graph, { bind }) }
}

/**
 * Returns the SHA-256 of a case, its encoded graph with the place of each tensor in the weights, and the version of ONNX Runtime.
 * A case that was checked under this digest need not be checked again. No weights are computed: the file holds zeros.
 */
export async function caseDigest(golden: GoldenCase, folder: string): Promise<string> {
  const file = join(folder, `${golden.model}.zeros.safetensors`)
  await writeFormulaWeights(file, golden.tensors, { zeros: true })
  try {
    const { bytes } = await encodeCase(golden, file)
    const { env } = await import('onnxruntime-node')
    const text = JSON.stringify([env.versions.node, golden])
    return createHash('sha256').update(text).update(bytes).digest('hex')
  } finally {
    await rm(file, { force: true })
  }
}

export async function checkCase(golden: GoldenCase, folder: string): Promise<CaseResult> {
  const file = join(folder, `${golden.model}.safetensors`)
  await writeFormulaWeights(file, golden.tensors)
  try {
    const started = performance.now()
    const { batch, size, name } = golden.input
    const { graph, folder: real, bytes } = await encodeCase(golden, file)
    const session = await createSession(bytes, { folder: real, spinning: false })
    const loaded = performance.now()
    const outputs = await session.run(await feeds(golden, formulaImages(name, size, batch)))
    const ours = Object.fromEntries(
      Object.entries(outputs).map(([key, { data }]) => [key, data as Float32Array]),
    )
    await session.release()
    const errors = Object.entries(golden.outputs).map(([key, expected]) => ({
      key,
      error: deviation(
        ours[key]!.filter((_, i) => i % (golden.every ?? 1) === 0),
        expected.flat(),
      ),
    }))
    const gmac = (multiplyAdds(graph) / 1e9).toFixed(2)
    return {
      worst: Math.max(...errors.map(({ error }) => error)),
      detail: `${errors.map(({ key, error }) => `${key} ${error.toExponential(1)}`).join(', ')}; ${gmac} GMAC, loaded in ${(loaded - started).toFixed(0)} ms`,
    }
  } finally {
    await rm(file, { force: true })
  }
}

/** Returns the graph of an architecture; a classifier of no classes has its features as the only output. */
export function graphOf(architecture: Architecture, size: number, classes = 1000): Graph {
  const graph = createGraph({ fused: true })
  const image = addInput(graph, 'image', { shape: ['n', 3, size, size] })
  const w = parameterScope(graph)
  if (architecture.kind === 'classifier') {
    const { logits, features } = architecture.build(w, image, classes)
    if (classes > 0) addOutput('logits', logits)
    else addOutput('features', features)
  } else {
    const imageEmbedding = addOutput('image_embedding', architecture.encodeImage(w, image))
    const textEmbedding = addOutput('text_embedding', textTower(w, architecture))
    const cosines = similarity(imageEmbedding, normalizeRows(textEmbedding))
    const { logitScale } = architecture
    const own = logitScale === 'checkpoint'
    addOutput('zero_shot_logits', mul(cosines, own ? 100 : logitScale))
    if (own) addOutput('library_logits', scoreCosines(w, cosines, architecture))
  }
  return graph
}

async function feeds(golden: GoldenCase, images: Float32Array) {
  const { Tensor } = await import('onnxruntime-node')
  const { batch, size } = golden.input
  const image = new Tensor('float32', images, [batch, 3, size, size])
  if (!golden.token_ids) return { image }
  const ids = golden.token_ids
  const mask = golden.attention_mask ?? ids.map(row => row.map(id => (id === 0 ? 0 : 1)))
  const int64 = (rows: number[][]) =>
    new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length])
  return { image, tokens: int64(ids), mask: int64(mask) }
}

/** max |ours - expected| / std(expected); infinite where a value is missing or not a number. */
function deviation(ours: Float32Array, expected: readonly number[]): number {
  if (ours.length !== expected.length) return Infinity
  const mean = expected.reduce((sum, value) => sum + value, 0) / expected.length
  const variance = expected.reduce((sum, value) => sum + (value - mean) ** 2, 0) / expected.length
  let worst = 0
  for (const [i, value] of expected.entries()) {
    const error = Math.abs(ours[i]! - value)
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error
  }
  return worst / Math.sqrt(variance)
}

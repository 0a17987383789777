/*
 * Finds the nearest labelled images of unlabelled ones (appendix F). The search is exact: one graph multiplies a block of
 * queries with all references and returns the largest similarities of each row.
 */
import { inputError, internalError } from '../lib/errors.ts'
import { normalizeRows } from '../lib/onnx/blocks/similarity.ts'
import { createGraph, addInput, addOutput } from '../lib/onnx/graph.ts'
import { encodeModel } from '../lib/onnx/encode.ts'
import { cast, div, gemm, norm, topK } from '../lib/onnx/ops.ts'
import { createSession } from '../models/runtime/session.ts'
import { type Embeddings, requireSameEncoder } from './embeddings.ts'
import { loadOnnxRuntime } from '../lib/onnx/runtime.ts'

/** The neighbours of a block of queries. */
export interface Neighbours {
  /** Position of the first query. */
  start: number
  rows: number
  /** Reference positions [rows, k], nearest first; of equal ones the first. */
  indices: Int32Array
  /** Cosine similarities [rows, k]. */
  similarities: Float32Array
  /** Euclidean lengths of the queries [rows]; 0 or not finite where a query has no direction and no neighbours. */
  lengths: Float32Array
}

export interface SearchOptions {
  /** Bytes of a block of similarities. Default 128 MiB. */
  memoryBytes?: number
  threads?: number
}

const throwUnbound = (name: string): never => {
  throw internalError('graph-shape', `no parameter expected: ${name}`)
}

/**
 * Returns the `k` references with the largest cosine similarity to each query, block by block in the order of the queries. Only
 * references are held in memory, as float32.
 * @throws GeogapError `different-encoder`, `bad-k`, `bad-embeddings` for a reference without a direction.
 */
export async function* nearestReferences(
  references: Embeddings,
  queries: Embeddings,
  { k, memoryBytes = 2 ** 27, threads = 0 }: SearchOptions & { k: number },
): AsyncGenerator<Neighbours> {
  requireSameEncoder(references, queries)
  if (!(Number.isInteger(k) && k >= 1 && k <= references.count))
    throw inputError('bad-k', `k = ${k} is not between 1 and the ${references.count} references`)
  const { Tensor } = await loadOnnxRuntime()
  const { width } = queries
  const known = new Tensor('float32', await unitRows(references), [references.count, width])
  const session = await createSession(searchGraph(references.count, queries, k), { threads })
  try {
    const block = Math.max(1, Math.min(8192, Math.floor(memoryBytes / (4 * references.count))))
    for await (const { start, rows, data } of queries.blocks(block)) {
      const found = await session.run({
        references: known,
        queries: new Tensor(queries.dtype, data, [rows, width]),
      })
      yield {
        start,
        rows,
        indices: found.indices!.data as Int32Array,
        similarities: found.similarities!.data as Float32Array,
        lengths: found.lengths!.data as Float32Array,
      }
    }
  } finally {
    await session.release()
  }
}

function searchGraph(count: number, { width, dtype }: Embeddings, k: number): Uint8Array {
  const graph = createGraph()
  const references = addInput(graph, 'references', { shape: [count, width] })
  const stored = addInput(graph, 'queries', { dtype, shape: ['n', width] })
  const queries = dtype === 'float32' ? stored : cast(stored, 'float32')
  const lengths = addOutput('lengths', norm(queries))
  const { values, indices } = topK(gemm(queries, references), k)
  addOutput('similarities', div(values, lengths))
  addOutput('indices', cast(indices, 'int32'))
  return encodeModel(graph, { bind: throwUnbound })
}

/** Returns all rows scaled to unit length. */
async function unitRows(embeddings: Embeddings): Promise<Float32Array> {
  const { Tensor } = await loadOnnxRuntime()
  const { count, width, dtype } = embeddings
  const graph = createGraph()
  const stored = addInput(graph, 'rows', { dtype, shape: ['n', width] })
  addOutput('unit', normalizeRows(dtype === 'float32' ? stored : cast(stored, 'float32')))
  const session = await createSession(encodeModel(graph, { bind: throwUnbound }))
  const all = new Float32Array(count * width)
  try {
    for await (const { start, rows, data } of embeddings.blocks(4096)) {
      const { unit } = await session.run({ rows: new Tensor(dtype, data, [rows, width]) })
      all.set(unit!.data as Float32Array, start * width)
    }
  } finally {
    await session.release()
  }
  for (let row = 0; row < count; row++)
    if (!Number.isFinite(all[row * width]))
      throw inputError('bad-embeddings', `reference ${row} has no direction`)
  return all
}

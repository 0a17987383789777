/*
 * Reads embeddings in blocks, so that a file of any length needs little memory. `.npy` files have the form in which LAION
 * publishes them: two-dimensional, float16 or float32, row-major.
 */
import { open } from 'node:fs/promises'
import { npyHeader } from '../lib/archive/npy.ts'
import { type GeogapError, inputError, dataError } from '../lib/errors.ts'
import { readFully } from '../lib/files.ts'
import { widenHalf } from '../lib/tensors/widenToFloat32.ts'
import { type FeatureMatrix } from '../models/runtime/head.ts'

/** Consecutive rows of embeddings. */
export interface EmbeddingBlock {
  /** Position of the first row. */
  start: number
  rows: number
  /** Row-major values; float16 as the bits of each value. Overwritten by the next block. */
  data: Float32Array | Uint16Array
}

/** Vectors of one width by one encoder. */
export interface Embeddings {
  /** The model with its weights, such as `open_clip:ViT-B-32:laion400m_e31`. */
  encoder: string
  count: number
  width: number
  dtype: 'float32' | 'float16'
  /** Yields all rows in order, at most `rows` at a time. */
  blocks(rows: number): AsyncIterable<EmbeddingBlock>
}

/** Returns embeddings on row-major values in memory. Errors: bad-embeddings. */
export function embeddingsOf(data: Float32Array, width: number, encoder: string): Embeddings {
  if (data.length % width !== 0)
    throw inputError('bad-embeddings', `${data.length} values are not whole rows of width ${width}`)
  const count = data.length / width
  return {
    encoder,
    count,
    width,
    dtype: 'float32',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *blocks(rows) {
      for (let start = 0; start < count; start += rows) {
        const taken = Math.min(rows, count - start)
        yield { start, rows: taken, data: data.subarray(start * width, (start + taken) * width) }
      }
    },
  }
}

/**
 * Opens a `.npy` file, of which only the header is read.
 * @throws GeogapError `bad-npy` for anything but a whole two-dimensional, row-major array of float16 or float32.
 */
export async function openNpy(file: string, encoder: string): Promise<Embeddings> {
  const { offset, count, width, bytes } = await readNpyHeader(file)
  return {
    encoder,
    count,
    width,
    dtype: bytes === 2 ? 'float16' : 'float32',
    async *blocks(rows) {
      const handle = await open(file, 'r')
      try {
        const buffer = new Uint8Array(Math.min(rows, count) * width * bytes)
        for (let start = 0; start < count; start += rows) {
          const taken = Math.min(rows, count - start)
          const part = buffer.subarray(0, taken * width * bytes)
          const found = await readFully(handle, part, offset + start * width * bytes)
          if (found < part.length)
            throw badNpy(file, `it ends within row ${start + Math.floor(found / (width * bytes))}`)
          const values = taken * width
          const data =
            bytes === 2
              ? new Uint16Array(buffer.buffer, 0, values)
              : new Float32Array(buffer.buffer, 0, values)
          yield { start, rows: taken, data }
        }
      } finally {
        await handle.close()
      }
    },
  }
}

/** Reads all rows of a `.npy` file as float32. Errors: bad-npy, no-embeddings. */
export async function readNpy(file: string): Promise<FeatureMatrix> {
  const stored = await openNpy(file, '')
  const data = new Float32Array(stored.count * stored.width)
  for await (const block of stored.blocks(4096))
    data.set(
      block.data instanceof Uint16Array ? widenHalf(block.data) : block.data,
      block.start * stored.width,
    )
  return { width: stored.width, data }
}

const badNpy = (file: string, what: string): GeogapError =>
  dataError('bad-npy', `cannot read embeddings ${file}: ${what}`)

async function readNpyHeader(
  file: string,
): Promise<{ offset: number; count: number; width: number; bytes: 2 | 4 }> {
  const handle = await open(file, 'r').catch(() => {
    throw inputError('no-embeddings', `no such file: ${file}`)
  })
  try {
    const start = Buffer.alloc(1 << 16)
    const head = start.subarray(0, await readFully(handle, start, 0))
    const found = npyHeader(head)
    if (!found) throw badNpy(file, 'not a .npy file')
    const { text: header, end: offset } = found
    const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? 'none'
    const bytes = { '<f2': 2 as const, '<f4': 4 as const }[descr]
    if (!bytes) throw badNpy(file, `its values are ${descr}, not <f2 or <f4`)
    const [, count, width] = /'shape':\s*\((\d+),\s*(\d+)\)/.exec(header) ?? []
    if (!/'fortran_order':\s*False/.test(header) || count === undefined || Number(width) === 0)
      throw badNpy(file, 'not a two-dimensional, row-major array')
    const shape = { count: Number(count), width: Number(width) }
    const size = offset + shape.count * shape.width * bytes
    const { size: actual } = await handle.stat()
    if (size !== actual)
      throw badNpy(file, `${count} rows of ${width} take ${size} bytes, it has ${actual}`)
    return { offset, ...shape, bytes }
  } finally {
    await handle.close()
  }
}

/**
 * Joins embeddings in their order.
 * @throws GeogapError `different-encoder` if they differ in encoder, width or type.
 */
export function joinEmbeddings(parts: readonly Embeddings[]): Embeddings {
  const [first] = parts
  if (!first) throw inputError('no-embeddings', 'no embeddings given')
  for (const part of parts) {
    requireSameEncoder(first, part)
    if (part.dtype !== first.dtype)
      throw inputError('different-encoder', `embeddings of ${first.dtype} and ${part.dtype}`)
  }
  return {
    ...first,
    count: parts.reduce((sum, { count }) => sum + count, 0),
    async *blocks(rows) {
      let before = 0
      for (const part of parts) {
        for await (const block of part.blocks(rows)) yield { ...block, start: before + block.start }
        before += part.count
      }
    },
  }
}

/**
 * Checks that distances between two sets of embeddings have a meaning.
 * @throws GeogapError `different-encoder` if they differ in encoder or width.
 */
export function requireSameEncoder(a: Embeddings, b: Embeddings): void {
  if (a.encoder !== b.encoder)
    throw inputError(
      'different-encoder',
      `embeddings of different encoders: ${a.encoder} and ${b.encoder}`,
    )
  if (a.width !== b.width)
    throw inputError('different-encoder', `embeddings of width ${a.width} and ${b.width}`)
}

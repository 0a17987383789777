import { open, stat, type FileHandle } from 'node:fs/promises'
import { type GeogapError, inputError, quoteForMessage, weightsError } from '../errors.ts'
import { readFully, orIfMissing } from '../files.ts'
import { widenBfloat16, widenHalf } from './widenToFloat32.ts'

/** Bytes per value of the element types of weight files. */
export const dtypeBytes = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const

export type WeightDtype = keyof typeof dtypeBytes

/** A tensor whose values are `length` bytes from byte `offset` of `file`, little-endian and row-major. */
export interface TensorEntry {
  name: string
  dtype: WeightDtype
  shape: readonly number[]
  file: string
  offset: number
  length: number
  /** The values, if they are not in row-major order in the file (a transposed view, say). */
  data?: Uint8Array
  /** Returns the values, if they are computed from those of the file. */
  values?: () => Promise<Float32Array>
}

export interface TensorFile {
  file: string
  tensors: Map<string, TensorEntry>
  metadata: Record<string, string>
}

export type TensorData =
  Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array

/** Returns an error about the content of a weight file. */
export const weightFileError = (code: string, file: string, what: string): GeogapError =>
  weightsError(code, `cannot read weights ${quoteForMessage(file, 300)}: ${what}`)

/** Returns the bytes of values as they are in memory. */
export const asBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** A weight file that is open for reading, and its size in bytes. */
export interface OpenWeightFile {
  file: string
  handle: FileHandle
  size: number
}

/** Opens a weight file for reading; anything but a plain file is refused. */
export async function openWeights(file: string): Promise<OpenWeightFile> {
  const found = await orIfMissing(stat(file), undefined)
  if (!found)
    throw inputError('no-weights-file', `no such weights file: ${quoteForMessage(file, 300)}`)
  if (!found.isFile())
    throw inputError('no-weights-file', `not a plain file: ${quoteForMessage(file, 300)}`)
  return { file, handle: await open(file, 'r'), size: found.size }
}

/** Returns all values in one array. */
export function concatFloat32(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Returns the number of values, or undefined when it is too large to be exact. */
export function elementCount(shape: readonly number[]): number | undefined {
  const size = shape.reduce((product, length) => product * length, 1)
  return Number.isSafeInteger(size) ? size : undefined
}

/**
 * Reads one tensor, float16 and bfloat16 widened to float32, BOOL as bytes 0 and 1.
 * @throws GeogapError `weights-truncated` when the file became shorter since its entries were read.
 */
export async function readTensor(entry: TensorEntry): Promise<TensorData> {
  if (entry.values) return entry.values()
  if (entry.data) return typedValues(entry.dtype, new Uint8Array(entry.data))
  const handle = await open(entry.file, 'r')
  try {
    return typedValues(entry.dtype, await readBytes(handle, entry))
  } finally {
    await handle.close()
  }
}

/** Reads one tensor as float32. Errors: those of `readTensor`. */
export async function readFloat32(entry: TensorEntry): Promise<Float32Array> {
  const data = await readTensor(entry)
  return data instanceof Float32Array ? data : Float32Array.from(data, Number)
}

async function readBytes(handle: FileHandle, entry: TensorEntry): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(entry.length)
  const found = await readFully(handle, bytes, entry.offset)
  if (found === entry.length) return bytes
  const what = `tensor ${quoteForMessage(entry.name)} needs ${entry.length} bytes at ${entry.offset}, the file has ${found}`
  throw weightFileError('weights-truncated', entry.file, what)
}

/** `bytes` must be all of their buffer. */
function typedValues(dtype: WeightDtype, { buffer }: Uint8Array<ArrayBuffer>): TensorData {
  if (dtype === 'F16') return widenHalf(new Uint16Array(buffer))
  if (dtype === 'BF16') return widenBfloat16(new Uint16Array(buffer))
  return new arrayTypes[dtype](buffer)
}

const arrayTypes = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const

/** The formula weights and images of the golden cases: exact in any language, so that no large file is needed. */
import { open } from 'node:fs/promises'
import { writeFully } from '../src/lib/files.ts'
import { volume } from '../src/lib/onnx/shapes.ts'

export interface FormulaTensor {
  name: string
  shape: number[]
  center?: number
  radius?: number
  /** All values, or the first channel's and some of the next where every channel has the same. */
  values?: number[]
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** `count` values around `center`, drawn by the tensor's name. */
export function formulaValues(
  name: string,
  count: number,
  center: number,
  radius: number,
): Float32Array {
  const seed = fnv1a(name)
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    let h = (Math.imul(i, 0x9e3779b9) + seed) | 0
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h ^= h >>> 16
    values[i] = center + radius * (2 * ((h >>> 0) / 2 ** 32) - 1)
  }
  return values
}

/** float32 [batch, 3, size, size], already normalized. */
export function formulaImages(name: string, size: number, batch: number): Float32Array {
  const grid = Math.ceil(size / 16)
  const images = new Float32Array(batch * 3 * size * size)
  for (let b = 0, at = 0; b < batch; b++) {
    const blocks = formulaValues(`${name}:${b}:blocks`, 3 * grid * grid, 0, 1.5)
    const noise = formulaValues(`${name}:${b}:noise`, 3 * size * size, 0, 0.5)
    for (let i = 0; i < noise.length; i++, at++) {
      const x = i % size
      const y = Math.floor(i / size) % size
      const c = Math.floor(i / (size * size))
      images[at] = blocks[(c * grid + (y >> 4)) * grid + (x >> 4)]! + noise[i]!
    }
  }
  return images
}

/**
 * Writes the tensors as a safetensors file, one at a time, so that a large model needs no memory. With `zeros`, all values are a hole in
 * the file, which takes no space on the disk.
 */
export async function writeFormulaWeights(
  file: string,
  tensors: readonly FormulaTensor[],
  { zeros = false } = {},
): Promise<void> {
  let offset = 0
  const header: Record<string, unknown> = {}
  for (const { name, shape } of tensors) {
    const end = offset + 4 * volume(shape)
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const length = new BigUint64Array([BigInt(json.length)])
  const handle = await open(file, 'w')
  try {
    await writeFully(handle, new Uint8Array(length.buffer))
    await writeFully(handle, json)
    if (zeros) await handle.truncate(length.byteLength + json.length + offset)
    else for (const tensor of tensors) await writeFully(handle, bytesOf(tensor))
  } finally {
    await handle.close()
  }
}

function bytesOf({ name, shape, center = 0, radius = 0, values }: FormulaTensor): Uint8Array {
  const count = volume(shape)
  const perChannel = volume(shape.slice(1))
  const data = values
    ? Float32Array.from(
        { length: count },
        (_, i) => values[values.length === count ? i : i % perChannel]!,
      )
    : formulaValues(name, count, center, radius)
  return new Uint8Array(data.buffer)
}

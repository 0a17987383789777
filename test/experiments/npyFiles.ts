import { writeFile } from 'node:fs/promises'

export interface NpyOptions {
  descr?: string
  order?: string
  version?: number
}

/** A `.npy` file of the given shape, values as they lie in memory. */
export async function writeNpy(
  file: string,
  shape: readonly number[],
  values: Float32Array | Uint16Array,
  {
    descr = values instanceof Uint16Array ? '<f2' : '<f4',
    order = 'False',
    version = 1,
  }: NpyOptions = {},
): Promise<void> {
  const dims = shape.length === 1 ? `${shape[0]!},` : shape.join(', ')
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${dims}), }`
  const size = version === 1 ? 2 : 4
  const padded =
    text.padEnd(Math.ceil((6 + 2 + size + text.length + 1) / 64) * 64 - 6 - 2 - size - 1) + '\n'
  const length = Buffer.alloc(size)
  if (version === 1) length.writeUInt16LE(padded.length)
  else length.writeUInt32LE(padded.length)
  const data = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  await writeFile(
    file,
    Buffer.concat([
      Buffer.from('\x93NUMPY', 'latin1'),
      Buffer.of(version, 0),
      length,
      Buffer.from(padded),
      data,
    ]),
  )
}

/** The bits of the float16 nearest to each value; only for values that need no rounding in the exponent's range. */
export const halves = (values: Float32Array): Uint16Array =>
  Uint16Array.from(values, value => {
    const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!
    const exponent = ((bits >>> 23) & 0xff) - 112
    return value === 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff)
  })

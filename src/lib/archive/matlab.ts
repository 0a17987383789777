// Just enough of MATLAB's level 5 format for ImageNet's `meta.mat`: arrays of structs whose fields are numbers or text.
// An element is a tag (type, length) and its data, padded to 8 bytes; up to 4 bytes of data fit into the tag itself.
import { inflateSync } from 'node:zlib'
import { GeogapError } from '../errors.ts'

const compressed = 15
const matrix = 14
const classes = { struct: 2, char: 4 }
const maxUnpacked = 1 << 26

interface Element {
  type: number
  data: Buffer
  next: number
}

type Field = number | string | null

/** The structs of the first struct array in a file, a record each; nested arrays are null. */
export function matlabStructs(file: Buffer): Record<string, Field>[] {
  if (file.toString('latin1', 126, 128) !== 'IM') throw broken('not a little-endian MATLAB 5 file')
  try {
    for (let at = 128; at < file.length;) {
      const { type, data, next } = element(file, at)
      const inner =
        type === compressed ? element(inflateSync(data, { maxOutputLength: maxUnpacked }), 0) : { type, data }
      const structs = inner.type === matrix ? structArray(inner.data) : undefined
      if (structs) return structs
      at = type === compressed ? at + 8 + data.length : next
    }
  } catch (error) {
    throw error instanceof GeogapError ? error : broken(String(error))
  }
  throw broken('no array of structs')
}

const broken = (why: string): GeogapError =>
  new GeogapError('data', 'unreadable-file', `unreadable MATLAB file: ${why}`)

function element(buffer: Buffer, at: number): Element {
  const first = buffer.readUInt32LE(at)
  const small = first >>> 16
  const length = small === 0 ? buffer.readUInt32LE(at + 4) : small
  const start = small === 0 ? at + 8 : at + 4
  if (start + length > buffer.length) throw broken('an element is cut off')
  const next = small === 0 ? start + Math.ceil(length / 8) * 8 : at + 8
  return { type: small === 0 ? first : first & 0xffff, data: buffer.subarray(start, start + length), next }
}

/** Elements of a matrix in their order: flags, dimensions, name, and what its class has. */
function* elements(data: Buffer): Generator<Element> {
  for (let at = 0; at + 8 <= data.length;) {
    const found = element(data, at)
    yield found
    at = found.next
  }
}

const matrixClass = (flags: Element): number => flags.data[0]!

function structArray(data: Buffer): Record<string, Field>[] | undefined {
  const [flags, dimensions, , width, names, ...fields] = elements(data)
  if (!flags || matrixClass(flags) !== classes.struct || !dimensions || !width || !names) return undefined
  const size = width.data.readInt32LE(0)
  const keys = Array.from({ length: names.data.length / size }, (_, i) =>
    names.data.toString('latin1', i * size, (i + 1) * size).replace(/\0.*$/s, ''),
  )
  const count = fields.length / keys.length
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(keys.map((key, j) => [key, fieldValue(fields[i * keys.length + j]!)])),
  )
}

function fieldValue({ type, data }: Element): Field {
  if (type !== matrix) return null
  const [flags, , , values] = elements(data)
  if (!flags || !values) return null
  return matrixClass(flags) === classes.char ? characters(values) : number(values)
}

const characters = ({ type, data }: Element): string => data.toString(type === 4 || type === 17 ? 'utf16le' : 'utf8')

/** The first number; MATLAB stores whole doubles in the smallest integer type that holds them. */
function number({ type, data }: Element): Field {
  const readers: Record<number, () => number> = {
    1: () => data.readInt8(),
    2: () => data.readUInt8(),
    3: () => data.readInt16LE(),
    4: () => data.readUInt16LE(),
    5: () => data.readInt32LE(),
    6: () => data.readUInt32LE(),
    7: () => data.readFloatLE(),
    9: () => data.readDoubleLE(),
  }
  return data.length === 0 ? null : (readers[type]?.() ?? null)
}

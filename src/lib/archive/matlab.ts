// Just enough of MATLAB's level 5 format for ImageNet's `meta.mat`: arrays of structs whose fields are numbers or text.
// An element is a tag (type, length) and its data, padded to 8 bytes; up to 4 bytes of data fit into the tag itself.
import { inflateSync } from 'node:zlib'
import { GeogapError } from '../errors.ts'

const compressedType = 15
const matrixType = 14
const matrixClasses = { struct: 2, char: 4 }
const maxUnpacked = 1 << 26

interface MatlabElement {
  type: number
  data: Buffer
  next: number
}

type MatlabValue = number | string | null

/** The structs of the first struct array in a file, a record each; nested arrays are null. */
export function matlabStructs(file: Buffer): Record<string, MatlabValue>[] {
  if (file.toString('latin1', 126, 128) !== 'IM')
    throw matlabError('not a little-endian MATLAB 5 file')
  try {
    for (let at = 128; at < file.length;) {
      const { type, data, next } = readElement(file, at)
      const inner =
        type === compressedType
          ? readElement(inflateSync(data, { maxOutputLength: maxUnpacked }), 0)
          : { type, data }
      const structs = inner.type === matrixType ? readStructArray(inner.data) : undefined
      if (structs) return structs
      at = type === compressedType ? at + 8 + data.length : next
    }
  } catch (error) {
    throw error instanceof GeogapError ? error : matlabError(String(error))
  }
  throw matlabError('no array of structs')
}

const matlabError = (why: string): GeogapError =>
  new GeogapError('data', 'unreadable-file', `unreadable MATLAB file: ${why}`)

function readElement(buffer: Buffer, at: number): MatlabElement {
  const first = buffer.readUInt32LE(at)
  const small = first >>> 16
  const length = small === 0 ? buffer.readUInt32LE(at + 4) : small
  const start = small === 0 ? at + 8 : at + 4
  if (start + length > buffer.length) throw matlabError('an element is cut off')
  const next = small === 0 ? start + Math.ceil(length / 8) * 8 : at + 8
  return {
    type: small === 0 ? first : first & 0xffff,
    data: buffer.subarray(start, start + length),
    next,
  }
}

/** Elements of a matrix in their order: flags, dimensions, name, and what its class has. */
function* readElements(data: Buffer): Generator<MatlabElement> {
  for (let at = 0; at + 8 <= data.length;) {
    const found = readElement(data, at)
    yield found
    at = found.next
  }
}

const matrixClass = (flags: MatlabElement): number => flags.data[0]!

function readStructArray(data: Buffer): Record<string, MatlabValue>[] | undefined {
  const [flags, dimensions, , width, names, ...fields] = readElements(data)
  if (!flags || matrixClass(flags) !== matrixClasses.struct || !dimensions || !width || !names)
    return undefined
  const size = width.data.readInt32LE(0)
  const keys = Array.from({ length: names.data.length / size }, (_, i) =>
    names.data.toString('latin1', i * size, (i + 1) * size).replace(/\0.*$/s, ''),
  )
  const count = fields.length / keys.length
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(keys.map((key, j) => [key, fieldValue(fields[i * keys.length + j]!)])),
  )
}

function fieldValue({ type, data }: MatlabElement): MatlabValue {
  if (type !== matrixType) return null
  const [flags, , , values] = readElements(data)
  if (!flags || !values) return null
  return matrixClass(flags) === matrixClasses.char ? decodeCharacters(values) : readNumber(values)
}

const decodeCharacters = ({ type, data }: MatlabElement): string =>
  data.toString(type === 4 || type === 17 ? 'utf16le' : 'utf8')

/** The first number; MATLAB stores whole doubles in the smallest integer type that holds them. */
function readNumber({ type, data }: MatlabElement): MatlabValue {
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

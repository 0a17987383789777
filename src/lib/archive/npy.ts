/** Returns the header of a `.npy` file (format 1 to 3) and the offset of its values; undefined for any other file. */
export function npyHeader(head: Buffer): { text: string; end: number } | undefined {
  if (head.length < 12 || head.toString('latin1', 0, 6) !== '\x93NUMPY') return undefined
  const start = head[6]! >= 2 ? 12 : 10
  const end = start + (start === 12 ? head.readUInt32LE(8) : head.readUInt16LE(8))
  return { text: head.toString('latin1', start, end), end }
}

/**
 * Returns the values of a small `.npy` array of integers, floats, booleans or text, flattened; none for other types, as pickled
 * objects are never read.
 */
export function npyValues(file: Buffer): (number | string)[] {
  const header = npyHeader(file)
  if (!header) return []
  const [, order = '', kind = '', size = ''] =
    /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(header.text) ?? []
  const width = kind === 'U' ? Number(size) * 4 : Number(size)
  if (order === '>' || (kind === 'U' ? width === 0 : !byteWidths[kind]?.includes(width))) return []
  const values: (number | string)[] = []
  for (let at = header.end; at + width <= file.length; at += width)
    values.push(readValue(file.subarray(at, at + width), kind))
  return values
}

/** Sizes in bytes of the kinds of numbers that are read. */
const byteWidths: Readonly<Record<string, readonly number[]>> = {
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  f: [4, 8],
  b: [1],
}

function readValue(cell: Buffer, kind: string): number | string {
  const width = cell.length
  if (kind === 'U') return readText(cell)
  if (kind === 'f') return width === 4 ? cell.readFloatLE() : cell.readDoubleLE()
  if (width === 8) return Number(kind === 'i' ? cell.readBigInt64LE() : cell.readBigUInt64LE())
  return kind === 'i' ? cell.readIntLE(0, width) : cell.readUIntLE(0, width)
}

const lastCodePoint = 0x10ffff

/** Reads text of four bytes a character, padded with zeros. */
function readText(cell: Buffer): string {
  const points = Array.from({ length: cell.length / 4 }, (_, i) => cell.readUInt32LE(i * 4))
  return String.fromCodePoint(
    ...points.filter(point => point !== 0).map(point => Math.min(point, lastCodePoint)),
  )
}

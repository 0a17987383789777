/** The text of a `.npy` file's header (NumPy's format 1 to 3) and where its values begin; undefined for another file. */
export function npyHeader(head: Buffer): { text: string; end: number } | undefined {
  if (head.length < 12 || head.toString('latin1', 0, 6) !== '\x93NUMPY') return undefined
  const start = head[6]! >= 2 ? 12 : 10
  const end = start + (start === 12 ? head.readUInt32LE(8) : head.readUInt16LE(8))
  return { text: head.toString('latin1', start, end), end }
}

/**
 * The values of a small `.npy` array of integers, floats, booleans or text, flattened; empty for
 * other types (pickled objects are never read).
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
    values.push(readValue(file, kind, width, at))
  return values
}

/** Bytes of the numbers that are read. */
const byteWidths: Readonly<Record<string, readonly number[]>> = {
  i: [1, 2, 4, 8],
  u: [1, 2, 4, 8],
  f: [4, 8],
  b: [1],
}

function readValue(file: Buffer, kind: string, width: number, at: number): number | string {
  if (kind === 'U') return codePoints(file, at, width)
  if (kind === 'f') return width === 4 ? file.readFloatLE(at) : file.readDoubleLE(at)
  if (width === 8) return Number(kind === 'i' ? file.readBigInt64LE(at) : file.readBigUInt64LE(at))
  return kind === 'i' ? file.readIntLE(at, width) : file.readUIntLE(at, width)
}

const lastCodePoint = 0x10ffff

function codePoints(file: Buffer, at: number, width: number): string {
  const points = Array.from({ length: width / 4 }, (_, i) => file.readUInt32LE(at + i * 4))
  return points
    .map(point => (point === 0 ? '' : String.fromCodePoint(Math.min(point, lastCodePoint))))
    .join('')
}

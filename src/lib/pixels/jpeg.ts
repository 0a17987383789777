/*
 * Parses the headers of a plain JPEG file: one sequential Huffman-coded scan of 8-bit samples, gray or YCbCr with chroma at
 * full or half resolution, as nearly every photograph is. Other files are left to libvips.
 */

export interface JpegComponent {
  /** Blocks across and down in an MCU. */
  wide: number
  tall: number
  /** Indices of the quantization table and of the Huffman tables of DC and AC coefficients. */
  quantization: number
  dc: number
  ac: number
}

export interface JpegLayout {
  width: number
  height: number
  components: JpegComponent[]
  /** Quantization steps of 64 coefficients in natural order. */
  quantization: Map<number, Int16Array>
  /** 16 numbers of codes per length, then the symbols; 0 to 3 for DC coefficients, 4 to 7 for AC. */
  huffman: Map<number, Uint8Array>
  /** MCUs between restart markers; 0 without any. */
  restart: number
  /** The entropy-coded data and the markers after them. */
  coded: Uint8Array
}

interface JpegHeaders extends Omit<JpegLayout, 'coded'> {
  ids: number[]
  /** Whether the file states that it is YCbCr; undefined if it states neither. */
  isYcc?: boolean
}

/** Reads a segment into the headers. Returns false if the file is not a plain one. */
type SegmentReader = (headers: JpegHeaders, part: Uint8Array) => boolean

/** Returns the layout of a plain JPEG file; undefined for any other file. */
export function parseJpegLayout(bytes: Uint8Array): JpegLayout | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined
  const headers: JpegHeaders = {
    width: 0,
    height: 0,
    components: [],
    ids: [],
    restart: 0,
    quantization: new Map(),
    huffman: new Map(),
  }
  let at = 2
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at += 1
      continue
    }
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
    if (end > bytes.length || end < at + 4) return undefined
    const read = segmentReaders[marker] ?? (isMetadataMarker(marker) ? skipSegment : undefined)
    if (!read?.(headers, bytes.subarray(at + 4, end))) return undefined
    at = end
    if (marker === 0xda)
      return isDecodable(headers) ? { ...headers, coded: bytes.subarray(at) } : undefined
  }
  return undefined
}

/** Whether a segment holds application data or a comment. */
const isMetadataMarker = (marker: number): boolean =>
  (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe
const skipSegment: SegmentReader = () => true

const segmentReaders: Readonly<Record<number, SegmentReader>> = {
  0xc0: readFrame,
  0xc1: readFrame,
  0xc4: readHuffman,
  0xda: readScan,
  0xdb: readQuantization,
  0xdd: (headers, part) => {
    headers.restart = (part[0]! << 8) | part[1]!
    return part.length === 2
  },
  0xe0: (headers, part) => {
    if (startsWith(part, 'JFIF\0')) headers.isYcc = true
    return true
  },
  0xee: (headers, part) => {
    if (startsWith(part, 'Adobe') && part.length >= 12) headers.isYcc ??= part[11] === 1
    return true
  },
}

const startsWith = (part: Uint8Array, text: string): boolean =>
  Buffer.from(part.subarray(0, text.length)).toString('latin1') === text

function readFrame(headers: JpegHeaders, part: Uint8Array): boolean {
  const count = part[5]!
  if (part[0] !== 8 || headers.components.length > 0 || part.length !== 6 + 3 * count) return false
  headers.height = (part[1]! << 8) | part[2]!
  headers.width = (part[3]! << 8) | part[4]!
  for (let i = 6; i < part.length; i += 3) {
    // The sampling of a single component has no meaning.
    const sampling = count === 1 ? 0x11 : part[i + 1]!
    headers.ids.push(part[i]!)
    headers.components.push({
      wide: sampling >> 4,
      tall: sampling & 15,
      quantization: part[i + 2]!,
      dc: -1,
      ac: -1,
    })
  }
  return true
}

function readHuffman({ huffman }: JpegHeaders, part: Uint8Array): boolean {
  let at = 0
  while (at + 17 <= part.length) {
    const kind = part[at]! >> 4
    const index = part[at]! & 15
    const count = part.subarray(at + 1, at + 17).reduce((sum, codes) => sum + codes, 0)
    const end = at + 17 + count
    if (kind > 1 || index > 3 || count > 256 || end > part.length) return false
    huffman.set(4 * kind + index, part.subarray(at + 1, end))
    at = end
  }
  return at === part.length
}

// prettier-ignore
const zigzagOrder = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]

function readQuantization({ quantization }: JpegHeaders, part: Uint8Array): boolean {
  if (part.length % 65 !== 0) return false
  for (let at = 0; at < part.length; at += 65) {
    if (part[at]! > 3) return false
    const steps = new Int16Array(64)
    for (const [k, place] of zigzagOrder.entries()) steps[place] = part[at + 1 + k]!
    quantization.set(part[at]!, steps)
  }
  return true
}

/** Reads the header of a scan, which must hold all components in the frame's order and all their coefficients. */
function readScan({ components, ids }: JpegHeaders, part: Uint8Array): boolean {
  const count = part[0]!
  if (count !== components.length || part.length !== 4 + 2 * count) return false
  for (const [i, component] of components.entries()) {
    if (part[1 + 2 * i] !== ids[i]) return false
    const tables = part[2 + 2 * i]!
    component.dc = tables >> 4
    component.ac = 4 + (tables & 15)
  }
  return part[1 + 2 * count] === 0 && part[2 + 2 * count] === 63 && part[3 + 2 * count] === 0
}

function isDecodable(headers: JpegHeaders): boolean {
  const { width, height, components, quantization, huffman, ids, isYcc } = headers
  const [luma, ...chroma] = components
  if (!luma || Math.min(width, height) < 16 || (chroma.length !== 0 && chroma.length !== 2))
    return false
  if (chroma.length === 2 && !(isYcc ?? ids.join() === '1,2,3')) return false
  return (
    [luma.wide, luma.tall].every(blocks => blocks === 1 || blocks === 2) &&
    chroma.every(({ wide, tall }) => wide === 1 && tall === 1) &&
    components.every(
      ({ quantization: q, dc, ac }) => quantization.has(q) && huffman.has(dc) && huffman.has(ac),
    )
  )
}

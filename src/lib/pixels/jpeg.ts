/*
 * Parses the headers of a plain JPEG file: one sequential Huffman-coded scan or progressive ones of 8-bit samples, gray or YCbCr with
 * chroma at full or half resolution, as nearly every photograph is. Other files are left to libvips.
 */

export interface JpegComponent {
  /** Blocks across and down in an MCU. */
  wide: number
  tall: number
  /** Index of the quantization table. */
  quantization: number
}

/** A component in a scan: its position in the frame, and the indices of its Huffman tables of DC and AC coefficients. */
interface ScanPart {
  component: number
  dc: number
  ac: number
}

export interface JpegScan {
  parts: ScanPart[]
  /** First and last coefficient in zigzag order. */
  first: number
  last: number
  /** A progressive scan's bits of them: from below 2^high, or from the sign if that is 0, to 2^low. */
  high: number
  low: number
  /** 16 numbers of codes per length, then the symbols; 0 to 3 for DC coefficients, 4 to 7 for AC. */
  huffman: ReadonlyMap<number, Uint8Array>
  /** MCUs between restart markers; 0 without any. */
  restart: number
}

export interface JpegLayout {
  width: number
  height: number
  components: JpegComponent[]
  /** Quantization steps of 64 coefficients in natural order. */
  quantization: Map<number, Int16Array>
  isProgressive: boolean
  /** Identifiers of the components. */
  ids: number[]
  scan: JpegScan
  /** The scan's entropy-coded data and all that comes after them. */
  coded: Uint8Array
}

interface JpegHeaders extends Omit<JpegLayout, 'coded' | 'scan'> {
  huffman: Map<number, Uint8Array>
  restart: number
  scan?: JpegScan
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
    isProgressive: false,
    restart: 0,
    quantization: new Map(),
    huffman: new Map(),
  }
  const at = readToScan(headers, { bytes, at: 2, readers: segmentReaders })
  return at !== undefined && isDecodable(headers)
    ? { ...headers, coded: bytes.subarray(at) }
    : undefined
}

/** Returns the layout with the scan after the marker at `end` of the data; undefined if more than tables lies between them. */
export function layoutOfNextScan(layout: JpegLayout, end: number): JpegLayout | undefined {
  const { coded, scan, ...rest } = layout
  const headers: JpegHeaders = {
    ...rest,
    huffman: new Map(scan.huffman),
    restart: scan.restart,
  }
  const at = readToScan(headers, { bytes: coded, at: end, readers: readersBetweenScans })
  return at !== undefined && headers.scan
    ? { ...rest, scan: headers.scan, coded: coded.subarray(at) }
    : undefined
}

interface SegmentSource {
  bytes: Uint8Array
  at: number
  readers: Readonly<Record<number, SegmentReader>>
}

/** Reads the segments up to the header of a scan. Returns where its data begin; undefined if the file is not a plain one. */
function readToScan(headers: JpegHeaders, source: SegmentSource): number | undefined {
  const { bytes, readers } = source
  let { at } = source
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at += 1
      continue
    }
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
    if (end > bytes.length || end < at + 4) return undefined
    if (!readers[marker]?.(headers, bytes.subarray(at + 4, end))) return undefined
    at = end
    if (marker === 0xda) return at
  }
  return undefined
}

const skipSegment: SegmentReader = () => true

const readersBetweenScans: Readonly<Record<number, SegmentReader>> = {
  0xc4: readHuffman,
  0xda: readScan,
  0xdd: (headers, part) => {
    headers.restart = (part[0]! << 8) | part[1]!
    return part.length === 2
  },
  0xfe: skipSegment,
}

const segmentReaders: Readonly<Record<number, SegmentReader>> = {
  // Application data.
  ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [0xe0 + i, skipSegment])),
  ...readersBetweenScans,
  0xc0: readFrame,
  0xc1: readFrame,
  0xc2: (headers, part) => {
    headers.isProgressive = true
    return readFrame(headers, part)
  },
  0xdb: readQuantization,
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
    const stated = part[i + 1]!
    if (stated >> 4 < 1 || stated >> 4 > 4 || (stated & 15) < 1 || (stated & 15) > 4) return false
    // The sampling of a single component has no meaning.
    const sampling = count === 1 ? 0x11 : stated
    headers.ids.push(part[i]!)
    headers.components.push({
      wide: sampling >> 4,
      tall: sampling & 15,
      quantization: part[i + 2]!,
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

/** Reads the header of a scan, whose components must have the frame's order. */
function readScan(headers: JpegHeaders, part: Uint8Array): boolean {
  const count = part[0]!
  if (count === 0 || part.length !== 4 + 2 * count) return false
  const parts = Array.from({ length: count }, (_, i) => {
    const tables = part[2 + 2 * i]!
    return {
      component: headers.ids.indexOf(part[1 + 2 * i]!),
      dc: tables >> 4,
      ac: 4 + (tables & 15),
    }
  })
  const [first, last, bits] = part.subarray(1 + 2 * count)
  headers.scan = {
    parts,
    first: first!,
    last: last!,
    high: bits! >> 4,
    low: bits! & 15,
    huffman: headers.huffman,
    restart: headers.restart,
  }
  return parts.every(({ component }, i) => component > (parts[i - 1]?.component ?? -1))
}

function isDecodable(headers: JpegHeaders): headers is JpegHeaders & { scan: JpegScan } {
  const { width, height, components, quantization, isProgressive, scan, ids, isYcc } = headers
  const [luma, ...chroma] = components
  if (!luma || Math.min(width, height) < 16 || (chroma.length !== 0 && chroma.length !== 2))
    return false
  if (chroma.length === 2 && !(isYcc ?? ids.join() === '1,2,3')) return false
  return (
    [luma.wide, luma.tall].every(blocks => blocks === 1 || blocks === 2) &&
    chroma.every(({ wide, tall }) => wide === 1 && tall === 1) &&
    components.every(({ quantization: index }) => quantization.has(index)) &&
    scan !== undefined &&
    (isProgressive || isWhole(scan, components.length))
  )
}

/** Whether a scan has all bits of all coefficients of so many components. */
const isWhole = ({ parts, first, last, high, low }: JpegScan, components: number): boolean =>
  parts.length === components && first === 0 && last === 63 && high === 0 && low === 0

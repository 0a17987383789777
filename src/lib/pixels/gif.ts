/*
 * Decodes the first frame of a GIF file as Pillow does: a frame that is smaller than the screen lies on the transparent colour
 * or on colour 0, and transparent pixels have the colour of the palette.
 */
import { checkImageSize, imageError, type Pixels } from './image.ts'

interface GifFrame {
  width: number
  height: number
  left: number
  top: number
  isInterlaced: boolean
  palette: Uint8Array
  transparent: number
  /** Bits of the first codes less one, and the coded data. */
  codeSize: number
  codes: Uint8Array
}

/** Decodes the first frame to RGB. Errors: `truncated`, `corrupt`, `too-large`. */
export function decodeGif(bytes: Uint8Array): Pixels {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const frame = readFrame(file)
    const width = Math.max(file.readUInt16LE(6), frame.left + frame.width)
    const height = Math.max(file.readUInt16LE(8), frame.top + frame.height)
    checkImageSize(width, height)
    const colors = new Uint8Array(width * height).fill(Math.max(0, frame.transparent))
    const coded = decodeCodes(frame)
    for (const [i, row] of rowOrder(frame).entries())
      colors.set(
        coded.subarray(i * frame.width, (i + 1) * frame.width),
        (frame.top + row) * width + frame.left,
      )
    const data = new Uint8Array(3 * colors.length)
    for (let i = 0; i < colors.length; i++) {
      const color = 3 * colors[i]!
      data[3 * i] = frame.palette[color]!
      data[3 * i + 1] = frame.palette[color + 1]!
      data[3 * i + 2] = frame.palette[color + 2]!
    }
    return { width, height, data }
  } catch (error) {
    if (error instanceof RangeError) throw truncatedError(error)
    throw error
  }
}

const truncatedError = (cause?: unknown) =>
  imageError('truncated', 'the GIF ends before its first frame is complete', cause)

/** Reads the blocks up to the first frame. */
function readFrame(file: Buffer): GifFrame {
  const grays = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))
  const flags = file.readUInt8(10)
  const withColors = (at: number, flags: number): Uint8Array => {
    const palette = grays.slice()
    palette.set(file.subarray(at, at + colorBytes(flags)))
    return palette
  }
  const shared = flags & 0x80 ? withColors(13, flags) : grays
  let transparent = -1
  let at = 13 + colorBytes(flags)
  for (;;) {
    const kind = file.readUInt8(at)
    if (kind === 0x2c) break
    if (kind === 0x3b) throw truncatedError()
    if (kind === 0x21) {
      const isControl = file.readUInt8(at + 1) === 0xf9 && file.readUInt8(at + 2) >= 4
      if (isControl && file.readUInt8(at + 3) & 1) transparent = file.readUInt8(at + 6)
      at = readSubBlocks(file, at + 2).end
    } else at++
  }
  const local = file.readUInt8(at + 9)
  const data = at + 10 + colorBytes(local)
  return {
    left: file.readUInt16LE(at + 1),
    top: file.readUInt16LE(at + 3),
    width: file.readUInt16LE(at + 5),
    height: file.readUInt16LE(at + 7),
    isInterlaced: (local & 0x40) !== 0,
    palette: local & 0x80 ? withColors(at + 10, local) : shared,
    transparent,
    codeSize: file.readUInt8(data),
    codes: readSubBlocks(file, data + 1).bytes,
  }
}

const colorBytes = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0)

/** Joins the sub-blocks at `at`; a file that ends among them gives those that it has. */
function readSubBlocks(file: Buffer, at: number): { bytes: Buffer; end: number } {
  const blocks: Buffer[] = []
  let end = at
  while (end < file.length && file[end] !== 0) {
    blocks.push(file.subarray(end + 1, end + 1 + file[end]!))
    end += 1 + file[end]!
  }
  return { bytes: Buffer.concat(blocks), end: end + 1 }
}

/** Returns the rows in the order in which they are coded. */
function rowOrder({ height, isInterlaced }: GifFrame): number[] {
  const passes = isInterlaced ? [0, 8, 4, 8, 2, 4, 1, 2] : [0, 1]
  const rows: number[] = []
  for (let i = 0; i < passes.length; i += 2)
    for (let row = passes[i]!; row < height; row += passes[i + 1]!) rows.push(row)
  return rows
}

const maxCodes = 4096

/** Decodes the colours of a frame (LZW with codes of up to 12 bits, the lowest bit first). */
function decodeCodes({ width, height, codeSize, codes }: GifFrame): Uint8Array {
  if (codeSize < 1 || codeSize > 8) throw imageError('corrupt', `GIF codes of ${codeSize} bits`)
  const colors = new Uint8Array(width * height)
  const clear = 1 << codeSize
  // Each code is a previous code and one colour more.
  const prefix = new Int16Array(maxCodes)
  const suffix = new Uint8Array(maxCodes)
  const length = new Uint16Array(maxCodes)
  for (let code = 0; code < clear; code++) {
    suffix[code] = code
    length[code] = 1
  }
  let next = clear + 2
  let bits = codeSize + 1
  let previous = -1
  let buffer = 0
  let buffered = 0
  let filled = 0
  for (let at = 0; filled < colors.length;) {
    while (buffered < bits) {
      if (at === codes.length) throw truncatedError()
      buffer |= codes[at++]! << buffered
      buffered += 8
    }
    const code = buffer & ((1 << bits) - 1)
    buffer >>= bits
    buffered -= bits
    if (code === clear) {
      next = clear + 2
      bits = codeSize + 1
      previous = -1
      continue
    }
    if (code === clear + 1) throw truncatedError()
    if (code > next || (code >= clear + 2 && previous < 0) || (code === next && next === maxCodes))
      throw imageError('corrupt', `GIF code ${code} is not defined`)
    if (previous >= 0 && next < maxCodes) {
      let first = code === next ? previous : code
      while (length[first]! > 1) first = prefix[first]!
      prefix[next] = previous
      suffix[next] = suffix[first]!
      length[next] = length[previous]! + 1
      next++
      if (next === 1 << bits && bits < 12) bits++
    }
    const end = filled + length[code]!
    for (let at = end - 1, c = code; at >= filled; at--, c = prefix[c]!)
      if (at < colors.length) colors[at] = suffix[c]!
    filled = end
    previous = code
  }
  return colors
}

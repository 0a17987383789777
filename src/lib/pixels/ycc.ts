/**
 * Converts planes of luma and chroma to RGB as libavif and libyuv do for Pillow, to the bit: chroma is interpolated linearly
 * between its samples, which lie in the middle of their pixels, and the matrix has fixed-point coefficients of 6 bits.
 */
import { imageError, type Pixels } from './image.ts'

/** How the colours of an AV1 image are coded. Matrix and primaries are numbers of ITU-T H.273. */
export interface YccFormat {
  /** 8, 10 or 12 bits. */
  depth: number
  isMonochrome: boolean
  /** 1 where two columns (rows) of pixels share their chroma, otherwise 0. */
  shiftX: number
  shiftY: number
  primaries: number
  matrix: number
  isFullRange: boolean
  hasAlpha: boolean
}

/** Reads the colours that the first sequence header of AV1 data states. Errors: `corrupt`. */
export function readSequenceHeader(data: Buffer): Omit<YccFormat, 'hasAlpha'> {
  for (let at = 0; at < data.length;) {
    const head = data[at++]!
    if (head & 4) at++
    let size = data.length - at
    if (head & 2) {
      size = 0
      for (let shift = 0; shift < 56; shift += 7) {
        const byte = data.readUInt8(at++)
        size += (byte & 127) * 2 ** shift
        if (byte < 128) break
      }
    }
    if (((head >> 3) & 15) === 1) return readColorConfig(bitsOf(data.subarray(at, at + size)))
    at += size
  }
  throw imageError('corrupt', 'AVIF: the AV1 data has no sequence header')
}

type ReadBits = (count: number) => number

function bitsOf(bytes: Buffer): ReadBits {
  let at = 0
  return count => {
    let value = 0
    for (let i = 0; i < count; i++, at++)
      value = value * 2 + ((bytes.readUInt8(at >> 3) >> (7 - (at & 7))) & 1)
    return value
  }
}

function readColorConfig(read: ReadBits): Omit<YccFormat, 'hasAlpha'> {
  const profile = read(3)
  read(1)
  const isReduced = read(1) === 1
  if (isReduced) read(5)
  else skipOperatingPoints(read)
  const widthBits = read(4) + 1
  const heightBits = read(4) + 1
  read(widthBits)
  read(heightBits)
  if (!isReduced && read(1)) read(7)
  read(3)
  if (!isReduced) skipTools(read)
  read(3)
  const isHigh = read(1) === 1
  const depth = !isHigh ? 8 : profile === 2 && read(1) ? 12 : 10
  const isMonochrome = profile !== 1 && read(1) === 1
  const isStated = read(1) === 1
  const primaries = isStated ? read(8) : 2
  const transfer = isStated ? read(8) : 2
  const matrix = isStated ? read(8) : 2
  if (!isMonochrome && primaries === 1 && transfer === 13 && matrix === 0)
    return { depth, isMonochrome, shiftX: 0, shiftY: 0, primaries, matrix, isFullRange: true }
  const isFullRange = read(1) === 1
  const shiftX = isMonochrome || profile === 0 ? 1 : profile === 1 ? 0 : depth < 12 ? 1 : read(1)
  const shiftY = isMonochrome || profile === 0 ? 1 : depth === 12 && shiftX ? read(1) : 0
  return { depth, isMonochrome, shiftX, shiftY, primaries, matrix, isFullRange }
}

function skipOperatingPoints(read: ReadBits): void {
  let delayBits = 0
  if (read(1)) {
    read(64)
    if (read(1)) {
      let zeros = 0
      while (!read(1)) zeros++
      read(zeros)
    }
    if (read(1)) {
      delayBits = read(5) + 1
      read(42)
    }
  }
  const hasDisplayDelay = read(1) === 1
  for (let points = read(5) + 1; points > 0; points--) {
    read(12)
    if (read(5) > 7) read(1)
    if (delayBits > 0 && read(1)) read(2 * delayBits + 1)
    if (hasDisplayDelay && read(1)) read(4)
  }
}

function skipTools(read: ReadBits): void {
  read(4)
  const hasOrderHint = read(1) === 1
  if (hasOrderHint) read(2)
  const choosesScreenTools = read(1) === 1
  if ((choosesScreenTools || read(1)) && !read(1)) read(1)
  if (hasOrderHint) read(3)
}

/** Blue from Cb, green from Cb and Cr, red from Cr: 64 times the formula of H.273, Cb to blue at most 128. */
const matrices = {
  bt709: { full: [119, 12, 30, 101], limited: [128, 14, 34, 115] },
  bt601: { full: [113, 22, 46, 90], limited: [128, 25, 52, 102] },
  bt2020: { full: [120, 11, 37, 94], limited: [128, 12, 42, 107] },
} as const

const matrixNames = new Map<number, keyof typeof matrices>([
  [1, 'bt709'],
  [2, 'bt601'],
  [5, 'bt601'],
  [6, 'bt601'],
  [9, 'bt2020'],
])

/** Matrix 12 is that of the primaries. */
const primariesMatrices = new Map([
  [1, 1],
  [2, 1],
  [5, 6],
  [6, 6],
  [9, 9],
])

interface Planes extends Pick<Pixels, 'width' | 'height'> {
  /** [height, width, 3]: Cr, Y, Cb, with chroma repeated over the pixels that share it. */
  data: Uint8Array | Uint16Array
}

/** Converts planes to RGB of 8 bits. Errors: `unknown-format`. */
export function rgbOfYcc(planes: Planes, format: YccFormat): Pixels {
  const { width, height } = planes
  const { isMonochrome, hasAlpha, isFullRange } = format
  const stated = format.matrix === 12 ? primariesMatrices.get(format.primaries) : format.matrix
  const name = matrixNames.get(isMonochrome && stated === 0 ? 6 : (stated ?? -1))
  if (isMonochrome && hasAlpha && name)
    return { width, height, data: rgbOfLuma(planes, format.depth, lumaOf(isFullRange, name)) }
  if (isMonochrome || stated === 0) return { width, height, data: rgbOfLevels(planes.data, format) }
  if (name) return { width, height, data: withMatrix(planes, format, name) }
  const message = `AVIF with the matrix coefficients ${format.matrix} is not read; convert the image to PNG`
  throw imageError('unknown-format', message)
}

/** Scales gray or RGB to 8 bits. */
function rgbOfLevels(levels: Planes['data'], { depth, isFullRange }: YccFormat): Uint8Array {
  const unit = 2 ** (depth - 8)
  const black = isFullRange ? 0 : 16 * unit
  const range = isFullRange ? 256 * unit - 1 : 219 * unit
  return Uint8Array.from(levels, level => clamp(Math.floor(0.5 + ((level - black) / range) * 255)))
}

/** Gray beside alpha goes through the fixed-point arithmetic of colours. */
const rgbOfLuma = (
  { data }: Planes,
  depth: number,
  { scale, bias }: ReturnType<typeof lumaOf>,
): Uint8Array =>
  Uint8Array.from(data, y => clamp(((((y >> (depth - 8)) * 0x101 * scale) >>> 16) + bias) >> 6))

const clamp = (level: number): number => (level < 0 ? 0 : level > 255 ? 255 : level)

/** 64 times luma's factor, less the share that repeating its bits adds, and 64 times its offset with half a level. */
const lumaOf = (isFullRange: boolean, name: keyof typeof matrices) =>
  isFullRange
    ? { scale: 16_320, bias: 32 }
    : { scale: name === 'bt2020' ? 19_003 : 18_997, bias: -1160 }

function withMatrix(planes: Planes, format: YccFormat, name: keyof typeof matrices): Uint8Array {
  const { width, height, data } = planes
  const { depth, isFullRange, hasAlpha } = format
  // libyuv has functions for more than 8 bits only where there is alpha; that for 12 bits repeats the nearest chroma.
  const isNearest = depth === 12 && hasAlpha && format.shiftY === 1
  const dropped = (depth === 10 && hasAlpha) || isNearest ? 0 : depth - 8
  const { shiftX, shiftY } = isNearest ? { shiftX: 0, shiftY: 0 } : format
  const kept = depth - dropped
  const lumaBits = (y: number): number =>
    kept === 8 ? (y >> dropped) * 0x101 : (y << (16 - kept)) | (y >> (2 * kept - 16))
  const [toBlue, cbToGreen, crToGreen, toRed] = matrices[name][isFullRange ? 'full' : 'limited']
  const { scale, bias } = lumaOf(isFullRange, name)
  const rgb = new Uint8Array(data.length)
  const cb = new Int32Array(width)
  const cr = new Int32Array(width)
  for (let row = 0, at = 0; row < height; row++) {
    const other = shiftY ? (row & 1 ? row + 1 : row - 1) : row
    const far = other < 0 || other >= height ? row : other
    const rows = { shiftX, shiftY, near: row, far, dropped }
    interpolateRow(planes, { ...rows, channel: 2 }, cb)
    interpolateRow(planes, { ...rows, channel: 0 }, cr)
    for (let x = 0; x < width; x++, at += 3) {
      const luma = ((lumaBits(data[at + 1]!) * scale) >>> 16) + bias
      const u = (cb[x]! >> (kept - 8)) - 128
      const v = (cr[x]! >> (kept - 8)) - 128
      rgb[at] = clamp((luma + v * toRed) >> 6)
      rgb[at + 1] = clamp((luma - (u * cbToGreen + v * crToGreen)) >> 6)
      rgb[at + 2] = clamp((luma + u * toBlue) >> 6)
    }
  }
  return rgb
}

interface ChromaRows extends Pick<YccFormat, 'shiftX' | 'shiftY'> {
  near: number
  far: number
  channel: number
  /** Bits that are dropped before interpolation. */
  dropped: number
}

/** Interpolates a row of chroma: 9/16 of the nearest sample, 3/16 of its neighbours, 1/16 of the one across. */
function interpolateRow(
  { width, data }: Planes,
  { shiftX, shiftY, near, far, channel, dropped }: ChromaRows,
  to: Int32Array,
): void {
  const nearRow = near * width * 3 + channel
  const farRow = far * width * 3 + channel
  for (let x = 0; x < width; x++) {
    const a = data[nearRow + 3 * x]! >> dropped
    if (!shiftX) {
      to[x] = a
      continue
    }
    const other = x & 1 ? x + 1 : x - 1
    const beside = 3 * (other < 0 || x === width - 1 ? x : other)
    const b = data[nearRow + beside]! >> dropped
    if (!shiftY) to[x] = (3 * a + b + 2) >> 2
    else {
      const c = data[farRow + 3 * x]! >> dropped
      const d = data[farRow + beside]! >> dropped
      to[x] = (9 * a + 3 * (b + c) + d + 8) >> 4
    }
  }
}

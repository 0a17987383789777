import { inflateSync } from 'node:zlib'
import { crc32 } from '../archive/crc32.ts'
import { checkImageSize, imageError } from './image.ts'

/** Chunks of text, which may be compressed to a thousandth and which libvips unpacks whole; no pixel depends on them. */
const textChunks = new Set(['tEXt', 'zTXt', 'iTXt'])

const headerBytes = 8

/** A chunk: the bytes from `at` to `end` are its length, type, data and checksum. */
interface PngChunk {
  type: string
  at: number
  end: number
}

/** Yields the chunks of a file. The last one may end after the end of the file. */
function* chunksOf(file: Buffer): Generator<PngChunk> {
  for (let at = headerBytes; at + 12 <= file.length;) {
    const end = at + 12 + file.readUInt32BE(at)
    yield { type: file.toString('latin1', at + 4, at + 8), at, end }
    at = end
  }
}

const hasChecksum = (file: Buffer, { at, end }: PngChunk): boolean =>
  crc32(file.subarray(at + 4, end - 4)) === file.readUInt32BE(end - 4)

const isCritical = ({ type }: PngChunk): boolean => /^[A-Z][A-Za-z]{3}$/.test(type)

/**
 * Returns a PNG without its chunks of text. What follows a chunk that is cut off stays as it is.
 * @throws GeogapError `corrupt` if the checksum of a chunk that pixels depend on is wrong, which libvips ignores
 */
export function withoutTextChunks(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kept = [bytes.subarray(0, headerBytes)]
  let from = headerBytes
  for (const chunk of chunksOf(file)) {
    const { type, at, end } = chunk
    if (end > file.length || type === 'IEND') break
    if (textChunks.has(type)) {
      kept.push(bytes.subarray(from, at))
      from = end
    } else if (isCritical(chunk) && !hasChecksum(file, chunk))
      throw imageError('corrupt', `the checksum (CRC-32) of the PNG's chunk ${type} is wrong`)
  }
  return from === headerBytes ? bytes : Buffer.concat([...kept, bytes.subarray(from)])
}

const isChunkType = (type: string): boolean => /^[A-Za-z]{2}[A-Z][A-Za-z]$/.test(type)

/** A PNG of eight bits in red, green and blue, and alpha if there are four channels, in one pass. */
export interface PlainPng {
  width: number
  height: number
  channels: 3 | 4
  /** Returns the filtered rows, each with the byte of its filter before. Throws for data that are not as long as the rows. */
  inflate: () => Uint8Array
}

/**
 * Returns the layout of a plain PNG file; undefined for any other file and for a damaged one.
 * @throws GeogapError `too-large`
 */
export function parsePlainPng(bytes: Uint8Array): PlainPng | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length < plainStart.length + 17 || !file.subarray(0, 16).equals(plainStart)) return
  const width = file.readUInt32BE(16)
  const height = file.readUInt32BE(20)
  const channels = channelsOf[file.subarray(24, 29).toString('hex')]
  if (!channels || width === 0 || height === 0) return
  checkImageSize(width, height)
  const parts: Uint8Array[] = []
  let previous = ''
  for (const chunk of chunksOf(file)) {
    const { type, at, end } = chunk
    if (end > file.length || !isChunkType(type) || (at === headerBytes) !== (type === 'IHDR'))
      return
    if (isCritical(chunk) && !hasChecksum(file, chunk)) return
    if (type === 'IDAT' && (parts.length === 0 || previous === 'IDAT'))
      parts.push(file.subarray(at + 8, end - 4))
    else if (type === 'IEND')
      return {
        width,
        height,
        channels,
        inflate: () => inflate(parts, (1 + channels * width) * height),
      }
    else if (isCritical(chunk) && type !== 'IHDR') return
    previous = type
  }
  return
}

/** The signature, and the length and name of the header's chunk. */
const plainStart = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR', 'latin1')
/** By the bytes of the header that state depth, colours, compression, filters and interlacing. */
const channelsOf: Readonly<Record<string, 3 | 4>> = { '0802000000': 3, '0806000000': 4 }

function inflate(parts: readonly Uint8Array[], length: number): Uint8Array {
  const rows = inflateSync(Buffer.concat(parts), {
    chunkSize: length + 64,
    maxOutputLength: length,
  })
  if (rows.length !== length) throw new RangeError('the rows of the PNG are incomplete')
  return rows
}

/** Whether an error is zlib's, about data that cannot be unpacked or are too long. */
export const isInflateError = (error: unknown): boolean =>
  error instanceof Error &&
  /^(?:Z_|ERR_BUFFER_TOO_LARGE)/.test(String((error as NodeJS.ErrnoException).code))

import { inflateSync } from 'node:zlib'
import { crc32 } from '../archive/crc32.ts'
import { checkImageSize, imageError } from './image.ts'

/** Chunks of text, which may be compressed to a thousandth and which libvips unpacks whole; no pixel depends on them. */
const textChunks = new Set(['tEXt', 'zTXt', 'iTXt'])

const headerBytes = 8

/**
 * Returns a PNG without its chunks of text. What follows a chunk that is cut off stays as it is.
 * @throws GeogapError `corrupt` if the checksum of a chunk that pixels depend on is wrong, which libvips ignores
 */
export function withoutTextChunks(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kept = [bytes.subarray(0, headerBytes)]
  let from = headerBytes
  let at = from
  while (at + 12 <= bytes.length) {
    const end = at + 12 + view.getUint32(at)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (end > bytes.length || type === 'IEND') break
    if (textChunks.has(type)) {
      kept.push(bytes.subarray(from, at))
      from = end
    } else if (
      isCritical(type) &&
      crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)
    )
      throw imageError('corrupt', `the checksum (CRC-32) of the PNG's chunk ${type} is wrong`)
    at = end
  }
  return from === headerBytes ? bytes : Buffer.concat([...kept, bytes.subarray(from)])
}

const isChunkType = (type: string): boolean => /^[A-Za-z]{2}[A-Z][A-Za-z]$/.test(type)
const isCritical = (type: string): boolean => /^[A-Z][A-Za-z]{3}$/.test(type)

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
  for (let at = headerBytes; at + 12 <= file.length;) {
    const end = at + 12 + file.readUInt32BE(at)
    const type = file.toString('latin1', at + 4, at + 8)
    if (end > file.length || !isChunkType(type) || (at === headerBytes) !== (type === 'IHDR'))
      return
    if (isCritical(type) && crc32(file.subarray(at + 4, end - 4)) !== file.readUInt32BE(end - 4))
      return
    if (type === 'IDAT' && (parts.length === 0 || previous === 'IDAT'))
      parts.push(file.subarray(at + 8, end - 4))
    else if (type === 'IEND')
      return {
        width,
        height,
        channels,
        inflate: () => inflate(parts, (1 + channels * width) * height),
      }
    else if (isCritical(type) && type !== 'IHDR') return
    previous = type
    at = end
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

import { crc32 } from '../archive/crc32.ts'
import { imageError } from './image.ts'

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

const isCritical = (type: string): boolean => /^[A-Z][A-Za-z]{3}$/.test(type)

/** Reads HEIC, which libvips has no decoder for. */
import { firstLine } from '../errors.ts'
import { checkImageSize, imageError, type Pixels } from './image.ts'

/**
 * Decodes a HEIC file, as phones write them, by libheif in WebAssembly, which is loaded with the first one. Errors: `corrupt`,
 * `too-large`.
 */
export async function decodeHeic(bytes: Uint8Array): Promise<Pixels> {
  for (const { width, height } of statedSizes(bytes)) checkImageSize(width, height)
  const { default: decode } = await import('heic-decode')
  const decoding = withoutLibheifLines(() => decode({ buffer: bytes }))
  const { width, height, data } = await decoding.catch((error: unknown) => {
    throw imageError('corrupt', firstLine(error), error)
  })
  const rgb = new Uint8Array(3 * width * height)
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from]!
    rgb[to + 1] = data[from + 1]!
    rgb[to + 2] = data[from + 2]!
  }
  return { width, height, data: rgb }
}

/** Returns the sizes that the first 64 KB of a HEIF file state of its images and tiles. */
function statedSizes(bytes: Uint8Array): Pick<Pixels, 'width' | 'height'>[] {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1 << 16))
  const sizes: Pick<Pixels, 'width' | 'height'>[] = []
  for (let at = header.indexOf('ispe'); at >= 0; at = header.indexOf('ispe', at + 4))
    if (at + 16 <= header.length)
      sizes.push({ width: header.readUInt32BE(at + 8), height: header.readUInt32BE(at + 12) })
  return sizes
}

const libheifLines =
  /^(Decoding image failed|Could not (create|get|parse)|Error loading image ids|No images found)/
let decodings = 0
let restoreLog = (): void => undefined

/** Does `work` without the lines that libheif writes to standard output, which belongs to the command. */
async function withoutLibheifLines<T>(work: () => Promise<T>): Promise<T> {
  if (decodings++ === 0) {
    const { log } = console
    console.log = (...words: unknown[]) => {
      if (!libheifLines.test(String(words[0]))) log(...words)
    }
    restoreLog = () => void (console.log = log)
  }
  try {
    return await work()
  } finally {
    if (--decodings === 0) restoreLog()
  }
}

/** Reads what libvips leaves to be done of HEIF files: HEIC, which its build has no decoder for, and the orientation of AVIF. */
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
  const header = headerOf(bytes)
  const sizes: Pick<Pixels, 'width' | 'height'>[] = []
  for (let at = header.indexOf('ispe'); at >= 0; at = header.indexOf('ispe', at + 4))
    if (at + 16 <= header.length)
      sizes.push({ width: header.readUInt32BE(at + 8), height: header.readUInt32BE(at + 12) })
  return sizes
}

const headerOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1 << 16))

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

/** Undoes the rotation and mirroring that an AVIF file asks for: libheif applies them, and Pillow does not. */
export function undoAvifTransforms(bytes: Uint8Array, pixels: Pixels): Pixels {
  const header = headerOf(bytes)
  const valueOf = (box: string): number | undefined => {
    const at = header.indexOf(box)
    return at >= 4 && header.readUInt32BE(at - 4) === 9 ? header[at + 4] : undefined
  }
  const mirror = valueOf('imir')
  let result = pixels
  if (mirror !== undefined)
    result = remap(result, result, (x, y) =>
      mirror & 1 ? [result.width - 1 - x, y] : [x, result.height - 1 - y],
    )
  for (let turns = (valueOf('irot') ?? 0) & 3; turns > 0; turns--) result = rotate(result)
  return result
}

/** Rotates by 90° clockwise. */
const rotate = (pixels: Pixels): Pixels =>
  remap(pixels, { width: pixels.height, height: pixels.width }, (x, y) => [
    y,
    pixels.height - 1 - x,
  ])

/** Returns an image of another size whose pixel at (x, y) is that of `pixels` at `from(x, y)`. */
function remap(
  { width: line, data: source }: Pixels,
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  from: (x: number, y: number) => [number, number],
): Pixels {
  const data = new Uint8Array(3 * width * height)
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++, to += 3) {
      const [sx, sy] = from(x, y)
      const at = 3 * (sy * line + sx)
      data.set(source.subarray(at, at + 3), to)
    }
  return { width, height, data }
}

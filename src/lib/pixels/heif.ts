/** Reads what libvips leaves to be done of HEIF files: HEIC, which its build has no decoder for, and the orientation of AVIF. */
import { firstLine } from '../errors.ts'
import { imageError, type Pixels } from './image.ts'

/** Decodes a HEIC file, as phones write them, by libheif in WebAssembly, which is loaded with the first one. */
export async function decodeHeic(bytes: Uint8Array): Promise<Pixels> {
  const { default: decode } = await import('heic-decode')
  const { width, height, data } = await decode({ buffer: bytes }).catch((error: unknown) => {
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

/** Undoes the rotation and mirroring that an AVIF file asks for: libheif applies them, and Pillow does not. */
export function undoAvifTransforms(bytes: Uint8Array, pixels: Pixels): Pixels {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1 << 16))
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

/*
 * Image bytes to RGB pixels as Pillow's `convert('RGB')` gives them: no rotation by EXIF, no colour profile, alpha
 * dropped, CMYK by the plain formula. What cannot be decoded whole is an error, never a half-gray picture.
 */
import { firstLine, GeogapError } from '../errors.ts'

/** Decoded pixels: uint8 [height, width, 3]. */
export interface Pixels {
  width: number
  height: number
  data: Uint8Array
}

/** Why an image has no prediction; the value of `status` in its row. */
export type ImageErrorCode =
  | 'missing-file'
  | 'unreadable-file'
  | 'empty-file'
  | 'unknown-format'
  | 'truncated'
  | 'corrupt'
  | 'too-large'
  | 'too-small'

export const imageError = (code: ImageErrorCode, message: string, cause?: unknown): GeogapError =>
  new GeogapError('data', code, message, { cause })

/** Twice Pillow's warning limit, where Pillow refuses. */
const maxPixels = 178_956_970

export async function decodeImage(bytes: Uint8Array): Promise<Pixels> {
  if (bytes.length === 0) throw imageError('empty-file', 'the file is empty')
  const sharp = await libvips()
  if (isVector(bytes)) throw imageError('unknown-format', 'not a raster image')
  const cmyk = countJpegComponents(bytes) === 4
  const read = async (): Promise<Pixels> => {
    const image = sharp(bytes, {
      failOn: 'truncated',
      limitInputPixels: maxPixels,
      ignoreIcc: true,
      sequentialRead: true,
    })
    const pixels = cmyk
      ? image.pipelineColourspace('cmyk').toColourspace('cmyk')
      : image.removeAlpha().toColourspace('srgb')
    const { data, info } = await pixels.raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data: cmyk ? rgbOfCmyk(data) : data }
  }
  return runShared(read).catch(() =>
    runAlone(read).catch((error: unknown) => {
      throw decodeError(error)
    }),
  )
}

/*
 * libvips has one text of errors for all threads, so of images that fail side by side one may get the other's reason. One that
 * fails is therefore decoded once more while no other one is.
 */
const sharedRuns = new Set<Promise<unknown>>()
let lastAloneRun: Promise<unknown> = Promise.resolve()

function runShared<T>(work: () => Promise<T>): Promise<T> {
  const run = lastAloneRun.then(work)
  const settled: Promise<unknown> = run.then(
    () => sharedRuns.delete(settled),
    () => sharedRuns.delete(settled),
  )
  sharedRuns.add(settled)
  return run
}

function runAlone<T>(work: () => Promise<T>): Promise<T> {
  const run = Promise.all([lastAloneRun, ...sharedRuns]).then(work)
  lastAloneRun = run.catch(() => undefined)
  return run
}

/** Files are decoded side by side, each by one thread, and none is seen twice. */
async function libvips() {
  const { default: sharp } = await import('sharp')
  sharp.concurrency(1)
  sharp.cache(false)
  return sharp
}

function decodeError(cause: unknown): GeogapError {
  const message = firstLine(cause)
  if (/pixel limit/i.test(message))
    return imageError('too-large', `more than ${maxPixels} pixels`, cause)
  if (/unsupported image format/i.test(message))
    return imageError('unknown-format', 'not an image in a known format', cause)
  if (/premature end|truncated|out of data|not enough data|end of file/i.test(message))
    return imageError('truncated', message, cause)
  return imageError('corrupt', message, cause)
}

const isVector = (bytes: Uint8Array): boolean =>
  /^\s*(<\?xml|<svg|<!)/i.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1'))

/** Colour components that a JPEG's frame header declares, or undefined when it is no JPEG. */
function countJpegComponents(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined
  let at = 2
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!
    const isFrame =
      marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame) return bytes[at + 9]
    at += marker === 0xff ? 1 : 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
  }
  return undefined
}

/** Pillow's conversion: white minus black, less the ink's share of it, rounded. */
function rgbOfCmyk(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3)
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const light = 255 - cmyk[from + 3]!
    for (let ink = 0; ink < 3; ink++) {
      const product = cmyk[from + ink]! * light + 128
      rgb[to++] = light - ((product + (product >> 8)) >> 8)
    }
  }
  return rgb
}

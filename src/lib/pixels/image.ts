/** Decoded pixels, the reasons why an image has none, and the formats by their first bytes. */
import { type GeogapError, dataError } from '../errors.ts'

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
  dataError(code, message, cause)

/** Twice Pillow's warning limit; Pillow refuses larger images. */
export const maxPixels = 178_956_970

/** The longest side of a JPEG. PNG and TIFF allow more, and a row or column costs time of its own. */
const maxSidePx = 65_535

/** Refuses an image by its size before its pixels are decoded. Errors: `too-large`. */
export function checkImageSize(width: number, height: number): void {
  if (width * height > maxPixels)
    throw imageError('too-large', `${width} x ${height} pixels, more than ${maxPixels}`)
  if (Math.max(width, height) > maxSidePx)
    throw imageError('too-large', `${width} x ${height} pixels, a side has at most ${maxSidePx}`)
}

/** The formats that are read. HEIF is the container of AVIF and HEIC. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'heif'

/** First bytes as Latin-1 text. */
const formatPatterns: readonly (readonly [ImageFormat, RegExp])[] = [
  ['jpeg', /^\xff\xd8\xff/],
  ['png', /^\x89PNG\r\n\x1a\n/],
  ['webp', /^RIFF[^]{4}WEBP/],
  ['gif', /^GIF8[79]a/],
  ['tiff', /^(?:II[*+]\0|MM\0[*+])/],
  ['heif', /^[^]{4}ftyp(?:avi|hei|hev|mif|msf)/],
]

const refusedPatterns: readonly (readonly [string, RegExp])[] = [
  ['BMP', /^BM[^]{4}\0\0\0\0/],
  ['Netpbm (PPM, PGM, PBM)', /^P[1-7fF]\s/],
  ['JPEG 2000', /^(?:\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/],
  ['JPEG XL', /^(?:\xff\x0a|\0\0\0\x0cJXL )/],
  ['Photoshop', /^8BPS/],
  ['PDF', /^%PDF/],
  ['SVG', /^(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg|!doctype svg)/i],
]

/** Returns the format of an image. Errors: `unknown-format` with the name of a known format that is not read. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat {
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1')
  const format = formatPatterns.find(([, pattern]) => pattern.test(start))?.[0]
  if (format) return format
  const refused = refusedPatterns.find(([, pattern]) => pattern.test(start))?.[0]
  throw imageError(
    'unknown-format',
    refused === undefined
      ? 'not an image in a known format'
      : `${refused} is not read; convert the image to PNG, for example with: magick IMAGE IMAGE.png`,
  )
}

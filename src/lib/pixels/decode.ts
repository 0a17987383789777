/*
 * Decodes images to RGB pixels as Pillow's `convert('RGB')` does: no rotation by EXIF (but in TIFF files), no colour profile,
 * alpha dropped, CMYK by the plain formula. An image that cannot be decoded as a whole is an error.
 */
import { type Metadata, type Sharp } from 'sharp'
import { firstLine, GeogapError } from '../errors.ts'
import { decodeGif } from './gif.ts'
import {
  checkImageSize,
  imageError,
  type ImageFormat,
  imageFormatOf,
  maxPixels,
  type Pixels,
} from './image.ts'
import { readAvif } from './avif.ts'
import { decodeHeic } from './heif.ts'
import { withoutTextChunks } from './png.ts'
import { rgbOfYcc } from './ycc.ts'

/**
 * Decodes an image to RGB.
 * @throws GeogapError of kind `data` with an `ImageErrorCode`
 */
export async function decodeImage(bytes: Uint8Array): Promise<Pixels> {
  if (bytes.length === 0) throw imageError('empty-file', 'the file is empty')
  const format = imageFormatOf(bytes)
  if (format === 'gif') return decodeGif(bytes)
  const read = () => decodeByLibvips(bytes, format)
  const failed = (error: unknown): never => {
    throw error instanceof GeogapError ? error : decodeError(error)
  }
  return runShared(read).catch((error: unknown) =>
    error instanceof GeogapError ? failed(error) : runAlone(read).catch(failed),
  )
}

async function decodeByLibvips(file: Uint8Array, format: ImageFormat): Promise<Pixels> {
  if (format === 'heif' && hasAvifBrand(file)) return decodeAvif(file)
  const sharp = await libvips()
  const bytes = format === 'png' ? withoutTextChunks(file) : file
  const image = sharp(bytes, {
    // Otherwise, a strip of a TIFF that cannot be unpacked would be black.
    failOn: format === 'tiff' ? 'error' : 'truncated',
    limitInputPixels: maxPixels,
    ignoreIcc: true,
    sequentialRead: true,
  })
  const header = await image.metadata()
  if (header.format !== format)
    throw imageError('unknown-format', `the file is ${header.format}, not ${format}`)
  checkImageSize(header.width, header.height)
  if (header.compression === 'hevc') return decodeHeic(bytes)
  if (format === 'tiff') refuseTiffColors(bytes)
  if (format === 'jpeg' && header.channels === 2)
    throw imageError('unknown-format', 'JPEG of two components is not read')
  if (header.compression === 'av1') return decodeAvif(bytes)
  const isPlainGray = format === 'png' && bytes[25] === 0
  return readPixels(format === 'tiff' ? image.autoOrient() : image, header, isPlainGray)
}

const hasAvifBrand = (file: Uint8Array): boolean =>
  /^avi[fs]$/.test(Buffer.from(file.subarray(8, 12)).toString('latin1'))

/** Decodes the planes of an AVIF file by libvips and converts them as Pillow does. */
async function decodeAvif(bytes: Uint8Array): Promise<Pixels> {
  const sharp = await libvips()
  const { width, height, columns, tile, tiles, format } = readAvif(bytes)
  const isHigh = format.depth > 8
  const data = isHigh ? new Uint16Array(3 * width * height) : new Uint8Array(3 * width * height)
  for (const [i, makeFile] of tiles.entries()) {
    const image = sharp(makeFile(), { failOn: 'truncated', limitInputPixels: maxPixels })
    const pipeline = isHigh
      ? image.pipelineColourspace('rgb16').toColourspace('rgb16').raw({ depth: 'ushort' })
      : image.toColourspace('srgb').raw()
    const { data: raw, info } = await pipeline.toBuffer({ resolveWithObject: true })
    if (info.width !== tile.width || info.height !== tile.height || info.channels !== 3)
      throw imageError('corrupt', `AVIF: ${info.width} x ${info.height} pixels are not as stated`)
    const planes = isHigh ? new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2) : raw
    const left = (i % columns) * tile.width
    const top = Math.floor(i / columns) * tile.height
    const used = Math.min(tile.width, width - left)
    for (let row = 0; row < Math.min(tile.height, height - top); row++) {
      const from = 3 * row * tile.width
      data.set(planes.subarray(from, from + 3 * used), 3 * ((top + row) * width + left))
    }
  }
  if (isHigh) for (let i = 0; i < data.length; i++) data[i]! >>= 16 - format.depth
  return rgbOfYcc({ width, height, data }, format)
}

async function readPixels(
  image: Sharp,
  { space, channels, hasAlpha }: Metadata,
  isPlainGray: boolean,
): Promise<Pixels> {
  const readRaw = (pipeline: Sharp) => pipeline.raw().toBuffer({ resolveWithObject: true })
  if (space === 'cmyk') {
    const inks = image.pipelineColourspace('cmyk').toColourspace('cmyk')
    const { data, info } = await readRaw(inks)
    return { width: info.width, height: info.height, data: rgbOfCmyk(data, info.channels) }
  }
  // A PNG of plain gray gets its second channel from one transparent value.
  if (space === 'grey16' && (channels === 1 ? !hasAlpha : isPlainGray)) {
    const gray = image.extractChannel(0).pipelineColourspace('grey16').toColourspace('grey16')
    const { data, info } = await gray.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data: rgbOfGray16(data) }
  }
  const { data, info } = await readRaw(image.removeAlpha().toColourspace('srgb'))
  return { width: info.width, height: info.height, data }
}

/*
 * libvips has one text of errors for all threads, so of images that fail side by side one may get the other's reason. An image
 * that fails is therefore decoded once more while no other one is.
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

/** Loads libvips with one thread per image and without a cache, because no image is decoded twice. */
async function libvips() {
  const { default: sharp } = await import('sharp')
  sharp.concurrency(1)
  sharp.cache(false)
  return sharp
}

function decodeError(cause: unknown): GeogapError {
  const message = firstLine(cause)
  if (/pixel limit|maximum supported image dimension/i.test(message))
    return imageError('too-large', `more than ${maxPixels} pixels, or a side is too long`, cause)
  if (/labq/.test(message))
    return imageError('unknown-format', 'CIELAB colours are not read; convert to sRGB', cause)
  if (/unsupported image format/i.test(message))
    return imageError('unknown-format', 'not an image in a known format', cause)
  if (/premature end|truncated|out of data|not enough data|end of file/i.test(message))
    return imageError('truncated', message, cause)
  return imageError('corrupt', message, cause)
}

/** How strips and tiles of TIFF are compressed where libvips can unpack them; it makes other tiles black without an error. */
const tiffCompressions = [1, 2, 3, 4, 5, 6, 7, 8, 32_773, 32_946, 50_001]

/** Refuses TIFF files that libvips reads differently from Pillow, or that Pillow does not read. Errors: `unknown-format`. */
function refuseTiffColors(bytes: Uint8Array): void {
  const tag = (id: number, otherwise: number): number => readTiffTag(bytes, id) ?? otherwise
  const color = tag(262, 1)
  const bits = tag(258, 1)
  const compression = tag(259, 1)
  const sampleFormat = tag(339, 1)
  const isGray = tag(277, 1) === 1
  const refused = !tiffCompressions.includes(compression)
    ? `compression ${compression}`
    : color === 6 && compression !== 7
      ? 'YCbCr colours'
      : color === 0 && bits === 16
        ? '16 bits with white as 0'
        : (color === 5 && bits > 8) || (!isGray && bits > 16)
          ? `colours of ${bits} bits`
          : (sampleFormat !== 1 && !isGray) || ['2/8', '3/16'].includes(`${sampleFormat}/${bits}`)
            ? `${bits} bits of sample format ${sampleFormat}`
            : undefined
  if (refused !== undefined)
    throw imageError('unknown-format', `${refused} in TIFF is not read; convert the image to PNG`)
}

/** Returns the first value of a tag of the first directory as 16 bits; undefined if it is missing. */
function readTiffTag(bytes: Uint8Array, tag: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = bytes[0] === 0x49
  const isBig = view.getUint16(2, little) === 43
  const addressOf = (at: number): number =>
    isBig ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little)
  const [step, head, inline] = isBig ? [20, 8, 4] : [12, 2, 2]
  try {
    const at = addressOf(isBig ? 8 : 4)
    const count = isBig ? addressOf(at) : view.getUint16(at, little)
    for (let entry = at + head; entry < at + head + step * count; entry += step) {
      if (view.getUint16(entry, little) !== tag) continue
      const isInline = addressOf(entry + 4) <= inline
      const value = entry + (isBig ? 12 : 8)
      return view.getUint16(isInline ? value : addressOf(value), little)
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return undefined
}

/** Converts CMYK as Pillow does: white minus black, less the ink's share of it, rounded. */
function rgbOfCmyk(cmyk: Uint8Array, channels: number): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / channels) * 3)
  for (let from = 0, to = 0; from < cmyk.length; from += channels) {
    const light = 255 - cmyk[from + 3]!
    for (let ink = 0; ink < 3; ink++) {
      const product = cmyk[from + ink]! * light + 128
      rgb[to++] = light - ((product + (product >> 8)) >> 8)
    }
  }
  return rgb
}

/** Converts gray of 16 bits as Pillow does: values above 255 are white. */
function rgbOfGray16(gray: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((gray.length / 2) * 3)
  for (let i = 0; i < gray.length / 2; i++) {
    const value = gray[2 * i + 1] === 0 ? gray[2 * i]! : 255
    rgb.fill(value, 3 * i, 3 * i + 3)
  }
  return rgb
}

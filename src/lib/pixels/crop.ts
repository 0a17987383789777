/*
 * Image bytes to a uint8 crop, exactly as Pillow and torchvision make it. Plain JPEG and PNG files go through a WebAssembly module
 * (sources in assembly/), which makes only the pixels that the crop needs. Files that it does not know or finds damaged are decoded by
 * libvips, whose errors are reported. Both paths share the resampling.
 */
import { GeogapError } from '../errors.ts'
import { decodeImage } from './decode.ts'
import { type Pixels } from './image.ts'
import {
  type ResampleAxis,
  type CropGeometry,
  createGeometryOf,
  type GeometryOf,
} from './geometry.ts'
import { type JpegLayout, parseJpegLayout } from './jpeg.ts'
import { decodeScans } from './jpegScans.ts'
import {
  type AxisAddresses,
  createWorkspace,
  loadModule,
  maxSamples,
  type Workspace,
} from './pixelModule.ts'
import { isInflateError, parsePlainPng, type PlainPng } from './png.ts'
import { splitSteps, type PreprocessingStep } from './steps.ts'

/**
 * Decodes an image and returns its crop, uint8 [3, size, size], written to `to` if that is given.
 * @throws GeogapError of kind `data` with an `ImageErrorCode`
 */
export type Cropper = (bytes: Uint8Array, to?: Uint8Array) => Promise<Uint8Array>

/** Returns a function that makes crops by the steps before normalization. `clock` sums up the milliseconds of resizing. */
export async function createCropper(
  steps: readonly PreprocessingStep[],
  clock = { resizing: 0 },
): Promise<Cropper> {
  const module = await loadModule()
  const { size } = splitSteps(steps)
  const geometryOf = createGeometryOf(steps)
  return async (bytes, to = new Uint8Array(3 * size * size)) => {
    const crop =
      cropPlainFile(createWorkspace(module, clock), bytes, geometryOf) ??
      cropPixels(createWorkspace(module, clock), await decodeImage(bytes), geometryOf)
    to.set(crop)
    return to
  }
}

/** Returns the crop of a plain JPEG or PNG file, a view of the module's memory; undefined for other and damaged files. */
function cropPlainFile(
  work: Workspace,
  bytes: Uint8Array,
  geometryOf: GeometryOf,
): Uint8Array | undefined {
  try {
    const jpeg = parseJpegLayout(bytes)
    if (jpeg) return cropJpeg(work, jpeg, geometryOf(jpeg.height, jpeg.width))
    const png = parsePlainPng(bytes)
    return png && cropPng(work, png, geometryOf(png.height, png.width))
  } catch (error) {
    if (
      error instanceof GeogapError ||
      error instanceof WebAssembly.RuntimeError ||
      error instanceof RangeError ||
      isInflateError(error)
    )
      return
    throw error
  }
}

function cropJpeg(
  work: Workspace,
  layout: JpegLayout,
  geometry: CropGeometry,
): Uint8Array | undefined {
  const { module, take, write } = work
  const { components, width, height } = layout
  const { across, down } = geometry
  const { wide, tall } = components[0]!
  const columns = mcuRange(across, 8 * wide, width)
  const rows = mcuRange(down, 8 * tall, height)
  const mcus = (columns.end - columns.first) * (rows.end - rows.first)
  if (mcus * 64 * (wide * tall + 2) > maxSamples) return undefined
  const lineOf = (blocks: number): number => 8 * blocks * (columns.end - columns.first)
  for (const [i, part] of components.entries()) {
    const stride = lineOf(part.wide)
    const plane = take(stride * 8 * part.tall * (rows.end - rows.first))
    const fields = [part.wide, part.tall, part.quantization, 0, 0, plane, stride]
    write('components', fields, 32 * i)
  }
  const grid = [columns.total, rows.total, columns.first, columns.end, rows.first, rows.end]
  write('grid', grid)
  const chromaSize = [Math.ceil(width / wide), Math.ceil(height / tall)]
  write('chroma', [...chromaSize, 8 * columns.first, 8 * rows.first, wide, tall])
  if (!decodeScans(work, layout)) return undefined
  const left = 8 * wide * columns.first
  const top = 8 * tall * rows.first
  const line = lineOf(wide)
  const pixels = take(4 * line * (down.end - down.first))
  const scratch = take(4 * line + 32)
  module.pixelsOfPlanes(
    components.length,
    down.first - top,
    down.end - top,
    top,
    line,
    scratch,
    pixels,
  )
  return resampleCrop(work, geometry, { address: pixels + 4 * (across.first - left), line })
}

/** Returns the MCUs that hold the samples of an axis and the two neighbours on each side that interpolated chroma needs. */
const mcuRange = ({ first, end }: ResampleAxis, mcuSize: number, length: number) => {
  const total = Math.ceil(length / mcuSize)
  return {
    total,
    first: Math.max(0, Math.floor((first - 2) / mcuSize)),
    end: Math.min(total, Math.ceil((end + 2) / mcuSize)),
  }
}

/** Undoes the filters of the rows and columns that the crop needs and of all before them. */
function cropPng(work: Workspace, png: PlainPng, geometry: CropGeometry): Uint8Array | undefined {
  const { width, height, channels } = png
  if (width * height * channels > maxSamples) return undefined
  const { across, down } = geometry
  const line = across.end
  const from = work.put(png.inflate())
  const zeros = work.take(4 * line * (down.end + 1))
  new Uint8Array(work.module.memory.buffer, zeros, 4 * line).fill(0)
  const pixels = zeros + 4 * line
  if (!work.module.unfilter(from, 1 + channels * width, down.end, line, channels, pixels))
    return undefined
  const address = pixels + 4 * (line * down.first + across.first)
  return resampleCrop(work, geometry, { address, line })
}

function cropPixels(
  work: Workspace,
  { data, width, height }: Pixels,
  geometryOf: GeometryOf,
): Uint8Array {
  const geometry = geometryOf(height, width)
  const { across, down } = geometry
  const rows = data.subarray(3 * width * down.first, 3 * width * down.end)
  const from = work.put(rows) + 3 * across.first
  const line = across.end - across.first
  const count = down.end - down.first
  const address = work.take(4 * line * count)
  work.module.pixelsOfTriples(from, 3 * width, count, line, address)
  return resampleCrop(work, geometry, { address, line })
}

/** Decoded pixels of four bytes in the module's memory, from the first that the crop needs. */
interface SourcePixels {
  address: number
  /** Pixels from one row to the next. */
  line: number
}

/** Resizes the rows that the crop needs. Returns a view of the crop in the module's memory. */
function resampleCrop(
  { module, clock, take, put }: Workspace,
  { across, down, columnsFirst, size }: CropGeometry,
  { address, line }: SourcePixels,
): Uint8Array {
  const addresses = ({ bounds, weights, maxTaps }: ResampleAxis): AxisAddresses => [
    put(bounds),
    put(weights),
    maxTaps,
  ]
  const started = performance.now()
  const crop = take(4 * size * size)
  if (columnsFirst) {
    const between = take(4 * line * size)
    module.resizeColumns(address, ...addresses(down), line, size, between)
    module.resizeRows(between, 4 * line, size, ...addresses(across), size, crop)
  } else {
    const rows = down.end - down.first
    const between = take(4 * size * rows)
    module.resizeRows(address, 4 * line, rows, ...addresses(across), size, between)
    module.resizeColumns(between, ...addresses(down), size, size, crop)
  }
  const to = take(3 * size * size)
  module.separate(crop, size * size, to)
  clock.resizing += performance.now() - started
  return new Uint8Array(module.memory.buffer, to, 3 * size * size)
}

/*
 * Image bytes to a uint8 crop, exactly as Pillow and torchvision make it. Plain JPEG files go through the WebAssembly module
 * (sources in assembly/), which keeps only what the crop needs; whatever it does not know or finds out of order is decoded by
 * libvips, whose verdict counts. Both meet in the same resampling.
 */
import { readFile } from 'node:fs/promises'
import { GeogapError } from '../errors.ts'
import { decodeImage, type Pixels } from './decode.ts'
import { type ResampleAxis, type CropGeometry, cropGeometryOf } from './geometry.ts'
import { type JpegLayout, parseJpegLayout } from './jpeg.ts'
import { splitSteps, type PreprocessingStep } from './steps.ts'

/**
 * Encoded bytes to a crop uint8 [3, size, size], written to `to` where that is given.
 * @throws GeogapError of kind `data` with an `ImageErrorCode`
 */
export type Cropper = (bytes: Uint8Array, to?: Uint8Array) => Promise<Uint8Array>

/** Makes crops [3, size, size] by the steps before normalization; `clock` counts the milliseconds of resizing. */
export async function createCropper(
  steps: readonly PreprocessingStep[],
  clock = { resizing: 0 },
): Promise<Cropper> {
  const module = { ...(await loadModule()), clock }
  const { size } = splitSteps(steps)
  return async (bytes, to = new Uint8Array(3 * size * size)) => {
    to.set(
      cropPlainJpeg(module, bytes, steps) ?? cropPixels(module, await decodeImage(bytes), steps),
    )
    return to
  }
}

/** A view of the module's memory, good until its next call. Undefined when the file is not a plain JPEG in good order; then the general decoder says what is wrong. */
function cropPlainJpeg(
  module: PixelModule,
  bytes: Uint8Array,
  steps: readonly PreprocessingStep[],
): Uint8Array | undefined {
  const layout = parseJpegLayout(bytes)
  try {
    return (
      layout && cropJpeg(module, bytes, layout, cropGeometryOf(steps, layout.height, layout.width))
    )
  } catch (error) {
    if (
      error instanceof GeogapError ||
      error instanceof WebAssembly.RuntimeError ||
      error instanceof RangeError
    )
      return
    throw error
  }
}

/** What the module exports; places are addresses in its memory. */
interface PixelModule {
  clock: { resizing: number }
  memory: WebAssembly.Memory
  place: (which: number) => number
  unstuff: (from: number, length: number, to: number, ends: number, intervals: number) => number
  setTable: (index: number) => number
  scan: (components: number, data: number, ends: number, interval: number) => number
  pixelsOfPlanes: (
    ...of: [
      count: number,
      first: number,
      end: number,
      top: number,
      width: number,
      ...ScratchAndTarget,
    ]
  ) => void
  pixelsOfTriples: (from: number, stride: number, count: number, width: number, to: number) => void
  resizeRows: (
    row: number,
    stride: number,
    count: number,
    ...by: [...AxisAddresses, n: number, to: number]
  ) => void
  resizeColumns: (rows: number, ...by: [...AxisAddresses, n: number, m: number, to: number]) => void
  separate: (pixels: number, count: number, to: number) => void
}
type ScratchAndTarget = [scratch: number, to: number]
type AxisAddresses = [bounds: number, weights: number, room: number]

async function loadModule(): Promise<Omit<PixelModule, 'clock'>> {
  const bytes = await readFile(new URL('./pixels.wasm', import.meta.url))
  const { instance } = await WebAssembly.instantiate(bytes)
  return instance.exports as PixelModule
}
const memoryRegions = { steps: 0, spec: 1, components: 2, grid: 3, chroma: 4, free: 5 } as const

/** Larger pictures would take the module's memory beyond what it should keep. */
const maxSamples = 1 << 26

/** Hands out the module's memory from its free part on, 16 bytes apart from what vector loads may touch. */
interface Arena {
  take: (bytes: number) => number
  put: (values: Uint8Array | Int32Array) => number
}

function createArena(module: PixelModule): Arena {
  let next = module.place(memoryRegions.free)
  const take = (bytes: number): number => {
    const at = Math.ceil(next / 16) * 16
    next = at + bytes + 64
    const { memory } = module
    if (next > memory.buffer.byteLength)
      memory.grow(Math.ceil((next - memory.buffer.byteLength) / 65_536))
    return at
  }
  const put = (values: Uint8Array | Int32Array): number => {
    const at = take(values.byteLength)
    new Uint8Array(module.memory.buffer).set(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      at,
    )
    return at
  }
  return { take, put }
}

const writeInts = ({ memory }: PixelModule, at: number, values: readonly number[]): void =>
  new Int32Array(memory.buffer, at, values.length).set(values)

function cropJpeg(
  module: PixelModule,
  bytes: Uint8Array,
  layout: JpegLayout,
  geometry: CropGeometry,
): Uint8Array | undefined {
  const { components, width, height } = layout
  const { across, down } = geometry
  const { wide, tall } = components[0]!
  const [mcusAcross, mcusDown] = [Math.ceil(width / (8 * wide)), Math.ceil(height / (8 * tall))]
  const columns = mcuRange(across, 8 * wide, mcusAcross)
  const rows = mcuRange(down, 8 * tall, mcusDown)
  const mcus = (columns.end - columns.first) * (rows.end - rows.first)
  if (mcus * 64 * (wide * tall + 2) > maxSamples) return undefined
  const arena = createArena(module)
  const { take } = arena
  const lineOf = (blocks: number): number => 8 * blocks * (columns.end - columns.first)
  for (const [c, part] of components.entries()) {
    const stride = lineOf(part.wide)
    const plane = take(stride * 8 * part.tall * (rows.end - rows.first))
    const fields = [part.wide, part.tall, part.quantization, part.dc, part.ac, plane, stride]
    writeInts(module, module.place(memoryRegions.components) + 32 * c, fields)
  }
  writeInts(module, module.place(memoryRegions.grid), [
    mcusAcross,
    mcusDown,
    columns.first,
    columns.end,
    rows.first,
    rows.end,
  ])
  writeInts(module, module.place(memoryRegions.chroma), [
    Math.ceil(width / wide),
    Math.ceil(height / tall),
    8 * columns.first,
    8 * rows.first,
    wide,
    tall,
  ])
  if (!decodeScan(module, bytes, layout, mcusAcross * mcusDown, arena)) return undefined
  const left = 8 * wide * columns.first
  const top = 8 * tall * rows.first
  const line = lineOf(wide)
  const pixels = take(4 * line * (down.end - down.first))
  const [first, end] = [down.first - top, down.end - top]
  module.pixelsOfPlanes(components.length, first, end, top, line, take(4 * line + 32), pixels)
  return resampleCrop(module, geometry, pixels + 4 * (across.first - left), line, arena)
}

/** MCUs with the samples of an axis and two neighbours on each side, which interpolated chroma needs. */
const mcuRange = (
  { first, end }: ResampleAxis,
  pixels: number,
  all: number,
): { first: number; end: number } => ({
  first: Math.max(0, Math.floor((first - 2) / pixels)),
  end: Math.min(all, Math.ceil((end + 2) / pixels)),
})

function decodeScan(
  module: PixelModule,
  bytes: Uint8Array,
  { components, quantization, huffman, restart, data }: JpegLayout,
  mcus: number,
  { take, put }: Arena,
): boolean {
  const memory = new Uint8Array(module.memory.buffer)
  for (const [index, steps] of quantization)
    memory.set(new Uint8Array(steps.buffer), module.place(memoryRegions.steps) + 128 * index)
  for (const [index, spec] of huffman) {
    memory.set(spec, module.place(memoryRegions.spec))
    if (!module.setTable(index)) return false
  }
  const interval = restart === 0 ? mcus : restart
  const coded = bytes.subarray(data)
  const intervals = Math.ceil(mcus / interval)
  const [from, to, ends] = [put(coded), take(coded.length), take(4 * intervals)]
  const end = module.unstuff(from, coded.length, to, ends, intervals)
  if (end < 0 || coded[end + 1] !== 0xd9) return false
  return Boolean(module.scan(components.length, to, ends, interval))
}

function cropPixels(
  module: PixelModule,
  { data, width, height }: Pixels,
  steps: readonly PreprocessingStep[],
): Uint8Array {
  const geometry = cropGeometryOf(steps, height, width)
  const { across, down } = geometry
  const { take, put } = createArena(module)
  const rows = data.subarray(3 * width * down.first, 3 * width * down.end)
  const from = put(rows) + 3 * across.first
  const [line, count] = [across.end - across.first, down.end - down.first]
  const pixels = take(4 * line * count)
  module.pixelsOfTriples(from, 3 * width, count, line, pixels)
  return resampleCrop(module, geometry, pixels, line, { take, put })
}

/** A view of the crop in the module's memory. Resizes the rows that the crop needs; its first column is the first pixel, and the rows are `line` pixels apart. */
function resampleCrop(
  module: PixelModule,
  { across, down, columnsFirst, size }: CropGeometry,
  pixels: number,
  line: number,
  { take, put }: Arena,
): Uint8Array {
  const places = ({ bounds, weights, maxTaps: room }: ResampleAxis): AxisAddresses => [
    put(bounds),
    put(weights),
    room,
  ]
  const started = performance.now()
  const crop = take(4 * size * size)
  if (columnsFirst) {
    const between = take(4 * line * size)
    module.resizeColumns(pixels, ...places(down), line, size, between)
    module.resizeRows(between, 4 * line, size, ...places(across), size, crop)
  } else {
    const rows = down.end - down.first
    const between = take(4 * size * rows)
    module.resizeRows(pixels, 4 * line, rows, ...places(across), size, between)
    module.resizeColumns(between, ...places(down), size, size, crop)
  }
  const to = take(3 * size * size)
  module.separate(crop, size * size, to)
  module.clock.resizing += performance.now() - started
  return new Uint8Array(module.memory.buffer, to, 3 * size * size)
}

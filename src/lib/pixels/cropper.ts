/*
 * Image bytes to a uint8 crop, exactly as Pillow and torchvision make it. Plain JPEG files go through a WebAssembly module
 * (sources in assembly/), which decodes only what the crop needs. Files that the module does not know or finds damaged are
 * decoded by libvips, whose errors are reported. Both paths share the resampling.
 */
import { readFile } from 'node:fs/promises'
import { GeogapError } from '../errors.ts'
import { decodeImage } from './decode.ts'
import { type Pixels } from './image.ts'
import { type ResampleAxis, type CropGeometry, cropGeometryOf } from './geometry.ts'
import { type JpegLayout, parseJpegLayout } from './jpeg.ts'
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
  return async (bytes, to = new Uint8Array(3 * size * size)) => {
    const crop =
      cropPlainJpeg(createWorkspace(module, clock), bytes, steps) ??
      cropPixels(createWorkspace(module, clock), await decodeImage(bytes), steps)
    to.set(crop)
    return to
  }
}

/** Returns the crop of a plain JPEG file, a view of the module's memory; undefined for any other and for a damaged file. */
function cropPlainJpeg(
  work: Workspace,
  bytes: Uint8Array,
  steps: readonly PreprocessingStep[],
): Uint8Array | undefined {
  const layout = parseJpegLayout(bytes)
  try {
    return layout && cropJpeg(work, layout, cropGeometryOf(steps, layout.height, layout.width))
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

/** An export of the module. Its parameters are numbers; those named like memory hold addresses. */
type WasmFunction<Parameters extends readonly number[], Result = void> = (
  ...values: Parameters
) => Result

/** The exports of the module. */
interface PixelModule {
  memory: WebAssembly.Memory
  place: WasmFunction<[region: number], number>
  unstuff: WasmFunction<
    [from: number, length: number, to: number, ends: number, intervals: number],
    number
  >
  setTable: WasmFunction<[index: number], number>
  scan: WasmFunction<[components: number, data: number, ends: number, interval: number], number>
  pixelsOfPlanes: WasmFunction<
    [
      components: number,
      first: number,
      end: number,
      top: number,
      width: number,
      scratch: number,
      to: number,
    ]
  >
  pixelsOfTriples: WasmFunction<
    [from: number, stride: number, rows: number, width: number, to: number]
  >
  resizeRows: WasmFunction<
    [row: number, stride: number, rows: number, ...AxisAddresses, count: number, to: number]
  >
  resizeColumns: WasmFunction<
    [rows: number, ...AxisAddresses, width: number, count: number, to: number]
  >
  separate: WasmFunction<[pixels: number, count: number, to: number]>
}
type AxisAddresses = [bounds: number, weights: number, maxTaps: number]

async function loadModule(): Promise<PixelModule> {
  const bytes = await readFile(new URL('./pixels.wasm', import.meta.url))
  const { instance } = await WebAssembly.instantiate(bytes)
  return instance.exports as PixelModule
}

/** The module with an allocator of its memory for one image. */
interface Workspace {
  module: PixelModule
  clock: { resizing: number }
  /** Reserves bytes; blocks are aligned to 16 bytes and 64 bytes apart, which vector loads may touch. */
  take: (bytes: number) => number
  /** Copies values into newly reserved bytes. */
  put: (values: Uint8Array | Int32Array) => number
  /** Writes integers to one of the module's fixed regions. */
  write: (region: keyof typeof memoryRegions, values: readonly number[], offset?: number) => void
}

const memoryRegions = { steps: 0, spec: 1, components: 2, grid: 3, chroma: 4, free: 5 } as const

/** Samples of the largest image that the module decodes; more memory would stay reserved. */
const maxSamples = 1 << 26
const pageBytes = 65_536

function createWorkspace(module: PixelModule, clock: { resizing: number }): Workspace {
  const { memory } = module
  let next = module.place(memoryRegions.free)
  const take = (bytes: number): number => {
    const at = Math.ceil(next / 16) * 16
    next = at + bytes + 64
    const missing = next - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes))
    return at
  }
  return {
    module,
    clock,
    take,
    put: values => {
      const at = take(values.byteLength)
      new Uint8Array(memory.buffer).set(
        new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
        at,
      )
      return at
    },
    write: (region, values, offset = 0) =>
      new Int32Array(
        memory.buffer,
        module.place(memoryRegions[region]) + offset,
        values.length,
      ).set(values),
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
    const fields = [part.wide, part.tall, part.quantization, part.dc, part.ac, plane, stride]
    write('components', fields, 32 * i)
  }
  const grid = [columns.total, rows.total, columns.first, columns.end, rows.first, rows.end]
  write('grid', grid)
  const chromaSize = [Math.ceil(width / wide), Math.ceil(height / tall)]
  write('chroma', [...chromaSize, 8 * columns.first, 8 * rows.first, wide, tall])
  if (!decodeScan(work, layout, columns.total * rows.total)) return undefined
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

/** Decodes the scan to the planes of the components. Returns false for damaged data. */
function decodeScan({ module, take, put }: Workspace, layout: JpegLayout, mcus: number): boolean {
  const { components, quantization, huffman, restart, coded } = layout
  const memory = new Uint8Array(module.memory.buffer)
  for (const [index, steps] of quantization)
    memory.set(new Uint8Array(steps.buffer), module.place(memoryRegions.steps) + 128 * index)
  for (const [index, spec] of huffman) {
    memory.set(spec, module.place(memoryRegions.spec))
    if (!module.setTable(index)) return false
  }
  const interval = restart === 0 ? mcus : restart
  const intervals = Math.ceil(mcus / interval)
  const from = put(coded)
  const to = take(coded.length)
  const ends = take(4 * intervals)
  const end = module.unstuff(from, coded.length, to, ends, intervals)
  if (end < 0 || coded[end + 1] !== 0xd9) return false
  return Boolean(module.scan(components.length, to, ends, interval))
}

function cropPixels(
  work: Workspace,
  { data, width, height }: Pixels,
  steps: readonly PreprocessingStep[],
): Uint8Array {
  const geometry = cropGeometryOf(steps, height, width)
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

/* The WebAssembly module of the sources in assembly/: its exports, and how its memory is laid out for one image. */
import { readFile } from 'node:fs/promises'

/** An export of the module. Its parameters are numbers; those named like memory hold addresses. */
type WasmFunction<Parameters extends readonly number[], Result = void> = (
  ...values: Parameters
) => Result

/** The exports of the module. */
export interface PixelModule {
  memory: WebAssembly.Memory
  place: WasmFunction<[region: number], number>
  unstuff: WasmFunction<
    [from: number, length: number, to: number, ends: number, intervals: number],
    number
  >
  setTable: WasmFunction<[index: number, withValues: number], number>
  scan: WasmFunction<[components: number, data: number, ends: number, interval: number], number>
  scanPass: WasmFunction<[data: number, ends: number, interval: number], number>
  transform: WasmFunction<[components: number]>
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
  unfilter: WasmFunction<
    [from: number, stride: number, rows: number, width: number, channels: number, to: number],
    number
  >
  resizeRows: WasmFunction<
    [row: number, stride: number, rows: number, ...AxisAddresses, count: number, to: number]
  >
  resizeColumns: WasmFunction<
    [rows: number, ...AxisAddresses, width: number, count: number, to: number]
  >
  separate: WasmFunction<[pixels: number, count: number, to: number]>
}
export type AxisAddresses = [bounds: number, weights: number, maxTaps: number]

/** Compiles the module and creates its memory. */
export async function loadModule(): Promise<PixelModule> {
  const bytes = await readFile(new URL('./pixels.wasm', import.meta.url))
  const { instance } = await WebAssembly.instantiate(bytes)
  return instance.exports as PixelModule
}

/** The module with an allocator of its memory for one image. */
export interface Workspace {
  module: PixelModule
  clock: { resizing: number }
  /** Reserves bytes; blocks are aligned to 16 bytes and 64 bytes apart, which vector loads may touch. */
  take: (bytes: number) => number
  /** Copies values into newly reserved bytes. */
  put: (values: Uint8Array | Int32Array) => number
  /** Writes integers to one of the module's fixed regions. */
  write: (region: keyof typeof memoryRegions, values: readonly number[], offset?: number) => void
}

/** Numbers of the module's fixed regions, as its `place` takes them. */
export const memoryRegions = {
  steps: 0,
  spec: 1,
  components: 2,
  grid: 3,
  chroma: 4,
  pass: 5,
  free: 6,
} as const

/** Samples of the largest image that the module decodes; more memory would stay reserved. */
export const maxSamples = 1 << 26
const pageBytes = 65_536

/** Returns the module with all its memory free. `clock` sums up the milliseconds of resizing. */
export function createWorkspace(module: PixelModule, clock: { resizing: number }): Workspace {
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

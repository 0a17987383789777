/* One sequential JPEG scan into planes of samples, of which only a window of MCU columns and rows is transformed and kept. */
import { bitsEnd, broken, buildTable, decodeBlock, lastAt, openBits, tableBytes } from './huffman'
import { inverse, inverseFlat } from './idct'

/** Quantization steps i16 [4, 64] in natural order, by the caller. */
export const steps = memory.data(4 * 128, 16)
/** Codes per length and symbols of the table to be built, by the caller. */
export const spec = memory.data(16 + 256)
const tables = memory.data(8 * tableBytes, 16)
const block = memory.data(128, 16)
const previous = memory.data(4 * 4)

/** Builds table `index`, 0-3 for first coefficients and 4-7 for the others, from `spec`. */
export function setTable(index: i32): bool {
  return buildTable(tables + index * tableBytes, spec, index > 3)
}

/**
 * A component's i32 fields: blocks across and down in an MCU, its steps, its two tables, where its plane begins, and its samples
 * in a row. `components` holds up to three, by the caller.
 */
export const components = memory.data(3 * 32)

/** i32 fields of `grid`: MCUs across and down, the window's first and end column and row, by the caller. */
export const grid = memory.data(6 * 4)

/** Decodes intervals of `interval` MCUs that end at `ends`; true when every bit was in its place. */
export function scan(count: i32, data: usize, ends: usize, interval: i32): bool {
  const across = load<i32>(grid)
  const total = across * load<i32>(grid, 4)
  let from = data
  for (let mcu = 0; mcu < total;) {
    openBits(from)
    memory.fill(previous, 0, 16)
    for (const end = min(mcu + interval, total); mcu < end; mcu++) {
      const y = mcu / across
      decodeMcu(count, mcu - y * across, y)
      if (broken) return false
    }
    from = load<u32>(ends)
    if (bitsEnd() != from) return false
    ends += 4
  }
  return true
}

function decodeMcu(count: i32, x: i32, y: i32): void {
  const column = x - load<i32>(grid, 8)
  const row = y - load<i32>(grid, 16)
  const inside = column >= 0 && row >= 0 && x < load<i32>(grid, 12) && y < load<i32>(grid, 20)
  for (let c = 0; c < count; c++) {
    const part = components + c * 32
    const wide = load<i32>(part)
    const tall = load<i32>(part, 4)
    const quantization = steps + 128 * load<i32>(part, 8)
    const dcTable = tables + tableBytes * load<i32>(part, 12)
    const acTable = tables + tableBytes * load<i32>(part, 16)
    const stride = load<i32>(part, 24)
    const corner = load<i32>(part, 20) + 8 * (column * wide + row * tall * stride)
    for (let v = 0; v < tall; v++) {
      for (let h = 0; h < wide; h++) {
        const dc = decodeBlock(dcTable, acTable, block, load<i32>(previous + 4 * c))
        store<i32>(previous + 4 * c, dc)
        const to = corner + 8 * (h + v * stride)
        if (!inside) memory.fill(block, 0, 128)
        else if (lastAt == 0) inverseFlat(block, quantization, to, stride)
        else inverse(block, quantization, to, stride)
      }
    }
  }
}

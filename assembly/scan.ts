/*
 * JPEG scans into planes of samples, of which only a window of MCU columns and rows is transformed and kept: one sequential scan, or
 * progressive ones by way of all coefficients.
 */
import {
  bitsEnd,
  broken,
  buildTable,
  decodeBand,
  decodeBit,
  decodeBlock,
  decodeDifference,
  lastAt,
  openBits,
  refineBand,
  tableBytes,
  toNatural,
} from './huffman'
import { inverse, inverseFlat } from './idct'

/** Quantization steps i16 [4, 64] in natural order, by the caller. */
export const steps = memory.data(4 * 128, 16)
/** Codes per length and symbols of the table to be built, by the caller. */
export const spec = memory.data(16 + 256)
const tables = memory.data(8 * tableBytes, 16)
const block = memory.data(128, 16)
const previous = memory.data(4 * 4)

/** Builds table `index`, 0-3 for first coefficients and 4-7 for the others, from `spec`. */
export function setTable(index: i32, withValues: bool): bool {
  return buildTable(tables + index * tableBytes, spec, withValues)
}

/**
 * A component's i32 fields: blocks across and down in an MCU, its steps, its two tables, where its plane begins, its samples
 * in a row, and where its coefficients of a progressive file begin. `components` holds up to three, by the caller.
 */
export const components = memory.data(3 * 32)

/** i32 fields of `grid`: MCUs across and down, the window's first and end column and row, by the caller. */
export const grid = memory.data(6 * 4)

/**
 * i32 fields of `pass`, a progressive scan, by the caller: MCUs across and down, which are single blocks where it has one component;
 * its components, a bit for each; its first and last coefficient; its bits begin at 2^high, or with the sign if that is 0, and end at 2^low.
 */
export const pass = memory.data(7 * 4)

/** Decodes the sequential scan. Its intervals of `interval` MCUs end at `ends`. True when every bit was in its place. */
export function scan(count: i32, data: usize, ends: usize, interval: i32): bool {
  return decodeIntervals(count, grid, data, ends, interval)
}

/** Decodes the scan of `pass` into the coefficients, as `scan` does. */
export function scanPass(data: usize, ends: usize, interval: i32): bool {
  return decodeIntervals(0, pass, data, ends, interval)
}

/** `size` holds the MCUs across and down; `count` is 0 for a progressive scan. */
function decodeIntervals(count: i32, size: usize, data: usize, ends: usize, interval: i32): bool {
  const across = load<i32>(size)
  const total = across * load<i32>(size, 4)
  let from = data
  for (let mcu = 0; mcu < total;) {
    openBits(from)
    memory.fill(previous, 0, 16)
    for (const end = min(mcu + interval, total); mcu < end; mcu++) {
      const y = mcu / across
      if (count > 0) decodeMcu(count, mcu - y * across, y)
      else passMcu(mcu - y * across, y)
      if (broken) return false
    }
    from = load<u32>(ends)
    if (bitsEnd() != from) return false
    ends += 4
  }
  return true
}

function passMcu(x: i32, y: i32): void {
  const which = load<i32>(pass, 8)
  const single = popcnt(which) == 1
  for (let c = 0; c < 3; c++) {
    if (!(which & (1 << c))) continue
    const part = components + c * 32
    const wide = load<i32>(part)
    const tall = load<i32>(part, 4)
    const across = wide * load<i32>(grid)
    const first = <usize>load<i32>(part, 28)
    if (single) {
      passBlock(c, first + 128 * (y * across + x))
      continue
    }
    const corner = first + 128 * (y * tall * across + x * wide)
    for (let v = 0; v < tall; v++)
      for (let h = 0; h < wide; h++) passBlock(c, corner + 128 * (v * across + h))
  }
}

function passBlock(c: i32, coefficients: usize): void {
  const part = components + c * 32
  const first = load<i32>(pass, 12)
  const last = load<i32>(pass, 16)
  const high = load<i32>(pass, 20)
  const low = load<i32>(pass, 24)
  const table = tables + tableBytes * (first == 0 ? load<i32>(part, 12) : load<i32>(part, 16))
  if (first == 0 && high == 0) {
    const dc = load<i32>(previous + 4 * c) + decodeDifference(table)
    store<i32>(previous + 4 * c, dc)
    store<i16>(coefficients, dc << low)
  } else if (first == 0) store<i16>(coefficients, load<i16>(coefficients) | (decodeBit() << low))
  else if (high == 0) decodeBand(table, coefficients, first, last, low)
  else refineBand(table, coefficients, first, last, low)
}

/** Transforms the window's blocks of all progressive scans. */
export function transform(count: i32): void {
  for (let c = 0; c < count; c++) {
    const part = components + c * 32
    const wide = load<i32>(part)
    const tall = load<i32>(part, 4)
    const quantization = steps + 128 * load<i32>(part, 8)
    const stride = load<i32>(part, 24)
    const left = wide * load<i32>(grid, 8)
    const right = wide * load<i32>(grid, 12)
    let to = <usize>load<i32>(part, 20)
    for (let y = tall * load<i32>(grid, 16); y < tall * load<i32>(grid, 20); y++) {
      let from = <usize>load<i32>(part, 28) + 128 * (y * wide * load<i32>(grid) + left)
      for (let x = left; x < right; x++) {
        const at = to + 8 * (x - left)
        if (toNatural(from, block)) inverse(block, quantization, at, stride)
        else inverseFlat(block, quantization, at, stride)
        from += 128
      }
      to += 8 * stride
    }
  }
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

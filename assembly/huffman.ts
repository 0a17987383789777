/*
 * Entropy-coded JPEG data: bits, Huffman tables and one block of coefficients at a time (ITU T.81, annex F). The data come
 * without byte stuffing and markers, see `unstuff`. Anything out of order sets `broken`, and the caller asks another decoder.
 *
 * A table's look-up has an entry for every 10 bits that may come: bits 0-6 the length to skip, bit 7 whether the coefficient's
 * value is in bits 16-31 and its run of zeros in bits 8-15, otherwise the symbol is in bits 8-15. 0: a longer code.
 */
const fastBits = 10
const slots: i32 = 1 << fastBits
const longest = 16
/** Of a table: look-up, largest code of each length, where its symbols begin, symbols. */
const largestCodes = 4 * slots
const symbolOffsets = largestCodes + 4 * 18
const symbolsAt = symbolOffsets + 4 * 18
export const tableBytes = symbolsAt + 256

/** Natural order [row * 8 + column] of the zigzag positions; runs that leave the block stay inside. */
const natural = memory.data<u8>([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
  13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52,
  45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
  63, 63, 63, 63, 63,
])

export let broken = false
let bits: u64 = 0
let count: i32 = 0
let next: usize = 0

/**
 * Copies entropy-coded data without stuffed zeros and restart markers. The end of every restart interval in the copy goes to
 * `ends`. Gives the offset of the marker that ended the data, or -1 where there is none or the restarts are out of order.
 */
export function unstuff(from: usize, length: i32, to: usize, ends: usize, intervals: i32): i32 {
  const last = from + length
  let at = from
  let out = to
  let done = 0
  while (at < last) {
    const chunk = v128.load(at)
    v128.store(out, chunk)
    const marks = i8x16.bitmask(i8x16.eq(chunk, i8x16.splat(-1)))
    const clean: usize = marks == 0 ? 16 : ctz(marks)
    at += clean
    out += clean
    if (marks == 0) continue
    const code = load<u8>(at, 1)
    if (code == 0) {
      store<u8>(out++, 0xff)
      at += 2
    } else if (code == 0xff) at++
    else if (code >= 0xd0 && code <= 0xd7) {
      if (done + 1 >= intervals || code != 0xd0 + (done & 7)) return -1
      store<u32>(ends + 4 * done++, <u32>out)
      at += 2
    } else {
      store<u32>(ends + 4 * done++, <u32>out)
      return done == intervals && at + 1 < last ? <i32>(at - from) : -1
    }
  }
  return -1
}

/** Builds a table from the 16 numbers of codes per length and the symbols at `spec`; DC symbols are sizes alone. */
export function buildTable(table: usize, spec: usize, withValues: bool): bool {
  memory.fill(table, 0, tableBytes)
  memory.copy(table + symbolsAt, spec + 16, 256)
  let code = 0
  let symbol = 0
  for (let length = 1; length <= longest; length++) {
    store<i32>(table + symbolOffsets + 4 * length, symbol - code)
    for (let left: i32 = load<u8>(spec + length - 1); left > 0; left--) {
      if (symbol > 255 || code >= 1 << length) return false
      if (length <= fastBits)
        fillSlots(table, code, length, load<u8>(spec + 16 + symbol), withValues)
      code++
      symbol++
    }
    store<i32>(table + largestCodes + 4 * length, code - 1)
    code <<= 1
  }
  return true
}

function fillSlots(table: usize, code: i32, length: i32, symbol: i32, withValues: bool): void {
  const free = fastBits - length
  const size = symbol & 15
  for (let rest = 0; rest < 1 << free; rest++) {
    let entry = (symbol << 8) | length
    if (withValues && size > 0 && size <= free) {
      const raw = rest >> (free - size)
      const value = raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw
      entry = (value << 16) | ((symbol >> 4) << 8) | 0x80 | (length + size)
    }
    store<i32>(table + 4 * ((code << free) | rest), entry)
  }
}

/** Starts reading at `from`. */
export function openBits(from: usize): void {
  bits = 0
  count = 0
  next = from
  broken = false
}

/** First byte that no bit was taken from. */
export function bitsEnd(): usize {
  return next - (count >> 3)
}

/**
 * Decodes a block into 64 zeroed coefficients i16 in natural order, not yet multiplied; `dc` is the previous block's first one.
 * Gives this block's first coefficient; the zigzag position of the last one goes to `lastAt`.
 */
export function decodeBlock(dcTable: usize, acTable: usize, block: usize, dc: i32): i32 {
  let window = bits
  let left = count
  let from = next
  window |= bswap<u64>(load<u64>(from)) >> left
  from += (63 - left) >> 3
  left |= 56
  let entry = load<i32>(dcTable + 4 * <usize>(window >> (64 - fastBits)))
  if (entry == 0) entry = longCode(dcTable, window)
  let skip = entry & 0x7f
  const dcSize = entry >> 8
  window <<= skip
  if (dcSize > 0) {
    if (dcSize > 11) broken = true
    dc += extended(window, dcSize)
    window <<= dcSize
    skip += dcSize
  }
  left -= skip
  store<i16>(block, dc)
  let k = 1
  lastAt = 0
  while (k < 64) {
    if (left < 32) {
      window |= bswap<u64>(load<u64>(from)) >> left
      from += (63 - left) >> 3
      left |= 56
    }
    entry = load<i32>(acTable + 4 * <usize>(window >> (64 - fastBits)))
    if (entry & 0x80) {
      skip = entry & 0x7f
      window <<= skip
      left -= skip
      k += (entry >> 8) & 0xff
      store<i16>(block + 2 * <usize>load<u8>(natural + k), entry >> 16)
      lastAt = k++
      continue
    }
    if (entry == 0) entry = longCode(acTable, window)
    skip = entry & 0x7f
    window <<= skip
    left -= skip
    const size = (entry >> 8) & 15
    k += entry >> 12
    if (size == 0) {
      if (entry >> 12 != 15) break
      k++
      continue
    }
    store<i16>(block + 2 * <usize>load<u8>(natural + k), extended(window, size))
    window <<= size
    left -= size
    lastAt = k++
  }
  if (k > 64) broken = true
  bits = window
  count = left
  next = from
  return dc
}

export let lastAt: i32 = 0

/** A value of `size` bits at the top of `window`, with its sign. */
function extended(window: u64, size: i32): i32 {
  const value = <i32>(window >> (64 - size))
  return value + (((-1 << size) + 1) & ~(<i32>((<i64>window) >> 63)))
}

function longCode(table: usize, window: u64): i32 {
  for (let length = fastBits + 1; length <= longest; length++) {
    const code = <i32>(window >> (64 - length))
    if (code <= load<i32>(table + largestCodes + 4 * length)) {
      const symbol = load<i32>(table + symbolOffsets + 4 * length) + code
      if (symbol < 0 || symbol > 255) break
      return ((<i32>load<u8>(table + symbolsAt + symbol)) << 8) | length
    }
  }
  broken = true
  return 1
}

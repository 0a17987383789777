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
  bandEnds = 0
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

/*
 * Progressive scans (annex G): a block's 64 coefficients lie in zigzag order and are completed scan by scan. What is out of order, and
 * what other decoders would only warn of, sets `broken` too.
 */

/** Blocks whose band has no further new coefficients. */
let bandEnds = 0

function fill(): void {
  bits |= bswap<u64>(load<u64>(next)) >> count
  next += (63 - count) >> 3
  count |= 56
}

/** The next `size` bits, of which `fill` has read enough. */
function take(size: i32): i32 {
  const value = <i32>(bits >> (64 - size))
  bits <<= size
  count -= size
  return value
}

/** Reads a code. Returns the look-up's entry, without a value. */
function takeCode(table: usize): i32 {
  fill()
  let entry = load<i32>(table + 4 * <usize>(bits >> (64 - fastBits)))
  if (entry == 0) entry = longCode(table, bits)
  take(entry & 0x7f)
  return entry
}

/** Decodes by how much a first coefficient differs from the previous block's. */
export function decodeDifference(table: usize): i32 {
  const size = takeCode(table) >> 8
  if (size > 11) broken = true
  if (size == 0) return 0
  const value = extended(bits, size)
  take(size)
  return value
}

/** The next bit of a first coefficient. */
export function decodeBit(): i32 {
  fill()
  return take(1)
}

/** Decodes coefficients `first` to `last` of a block that has none yet, in units of 2^low. */
export function decodeBand(table: usize, block: usize, first: i32, last: i32, low: i32): void {
  if (bandEnds > 0) {
    bandEnds--
    return
  }
  let window = bits
  let left = count
  let from = next
  for (let k = first; k <= last; k++) {
    if (left < 32) {
      window |= bswap<u64>(load<u64>(from)) >> left
      from += (63 - left) >> 3
      left |= 56
    }
    let entry = load<i32>(table + 4 * <usize>(window >> (64 - fastBits)))
    if (entry == 0) entry = longCode(table, window)
    const skip = entry & 0x7f
    window <<= skip
    left -= skip
    let value = entry >> 16
    if (entry & 0x80) k += (entry >> 8) & 0xff
    else {
      const size = (entry >> 8) & 15
      const run = entry >> 12
      if (size == 0 && run < 15) {
        bandEnds = (1 << run) - 1
        if (run > 0) bandEnds += <i32>(window >> (64 - run))
        window <<= run
        left -= run
        break
      }
      k += run
      if (size == 0) continue
      value = extended(window, size)
      window <<= size
      left -= size
    }
    if (k > last) {
      broken = true
      break
    }
    store<i16>(block + 2 * k, value << low)
  }
  bits = window
  count = left
  next = from
}

/** Decodes the next bit, of value 2^low, of coefficients `first` to `last` of a block, and those that appear with it. */
export function refineBand(table: usize, block: usize, first: i32, last: i32, low: i32): void {
  const mask = nonzero(block) & ((<u64>-1) << first) & ((<u64>-1) >> (63 - last))
  let k = first
  while (k <= last && bandEnds == 0) {
    const entry = takeCode(table)
    const size = (entry >> 8) & 15
    let run = entry >> 12
    if (size == 0 && run < 15) {
      bandEnds = 1 << run
      if (run > 0) bandEnds += take(run)
      break
    }
    if (size > 1) broken = true
    const value = size == 0 ? 0 : take(1) ? 1 << low : -1 << low
    while (k <= last) {
      const rest = mask >> k
      const zeros = rest == 0 ? 64 : <i32>ctz(rest)
      k += min(run, zeros)
      if (run < zeros) break
      run -= zeros
      refine(block + 2 * k++, low)
    }
    if (value != 0) {
      if (k > last) broken = true
      else store<i16>(block + 2 * k, value)
    }
    k++
  }
  if (bandEnds == 0) return
  bandEnds--
  if (k > last) return
  for (let rest = mask & ((<u64>-1) << k); rest != 0; rest &= rest - 1)
    refine(block + 2 * <usize>ctz(rest), low)
}

function refine(coefficient: usize, low: i32): void {
  if (count == 0) fill()
  if (!take(1)) return
  const value = <i32>load<i16>(coefficient)
  if (value & (1 << low)) return
  store<i16>(coefficient, value < 0 ? value - (1 << low) : value + (1 << low))
}

/** A bit for each of a block's coefficients that is not zero. */
function nonzero(block: usize): u64 {
  const zero = i64x2.splat(0)
  let mask: u64 = 0
  for (let at: usize = 0; at < 128; at += 32) {
    const early = i16x8.ne(v128.load(block + at), zero)
    const late = i16x8.ne(v128.load(block + at, 16), zero)
    mask |= (<u64>i8x16.bitmask(i8x16.narrow_i16x8_s(early, late))) << (at >> 1)
  }
  return mask
}

/** Copies a block in zigzag order to one in natural order that is zero. Returns whether it has more than its first coefficient. */
export function toNatural(zigzag: usize, block: usize): bool {
  const mask = nonzero(zigzag)
  for (let rest = mask; rest != 0; rest &= rest - 1) {
    const k = <usize>ctz(rest)
    store<i16>(block + 2 * <usize>load<u8>(natural + k), load<i16>(zigzag + 2 * k))
  }
  return mask > 1
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

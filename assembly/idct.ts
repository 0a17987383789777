/*
 * The inverse cosine transform of the JPEG group's accurate integer method (Loeffler, Ligtenberg and Moschytz 1989, constants
 * of 13 bits), arranged so that one instruction multiplies pairs. Sums of two inputs keep 16 bits, as in the vector code of
 * libjpeg-turbo: what damaged files give is the same too.
 */
const work = memory.data(128, 16)
/** The eight results of the first four columns, i32, and of the other four. */
const sums = memory.data(256, 16)

/** Multiplies 64 coefficients by their steps, transforms, and stores 8 × 8 samples; the coefficients become zero. */
export function inverse(block: usize, steps: usize, to: usize, stride: usize): void {
  if (dequantize(block, steps)) columns(11)
  else flatColumns()
  transpose()
  columns(18)
  storeTransposed(to, stride)
}

/**
 * Multiplies 64 coefficients by their steps into `work`; the coefficients become zero. Returns whether any of them below the
 * first row was not zero.
 */
function dequantize(block: usize, steps: usize): bool {
  let below = i64x2.splat(0)
  for (let at: usize = 0; at < 128; at += 16) {
    const coefficients = v128.load(block + at)
    if (at > 0) below = v128.or(below, coefficients)
    v128.store(work + at, i16x8.mul(coefficients, v128.load(steps + at)))
    v128.store(block + at, i64x2.splat(0))
  }
  return v128.any_true(below)
}

/** The transform of columns of which only the first value is not zero. Unlike that of `columns`, its result keeps 16 bits. */
function flatColumns(): void {
  const first = i16x8.shl(row(0), 2)
  for (let at: usize = 0; at < 128; at += 16) v128.store(work + at, first)
}

/** Like `inverse`, for a block whose only coefficient is the first one. */
export function inverseFlat(block: usize, steps: usize, to: usize, stride: usize): void {
  const first = <i32>(<i16>(load<i16>(block) * load<i16>(steps)))
  const sample = max(0, min(255, ((<i32>(<i16>(first << 2)) + 16) >> 5) + 128))
  const row = <u64>sample * 0x0101010101010101
  store<i16>(block, 0)
  for (let y: usize = 0; y < 8; y++) store<u64>(to + y * stride, row)
}

/** Eight values of `work`. */
function row(i: usize): v128 {
  return v128.load(work + 16 * i)
}

function low(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
}

function high(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
}

/** The sum of the products of every pair of 16-bit values with the factors `a` and `b`. */
function dot(pairs: v128, a: i32, b: i32): v128 {
  return i32x4.dot_i16x8_s(pairs, i32x4.splat((a & 0xffff) | (b << 16)))
}

/** One-dimensional transform of the columns in `work`, the results rounded and shifted right by `shift`. */
function columns(shift: i32): void {
  const x0 = v128.load(work)
  const x1 = v128.load(work, 16)
  const x2 = v128.load(work, 32)
  const x3 = v128.load(work, 48)
  const x4 = v128.load(work, 64)
  const x5 = v128.load(work, 80)
  const x6 = v128.load(work, 96)
  const x7 = v128.load(work, 112)
  const plus = i16x8.add(x0, x4)
  const minus = i16x8.sub(x0, x4)
  const z3 = i16x8.add(x3, x7)
  const z4 = i16x8.add(x1, x5)
  fourColumns(
    sums,
    i32x4.extend_low_i16x8_s(plus),
    i32x4.extend_low_i16x8_s(minus),
    low(x2, x6),
    low(x7, x1),
    low(x5, x3),
    low(z3, z4),
    shift,
  )
  fourColumns(
    sums + 128,
    i32x4.extend_high_i16x8_s(plus),
    i32x4.extend_high_i16x8_s(minus),
    high(x2, x6),
    high(x7, x1),
    high(x5, x3),
    high(z3, z4),
    shift,
  )
  for (let at: usize = 0; at < 128; at += 16)
    v128.store(work + at, i16x8.narrow_i32x4_s(v128.load(sums + at), v128.load(sums + 128 + at)))
}

/** Eight results of four columns from x0 ± x4 and pairs: x2 with x6, x7 with x1, x5 with x3, x3 + x7 with x1 + x5. */
function fourColumns(
  to: usize,
  plus: v128,
  minus: v128,
  p26: v128,
  p71: v128,
  p53: v128,
  z34: v128,
  shift: i32,
): void {
  const round = i32x4.splat(1 << (shift - 1))
  const sum = i32x4.add(i32x4.shl(plus, 13), round)
  const difference = i32x4.add(i32x4.shl(minus, 13), round)
  const outer = dot(p26, 10703, 4433)
  const inner = dot(p26, 4433, -10704)
  const z3 = dot(z34, -6436, 9633)
  const z4 = dot(z34, 9633, 6437)
  const odd0 = i32x4.add(dot(p71, -7373, 4926), z4)
  const odd1 = i32x4.add(dot(p53, -20995, 4177), z3)
  const odd2 = i32x4.add(dot(p53, -4176, -20995), z4)
  const odd3 = i32x4.add(dot(p71, -4927, -7373), z3)
  const even0 = i32x4.add(sum, outer)
  const even1 = i32x4.add(difference, inner)
  const even2 = i32x4.sub(difference, inner)
  const even3 = i32x4.sub(sum, outer)
  v128.store(to, i32x4.shr_s(i32x4.add(even0, odd0), shift))
  v128.store(to, i32x4.shr_s(i32x4.add(even1, odd1), shift), 16)
  v128.store(to, i32x4.shr_s(i32x4.add(even2, odd2), shift), 32)
  v128.store(to, i32x4.shr_s(i32x4.add(even3, odd3), shift), 48)
  v128.store(to, i32x4.shr_s(i32x4.sub(even3, odd3), shift), 64)
  v128.store(to, i32x4.shr_s(i32x4.sub(even2, odd2), shift), 80)
  v128.store(to, i32x4.shr_s(i32x4.sub(even1, odd1), shift), 96)
  v128.store(to, i32x4.shr_s(i32x4.sub(even0, odd0), shift), 112)
}

/** Rows of `work` become columns. */
function transpose(): void {
  const a0 = low(row(0), row(4))
  const a1 = high(row(0), row(4))
  const a2 = low(row(1), row(5))
  const a3 = high(row(1), row(5))
  const a4 = low(row(2), row(6))
  const a5 = high(row(2), row(6))
  const a6 = low(row(3), row(7))
  const a7 = high(row(3), row(7))
  const b0 = low(a0, a4)
  const b1 = high(a0, a4)
  const b2 = low(a1, a5)
  const b3 = high(a1, a5)
  const b4 = low(a2, a6)
  const b5 = high(a2, a6)
  const b6 = low(a3, a7)
  const b7 = high(a3, a7)
  v128.store(work, low(b0, b4))
  v128.store(work, high(b0, b4), 16)
  v128.store(work, low(b1, b5), 32)
  v128.store(work, high(b1, b5), 48)
  v128.store(work, low(b2, b6), 64)
  v128.store(work, high(b2, b6), 80)
  v128.store(work, low(b3, b7), 96)
  v128.store(work, high(b3, b7), 112)
}

/** `work` holds columns, 16 bits a value around 0: limits them to samples and stores the rows. */
function storeTransposed(to: usize, stride: usize): void {
  transpose()
  const middle = i8x16.splat(-128)
  for (let y: usize = 0; y < 8; y += 2) {
    const rows = i8x16.narrow_i16x8_s(v128.load(work + 16 * y), v128.load(work + 16 * y, 16))
    const samples = v128.xor(rows, middle)
    v128.store64_lane(to + y * stride, samples, 0)
    v128.store64_lane(to + (y + 1) * stride, samples, 1)
  }
}

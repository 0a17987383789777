/*
 * Planes of samples, or pixels decoded elsewhere, to rows of pixels of four bytes (red, green, blue, 0). Chroma at half the
 * resolution is interpolated with the weights 3/4 and 1/4 and the alternating roundings of the JPEG group's library, colours
 * are converted by its integers.
 */
import { components } from './scan'

/** Interpolated chroma of a row, and its vertical sums i16 with room for a neighbour on both sides. */
let blue: usize = 0
let red: usize = 0
let sums: usize = 0

/**
 * Samples of the chroma planes: whole picture's width and height, the kept window's first column and row; samples of luma for one
 * across and down.
 */
export const chroma = memory.data(6 * 4)

/**
 * Rows `first` to `end` of the kept window, `width` pixels each (a multiple of 8), as pixels. The window begins at row `top` of the
 * picture; at `scratch` there is room for 4 bytes a pixel of a row and 32 more.
 */
export function pixelsOfPlanes(
  count: i32,
  first: i32,
  end: i32,
  top: i32,
  width: i32,
  scratch: usize,
  to: usize,
): void {
  blue = scratch
  red = scratch + width
  sums = red + width + 16
  for (let y = first; y < end; y++) {
    rowOfPlanes(count, y, top, width, to)
    to += 4 * width
  }
}

function rowOfPlanes(count: i32, y: i32, top: i32, width: i32, to: usize): void {
  const luma: usize = load<i32>(components, 20) + y * load<i32>(components, 24)
  if (count == 1) {
    for (let x = 0; x < width; x += 8) {
      const gray = v128.load64_zero(luma + x)
      storePixels(
        to + 4 * x,
        i8x16.shuffle(gray, gray, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7),
        gray,
      )
    }
    return
  }
  const wide = load<i32>(chroma, 16)
  const tall = load<i32>(chroma, 20)
  const cb = chromaRow(components + 32, y + top, wide, tall, blue)
  const cr = chromaRow(components + 64, y + top, wide, tall, red)
  for (let x = 0; x < width; x += 8) {
    convert(
      i16x8.extend_low_i8x16_u(v128.load64_zero(luma + x)),
      i16x8.sub(i16x8.extend_low_i8x16_u(v128.load64_zero(cb + x)), i16x8.splat(128)),
      i16x8.sub(i16x8.extend_low_i8x16_u(v128.load64_zero(cr + x)), i16x8.splat(128)),
      to + 4 * x,
    )
  }
}

/** Where a row of chroma at full resolution lies: in its plane, or interpolated at `to`. `y` counts in the whole picture. */
function chromaRow(part: usize, y: i32, wide: i32, tall: i32, to: usize): usize {
  const stride = load<i32>(part, 24)
  const first = load<i32>(chroma, 12)
  const plane: usize = load<i32>(part, 20)
  const middle = tall == 2 ? y >> 1 : y
  const current = plane + (middle - first) * stride
  if (wide == 1 && tall == 1) return current
  const beside = max(0, min(load<i32>(chroma, 4) - 1, y & 1 ? middle + 1 : middle - 1))
  const near = plane + (beside - first) * stride
  if (wide == 1) between(current, near, stride, y & 1 ? 2 : 1, to)
  else {
    addRows(current, tall == 2 ? near : 0, stride)
    widen(stride, tall == 2, to)
  }
  return to
}

function between(current: usize, near: usize, width: i32, bias: i32, to: usize): void {
  for (let x = 0; x < width; x += 8) {
    const values = i16x8.add(weighted(current + x, near + x), i16x8.splat(<i16>bias))
    const bytes = i16x8.shr_u(values, 2)
    v128.store64_lane(to + x, i8x16.narrow_i16x8_u(bytes, bytes), 0)
  }
}

/** 3 a + b of eight samples each. */
function weighted(a: usize, b: usize): v128 {
  const more = i16x8.extend_low_i8x16_u(v128.load64_zero(a))
  return i16x8.add(
    i16x8.add(more, i16x8.shl(more, 1)),
    i16x8.extend_low_i8x16_u(v128.load64_zero(b)),
  )
}

/** Vertical sums of a row and its neighbour, or the row itself; the picture's first and last column are repeated. */
function addRows(current: usize, near: usize, width: i32): void {
  for (let x = 0; x < width; x += 8) {
    const row = near
      ? weighted(current + x, near + x)
      : i16x8.extend_low_i8x16_u(v128.load64_zero(current + x))
    v128.store(sums + 2 * x, row)
  }
  store<i16>(sums - 2, load<i16>(sums))
  const end = load<i32>(chroma) - load<i32>(chroma, 8)
  if (end <= width) store<i16>(sums + 2 * end, load<i16>(sums + 2 * (end - 1)))
}

/** Twice as many samples: 3/4 of the nearer and 1/4 of the farther sum, rounded up and down in turn. */
function widen(width: i32, isSum: bool, to: usize): void {
  const shift = isSum ? 4 : 2
  const leftBias = i16x8.splat(isSum ? 8 : 1)
  const rightBias = i16x8.splat(isSum ? 7 : 2)
  for (let x = 0; x < width; x += 8) {
    const at = sums + 2 * x
    const own = v128.load(at)
    const triple = i16x8.add(own, i16x8.shl(own, 1))
    const left = i16x8.shr_u(i16x8.add(i16x8.add(triple, v128.load(at - 2)), leftBias), shift)
    const right = i16x8.shr_u(i16x8.add(i16x8.add(triple, v128.load(at + 2)), rightBias), shift)
    v128.store(to + 2 * x, v128.or(left, i16x8.shl(right, 8)))
  }
}

/** red = Y + 1.402 Cr, green = Y - 0.34414 Cb - 0.71414 Cr, blue = Y + 1.772 Cb; the factors' 16-bit parts, whole parts apart. */
function convert(y: v128, cb: v128, cr: v128, to: usize): void {
  const first = i16x8.shuffle(cb, cr, 0, 8, 1, 9, 2, 10, 3, 11)
  const second = i16x8.shuffle(cb, cr, 4, 12, 5, 13, 6, 14, 7, 15)
  const red = i16x8.add(i16x8.add(y, cr), share(first, second, 0, 26345))
  const green = i16x8.add(i16x8.sub(y, cr), share(first, second, -22554, 18734))
  const blue = i16x8.add(i16x8.add(y, i16x8.shl(cb, 1)), share(first, second, -14942, 0))
  storePixels(to, i8x16.narrow_i16x8_u(red, green), i8x16.narrow_i16x8_u(blue, blue))
}

/** (a Cb + b Cr) / 65536, rounded. */
function share(first: v128, second: v128, a: i32, b: i32): v128 {
  const factors = i32x4.splat((a & 0xffff) | (b << 16))
  const half = i32x4.splat(32768)
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(first, factors), half), 16),
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(second, factors), half), 16),
  )
}

/** Eight reds and eight greens, eight blues -> eight pixels. */
function storePixels(to: usize, redGreen: v128, blue: v128): void {
  v128.store(
    to,
    i8x16.shuffle(redGreen, blue, 0, 8, 16, 16, 1, 9, 17, 17, 2, 10, 18, 18, 3, 11, 19, 19),
  )
  v128.store(
    to,
    i8x16.shuffle(redGreen, blue, 4, 12, 20, 20, 5, 13, 21, 21, 6, 14, 22, 22, 7, 15, 23, 23),
    16,
  )
}

/** `count` rows of `width` pixels of three bytes, `stride` bytes apart, as pixels; up to three more are read and written. */
export function pixelsOfTriples(from: usize, stride: i32, count: i32, width: i32, to: usize): void {
  for (let y = 0; y < count; y++) {
    for (let x = 0; x < width; x += 4) {
      const triples = v128.load(from + 3 * x)
      v128.store(
        to + 4 * x,
        i8x16.shuffle(triples, triples, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11),
      )
    }
    from += stride
    to += 4 * width
  }
}

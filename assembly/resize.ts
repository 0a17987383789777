/*
 * Pillow's resampling: fixed-point weights of 22 bits, along rows and along columns, rounded to bytes after each. An axis of `n` results is described by i32 [n, 2], first source position and number of weights, and by `room` weights
 * i32 for each result.
 */
const precision = 22

function half(): v128 {
  return i32x4.splat(1 << (precision - 1))
}

function bytes(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(i32x4.shr_s(a, precision), i32x4.shr_s(b, precision)),
    i16x8.narrow_i32x4_s(i32x4.shr_s(c, precision), i32x4.shr_s(d, precision)),
  )
}

/** `count` rows of pixels, `stride` bytes apart, to rows of `n` pixels. */
export function resizeRows(
  row: usize,
  stride: usize,
  count: i32,
  bounds: usize,
  weights: usize,
  room: i32,
  n: i32,
  to: usize,
): void {
  for (let y = 0; y < count; y++) {
    resizeRow(row, bounds, weights, room, n, to)
    row += stride
    to += 4 * n
  }
}

function resizeRow(row: usize, bounds: usize, weights: usize, room: i32, n: i32, to: usize): void {
  for (let x = 0; x < n; x++) {
    let pixel = row + 4 * load<i32>(bounds)
    let weight = weights
    let sum = half()
    for (const end = weights + 4 * load<i32>(bounds, 4); weight < end; weight += 4) {
      const values = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(pixel)))
      sum = i32x4.add(sum, i32x4.mul(values, v128.load32_splat(weight)))
      pixel += 4
    }
    v128.store32_lane(to + 4 * x, bytes(sum, sum, sum, sum), 0)
    bounds += 8
    weights += 4 * room
  }
}

/** Rows of `n` pixels to `m` rows; up to three pixels more than `n` are read and written. */
export function resizeColumns(
  rows: usize,
  bounds: usize,
  weights: usize,
  room: i32,
  n: i32,
  m: i32,
  to: usize,
): void {
  const stride: usize = 4 * n
  for (let y = 0; y < m; y++) {
    const first = rows + <usize>load<i32>(bounds) * stride
    const end = weights + 4 * load<i32>(bounds, 4)
    for (let x: usize = 0; x < stride; x += 16) {
      let a = half()
      let b = half()
      let c = half()
      let d = half()
      let pixels = first + x
      for (let weight = weights; weight < end; weight += 4) {
        const factor = v128.load32_splat(weight)
        const four = v128.load(pixels)
        const early = i16x8.extend_low_i8x16_u(four)
        const late = i16x8.extend_high_i8x16_u(four)
        a = i32x4.add(a, i32x4.mul(i32x4.extend_low_i16x8_u(early), factor))
        b = i32x4.add(b, i32x4.mul(i32x4.extend_high_i16x8_u(early), factor))
        c = i32x4.add(c, i32x4.mul(i32x4.extend_low_i16x8_u(late), factor))
        d = i32x4.add(d, i32x4.mul(i32x4.extend_high_i16x8_u(late), factor))
        pixels += stride
      }
      v128.store(to + x, bytes(a, b, c, d))
    }
    to += stride
    bounds += 8
    weights += 4 * room
  }
}

/** `count` pixels to the planes of red, green and blue. */
export function separate(pixels: usize, count: i32, to: usize): void {
  const fours = count & ~3
  for (let x = fours; x < count; x++)
    for (let c = 0; c < 3; c++) store<u8>(to + c * count + x, load<u8>(pixels + 4 * x + c))
  for (let x = 0; x < fours; x += 4) {
    const four = v128.load(pixels + 4 * x)
    const planes = i8x16.shuffle(four, four, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
    v128.store32_lane(to + x, planes, 0)
    v128.store32_lane(to + count + x, planes, 1)
    v128.store32_lane(to + 2 * count + x, planes, 2)
  }
}

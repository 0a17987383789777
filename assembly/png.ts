/* PNG's filters: each row's bytes are differences from the pixel to the left, above, or both; its first byte says which. */

/**
 * Undoes the filters of `rows` rows, `stride` bytes apart, in their first `width` pixels of `channels` bytes, 3 or 4. The pixels of four
 * bytes go to `to`, before which lies a row of zeros. Up to 16 bytes more are read and written. False for an unknown filter.
 */
export function unfilter(
  from: usize,
  stride: i32,
  rows: i32,
  width: i32,
  channels: i32,
  to: usize,
): bool {
  for (let y = 0; y < rows; y++) {
    const filter = load<u8>(from)
    const row = from + 1
    const above = to - 4 * width
    if (filter == 0 || filter == 2) unfilterAbove(row, width, channels, filter == 2, above, to)
    else if (filter == 1) unfilterLeft(row, width, channels, to)
    else if (filter == 3) unfilterMean(row, width, channels, above, to)
    else if (filter == 4) unfilterPaeth(row, width, channels, above, to)
    else return false
    from += stride
    to += 4 * width
  }
  return true
}

/** Four pixels at once, plus those above them. */
function unfilterAbove(
  row: usize,
  width: i32,
  channels: i32,
  hasAbove: bool,
  above: usize,
  to: usize,
): void {
  for (let x = 0; x < width; x += 4) {
    const bytes = v128.load(row + x * channels)
    const pixels =
      channels == 4
        ? bytes
        : i8x16.shuffle(bytes, bytes, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11)
    const sum = hasAbove ? i8x16.add(pixels, v128.load(above + 4 * x)) : pixels
    if (x + 4 <= width) v128.store(to + 4 * x, sum)
    else storeSome(to + 4 * x, sum, width - x)
  }
}

/** Stores one to three pixels: what comes after them may be the next row's zeros no more. */
function storeSome(to: usize, pixels: v128, count: i32): void {
  v128.store32_lane(to, pixels, 0)
  if (count > 1) v128.store32_lane(to, pixels, 1, 4)
  if (count > 2) v128.store32_lane(to, pixels, 2, 8)
}

function unfilterLeft(row: usize, width: i32, channels: i32, to: usize): void {
  let left = i64x2.splat(0)
  for (let x = 0; x < width; x++) {
    left = i8x16.add(v128.load32_zero(row), left)
    v128.store32_lane(to + 4 * x, left, 0)
    row += channels
  }
}

function unfilterMean(row: usize, width: i32, channels: i32, above: usize, to: usize): void {
  const one = i8x16.splat(1)
  let left = i64x2.splat(0)
  for (let x = 0; x < width; x++) {
    const up = v128.load32_zero(above + 4 * x)
    const odd = v128.and(v128.xor(left, up), one)
    const mean = i8x16.sub(i8x16.avgr_u(left, up), odd)
    left = i8x16.add(v128.load32_zero(row), mean)
    v128.store32_lane(to + 4 * x, left, 0)
    row += channels
  }
}

/** Plus the one of left, above and the corner that is nearest to left + above - corner; the earlier of two. */
function unfilterPaeth(row: usize, width: i32, channels: i32, above: usize, to: usize): void {
  const low = i16x8.splat(255)
  let left = i64x2.splat(0)
  let corner = i64x2.splat(0)
  for (let x = 0; x < width; x++) {
    const up = i16x8.extend_low_i8x16_u(v128.load32_zero(above + 4 * x))
    const fromLeft = i16x8.sub(up, corner)
    const fromUp = i16x8.sub(left, corner)
    const byLeft = i16x8.abs(fromLeft)
    const byUp = i16x8.abs(fromUp)
    const byCorner = i16x8.abs(i16x8.add(fromLeft, fromUp))
    const notLeft = v128.or(i16x8.gt_s(byLeft, byUp), i16x8.gt_s(byLeft, byCorner))
    const other = v128.bitselect(corner, up, i16x8.gt_s(byUp, byCorner))
    const nearest = v128.bitselect(other, left, notLeft)
    const value = i16x8.extend_low_i8x16_u(v128.load32_zero(row))
    left = v128.and(i16x8.add(value, nearest), low)
    corner = up
    v128.store32_lane(to + 4 * x, i8x16.narrow_i16x8_u(left, left), 0)
    row += channels
  }
}

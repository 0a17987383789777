import { cubicFilter } from '../pixels/geometry.ts'

/**
 * Resizes a square grid of vectors `[side, side, width]` to `target` a side, bicubic and antialiased, as timm's
 * `resample_abs_pos_embed` and OpenCLIP's `resize_pos_embed` do.
 */
export function resizeGrid(
  values: Float32Array,
  { side, target, width }: { side: number; target: number; width: number },
): Float32Array {
  const weights = cubicWeights(side, target)
  const rows = new Float32Array(target * side * width)
  addWeighted(values, rows, { weights, outer: 1, inner: side * width })
  const grid = new Float32Array(target * target * width)
  addWeighted(rows, grid, { weights, outer: target, inner: width })
  return grid
}

/** The weight of each position of an axis for each new position, [target][side]. */
function cubicWeights(side: number, target: number): number[][] {
  const scale = Math.max(1, side / target)
  return Array.from({ length: target }, (_, to) => {
    const center = ((to + 0.5) * side) / target
    const row = Array.from({ length: side }, (_, from) => {
      const distance = (from + 0.5 - center) / scale
      return Math.abs(distance) < 2 ? cubicFilter(distance) : 0
    })
    const sum = row.reduce((total, weight) => total + weight, 0)
    return row.map(weight => weight / sum)
  })
}

/** Applies the weights along the middle axis of [outer, side, inner], which gives [outer, target, inner]. */
function addWeighted(
  from: Float32Array,
  to: Float32Array,
  { weights, outer, inner }: { weights: readonly number[][]; outer: number; inner: number },
): void {
  const [target, side] = [weights.length, weights[0]!.length]
  for (let o = 0; o < outer; o++)
    for (const [t, row] of weights.entries())
      for (const [s, weight] of row.entries()) {
        if (weight === 0) continue
        const [source, result] = [(o * side + s) * inner, (o * target + t) * inner]
        for (let i = 0; i < inner; i++) to[result + i]! += weight * from[source + i]!
      }
}

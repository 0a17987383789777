import { type ModelFeatures } from '../../evaluate/workers/extractFeatures.ts'

export interface FittedHead {
  /** [classes, width] */
  weight: Float32Array
  /** [classes] */
  bias: Float32Array
}

/** Factor on the scores: the softmax of least-squares scores would be nearly flat without it. */
const sharpness = 10

/**
 * Ridge regression of one-hot classes on standardized features, in closed form through the images' Gram matrix, with the
 * standardization folded into the head. The first `labels.length` rows of the features are trained on.
 */
export function fitHead(
  { values, width }: ModelFeatures,
  labels: readonly number[],
  classes: number,
): FittedHead {
  const n = labels.length
  const { centers, scales } = moments(values, width, n)
  const x = Float64Array.from({ length: n * width }, (_, at) => {
    const column = at % width
    return (values[at]! - centers[column]!) / scales[column]!
  })
  const gram = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0
      for (let k = 0; k < width; k++) dot += x[i * width + k]! * x[j * width + k]!
      gram[i * n + j] = gram[j * n + i] = dot / width
    }
    gram[i * n + i]! += 0.1
  }
  const targets = Array.from({ length: classes }, (_, c) =>
    Float64Array.from(labels, label => (label === c ? 1 : 0) - 1 / classes),
  )
  const duals = solve(gram, targets)
  const weight = new Float32Array(classes * width)
  const bias = new Float32Array(classes)
  for (const [c, dual] of duals.entries()) {
    let shift = 0
    for (let k = 0; k < width; k++) {
      let slope = 0
      for (let i = 0; i < n; i++) slope += dual[i]! * x[i * width + k]!
      slope *= sharpness / (width * scales[k]!)
      weight[c * width + k] = slope
      shift += slope * centers[k]!
    }
    bias[c] = -shift
  }
  return { weight, bias }
}

function moments(
  values: Float32Array,
  width: number,
  n: number,
): { centers: Float64Array; scales: Float64Array } {
  const centers = new Float64Array(width)
  const scales = new Float64Array(width)
  for (let at = 0; at < n * width; at++) centers[at % width]! += values[at]! / n
  for (let at = 0; at < n * width; at++)
    scales[at % width]! += (values[at]! - centers[at % width]!) ** 2 / n
  const typical = Math.sqrt(scales.reduce((sum, variance) => sum + variance, 0) / width)
  return {
    centers,
    scales: scales.map(variance => Math.max(Math.sqrt(variance), 1e-3 * typical, 1e-12)),
  }
}

/** Solves the symmetric positive definite system for several right-hand sides by Cholesky's method. */
function solve(matrix: Float64Array, sides: readonly Float64Array[]): Float64Array[] {
  const n = Math.sqrt(matrix.length)
  const lower = new Float64Array(matrix.length)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i * n + j]!
      for (let k = 0; k < j; k++) rest -= lower[i * n + k]! * lower[j * n + k]!
      lower[i * n + j] = i === j ? Math.sqrt(rest) : rest / lower[j * n + j]!
    }
  }
  return sides.map(side => {
    const y = Float64Array.from(side)
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) y[i]! -= lower[i * n + k]! * y[k]!
      y[i]! /= lower[i * n + i]!
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) y[i]! -= lower[k * n + i]! * y[k]!
      y[i]! /= lower[i * n + i]!
    }
    return y
  })
}

/*
 * The distribution of true values behind noisy ones, without assuming its form: Kiefer and Wolfowitz's nonparametric maximum
 * likelihood, by EM over a grid, for normal noise of known standard error. Equal groups collapse to one point, two camps
 * to two, so shrinking towards it removes noise without smearing real gaps as a normal prior would.
 */

const gridPoints = 80
const emIterations = 150

/** Posterior means of the true values behind `x` with standard errors `se` (all > 0), in the same order. */
export function posteriorMeans(x: Float64Array, se: Float64Array): Float64Array {
  const low = Math.min(...x)
  const width = (Math.max(...x) - low) / (gridPoints - 1)
  const likelihood = new Float64Array(x.length * gridPoints)
  for (let k = 0; k < x.length; k++) {
    const distances = Float64Array.from(
      { length: gridPoints },
      (_, g) => ((x[k]! - low - g * width) / se[k]!) ** 2,
    )
    // Relative to the nearest point: with millions of images the likelihood itself is too small for a number.
    const least = Math.min(...distances)
    likelihood.set(
      distances.map(distance => Math.exp(-0.5 * (distance - least))),
      k * gridPoints,
    )
  }
  const weights = new Float64Array(gridPoints).fill(1 / gridPoints)
  for (let step = 0; step < emIterations; step++) emStep(likelihood, weights, x.length)
  return x.map((_, k) => {
    let [total, moment] = [0, 0]
    for (let g = 0; g < gridPoints; g++) {
      const share = likelihood[k * gridPoints + g]! * weights[g]!
      total += share
      moment += share * g
    }
    return low + (width * moment) / total
  })
}

function emStep(likelihood: Float64Array, weights: Float64Array, count: number): void {
  const next = new Float64Array(gridPoints)
  for (let k = 0; k < count; k++) {
    let total = 0
    for (let g = 0; g < gridPoints; g++) total += likelihood[k * gridPoints + g]! * weights[g]!
    for (let g = 0; g < gridPoints; g++)
      next[g]! += (likelihood[k * gridPoints + g]! * weights[g]!) / total
  }
  for (let g = 0; g < gridPoints; g++) weights[g] = next[g]! / count
}

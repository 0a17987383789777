/*
 * The distribution of true shares behind observed ones, without assuming its form: Kiefer and Wolfowitz's nonparametric maximum
 * likelihood, by EM over a grid, for binomial counts. Equal groups collapse to one point, two camps to two, so shrinking
 * towards it removes noise without smearing real gaps as a normal prior would.
 */

const gridPoints = 80
const emIterations = 150

/** Posterior means of the true shares behind the shares `x` of `n` images each (not always whole numbers), in order. */
export function posteriorMeans(x: Float64Array, n: Float64Array): Float64Array {
  const low = Math.min(...x)
  const width = (Math.max(...x) - low) / (gridPoints - 1)
  const grid = Float64Array.from({ length: gridPoints }, (_, g) => Math.min(1, low + g * width))
  const likelihood = new Float64Array(x.length * gridPoints)
  for (let k = 0; k < x.length; k++) {
    const fit = grid.map(
      share => n[k]! * (logTerm(x[k]!, share) + logTerm(1 - x[k]!, Math.max(0, 1 - share))),
    )
    // Relative to the best point: with millions of images the likelihood itself is too small for a number.
    const best = Math.max(...fit)
    likelihood.set(
      fit.map(value => Math.exp(value - best)),
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

const logTerm = (part: number, share: number): number => (part > 0 ? part * Math.log(share) : 0)

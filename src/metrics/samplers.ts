import { inputError } from '../lib/errors.ts'
import { type Random } from '../lib/random.ts'

/** Errors: bad-draws. */
export function checkDraws(draws: number): void {
  if (!(Number.isSafeInteger(draws) && draws > 0)) {
    throw inputError('bad-draws', `${draws} draws: a whole number of at least 1 is needed`)
  }
}

/** Standard normal numbers by Marsaglia's polar method. */
export function fillNormal(out: Float64Array, random: Random): Float64Array {
  for (let i = 0; i < out.length;) {
    const u = 2 * random() - 1
    const v = 2 * random() - 1
    const square = u * u + v * v
    if (square >= 1 || square === 0) continue
    const scale = Math.sqrt((-2 * Math.log(square)) / square)
    out[i++] = u * scale
    if (i < out.length) out[i++] = v * scale
  }
  return out
}

/** Poisson numbers of mean 1, by inversion of the distribution function. */
export function samplePoissonOne(random: Random): number {
  const u = random()
  let k = 0
  while (k < poissonSteps.length && u >= poissonSteps[k]!) k++
  return k
}

const poissonSteps = (() => {
  const steps: number[] = []
  let chance = Math.exp(-1)
  let sum = 0
  for (let k = 1; k <= 18; k++) {
    sum += chance
    steps.push(sum)
    chance /= k
  }
  return steps
})()

/** Draws hypergeometric counts; keeps a table of log factorials up to `most`. */
export function hypergeometricSampler(
  most: number,
  random: Random,
): (draws: number, good: number, total: number) => number {
  const logFactorial = new Float64Array(most + 1)
  for (let i = 2; i <= most; i++) logFactorial[i] = logFactorial[i - 1]! + Math.log(i)
  const logChoose = (n: number, k: number): number =>
    logFactorial[n]! - logFactorial[k]! - logFactorial[n - k]!
  return (draws, good, total) => {
    const bad = total - good
    const low = Math.max(0, draws - bad)
    const high = Math.min(draws, good)
    const mode = Math.min(high, Math.max(low, Math.floor(((draws + 1) * (good + 1)) / (total + 2))))
    const peak = Math.exp(
      logChoose(good, mode) + logChoose(bad, draws - mode) - logChoose(total, draws),
    )
    let u = random() - peak
    let [down, up, downChance, upChance] = [mode, mode, peak, peak]
    while (u >= 0 && (down > low || up < high)) {
      if (up < high) {
        upChance *= ((good - up) * (draws - up)) / ((up + 1) * (bad - draws + up + 1))
        up++
        u -= upChance
        if (u < 0) return up
      }
      if (down > low) {
        downChance *= (down * (bad - draws + down)) / ((good - down + 1) * (draws - down + 1))
        down--
        u -= downChance
        if (u < 0) return down
      }
    }
    return mode
  }
}

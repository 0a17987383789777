import { inputError } from '../lib/errors.ts'
import { type Random, randomFrom, shuffle } from '../lib/random.ts'

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

/** Uniform numbers for repeated draws of binomial counts, one column of `draws` numbers for each group. */
export interface BinomialDraws {
  groups: number
  draws: number
  /** Rising within a group, one in each of `draws` equal parts of 0 … 1; row-major [group, draw]. */
  uniforms: Float64Array
  /** Number of the draw that each uniform belongs to. */
  order: Int32Array
}

/** Errors: bad-seed. */
export function createBinomialDraws(groups: number, draws: number, seed: number): BinomialDraws {
  const random = randomFrom(seed)
  const uniforms = new Float64Array(groups * draws)
  const order = new Int32Array(groups * draws)
  for (let k = 0; k < groups; k++) {
    const mine = order.subarray(k * draws, (k + 1) * draws)
    for (let i = 0; i < draws; i++) {
      mine[i] = i
      uniforms[k * draws + i] = (i + random()) / draws
    }
    shuffle(mine, random)
  }
  return { groups, draws, uniforms, order }
}

/** Largest minus smallest share in each draw of binomials with `n` images (rounded) and chances `chances`. */
export function fillRanges(
  { groups, draws, uniforms, order }: BinomialDraws,
  n: ArrayLike<number>,
  chances: ArrayLike<number>,
): Float64Array {
  const least = new Float64Array(draws).fill(1)
  const ranges = new Float64Array(draws)
  for (let k = 0; k < groups; k++) {
    const size = Math.max(1, Math.round(n[k]!))
    const { first, steps } = binomialSteps(size, Math.min(1, Math.max(0, chances[k]!)))
    const last = steps.length - 1
    let at = 0
    let share = first / size
    for (let i = k * draws; i < (k + 1) * draws; i++) {
      const uniform = uniforms[i]!
      if (at < last && uniform > steps[at]!) {
        do at++
        while (at < last && uniform > steps[at]!)
        share = (first + at) / size
      }
      const draw = order[i]!
      if (share < least[draw]!) least[draw] = share
      if (share > ranges[draw]!) ranges[draw] = share
    }
  }
  for (let draw = 0; draw < draws; draw++) ranges[draw]! -= least[draw]!
  return ranges
}

/** Distribution function of a binomial from the count `first` on; leaves out counts less likely than 1e-14 of the mode. */
function binomialSteps(n: number, chance: number): { first: number; steps: number[] } {
  if (chance === 0 || chance === 1) return { first: chance * n, steps: [1] }
  const odds = chance / (1 - chance)
  const mode = Math.min(n, Math.floor((n + 1) * chance))
  const below: number[] = []
  for (let k = mode, weight = 1; k > 0; k--) {
    weight *= k / ((n - k + 1) * odds)
    if (weight < 1e-14) break
    below.push(weight)
  }
  const steps = [...below.reverse(), 1]
  for (let k = mode, weight = 1; k < n; k++) {
    weight *= ((n - k) * odds) / (k + 1)
    if (weight < 1e-14) break
    steps.push(weight)
  }
  for (let i = 1; i < steps.length; i++) steps[i]! += steps[i - 1]!
  const total = steps.at(-1)!
  return { first: mode - below.length, steps: steps.map(step => step / total) }
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

/* Empirical Bayes: accuracies of many small cells, drawn towards their common mean by as much as their counts say. */
import { inputError } from '../lib/errors.ts'
import { betaQuantile, logGamma } from './distributions.ts'
import { type Interval } from './intervals.ts'

/** The distribution of the cells' true accuracies. */
export interface BetaPrior {
  alpha: number
  beta: number
}

/** The shrunken accuracy of a cell. */
export interface ShrunkenShare {
  /** Mean of the cell's accuracy given its counts and the other cells. */
  value: number
  /** 95 % credible interval, with the prior taken as known. */
  interval: Interval
}

const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b)

/** Largest weight of the prior, in images: cells that do not differ at all. */
const mostImages = 1e5

/**
 * Fits the beta distribution of the accuracies of cells by maximum likelihood of their beta-binomial counts (as SciPy's
 * `betabinom` has them). Errors: bad-counts without two cells with images.
 */
export function fitBetaPrior(cells: readonly { n: number; hits: number }[]): BetaPrior {
  const known = cells.filter(({ n }) => n > 0)
  if (known.length < 2)
    throw inputError('bad-counts', `${known.length} cells with images do not tell how cells differ`)
  const kinds = new Map<string, { n: number; hits: number; count: number }>()
  for (const { n, hits } of known) {
    const key = `${n} ${hits}`
    const kind = kinds.get(key) ?? { n, hits, count: 0 }
    kinds.set(key, kind)
    kind.count += 1
  }
  const likelihood = (mean: number, weight: number): number => {
    const [a, b] = [mean * weight, (1 - mean) * weight]
    const base = logBeta(a, b)
    let sum = 0
    for (const { n, hits, count } of kinds.values())
      sum += count * (logBeta(hits + a, n - hits + b) - base)
    return sum
  }
  let mean =
    (known.reduce((sum, { hits }) => sum + hits, 0) + 0.5) /
    (known.reduce((sum, { n }) => sum + n, 0) + 1)
  let logWeight = Math.log(10)
  for (let round = 0; round < 60; round++) {
    const before = [mean, logWeight] as const
    logWeight = maximumOf(x => likelihood(mean, Math.exp(x)), Math.log(0.05), Math.log(mostImages))
    mean = maximumOf(x => likelihood(x, Math.exp(logWeight)), 1e-4, 1 - 1e-4)
    if (Math.abs(mean - before[0]) < 1e-9 && Math.abs(logWeight - before[1]) < 1e-8) break
  }
  const weight = Math.exp(logWeight)
  return { alpha: mean * weight, beta: (1 - mean) * weight }
}

/** Returns where a function of one maximum is largest (golden section). */
function maximumOf(f: (x: number) => number, low: number, high: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2
  let [a, b] = [low, high]
  let [c, d] = [b - ratio * (b - a), a + ratio * (b - a)]
  let [atC, atD] = [f(c), f(d)]
  while (b - a > 1e-10 * Math.max(1, Math.abs(b))) {
    if (atC > atD) {
      b = d
      d = c
      atD = atC
      c = b - ratio * (b - a)
      atC = f(c)
    } else {
      a = c
      c = d
      atC = atD
      d = a + ratio * (b - a)
      atD = f(d)
    }
  }
  return (a + b) / 2
}

/** Returns the mean of a cell's accuracy given its counts and the other cells. */
export const shrunkenMean = (
  { n, hits }: { n: number; hits: number },
  { alpha, beta }: BetaPrior,
): number => (hits + alpha) / (n + alpha + beta)

/** Returns the shrunken accuracy of a cell, (hits + α) / (n + α + β), with its credible interval. */
export function shrunkenShare(
  { n, hits }: { n: number; hits: number },
  { alpha, beta }: BetaPrior,
): ShrunkenShare {
  const [a, b] = [hits + alpha, n - hits + beta]
  return { value: a / (a + b), interval: [betaQuantile(0.025, a, b), betaQuantile(0.975, a, b)] }
}

/*
 * Accuracies of many small cells, drawn towards their common mean by as much as their counts say. The true accuracies of the cells
 * have a beta distribution, whose mean and weight are not known either, so that both are integrated over, on a grid: intervals at
 * their most likely values held in as few as 30 % of samples where cells were few or hardly differed.
 */
import { inputError } from '../lib/errors.ts'
import { groupByKey } from '../lib/tally.ts'
import { betaQuantile, logGamma } from './distributions.ts'
import { type Interval, smoothedShare } from './intervals.ts'
import { sum } from './numbers.ts'

/** Images of a cell and right ones among them; fractions where images are not independent. */
interface CellCounts {
  n: number
  hits: number
  /** Factor by which the variance is raised because the clusters are few; 1 by default. */
  widening?: number
}

/** The shrunken accuracy of a cell. */
export interface ShrunkenShare {
  /** Mean of the cell's accuracy given its counts and the other cells. */
  value: number
  /** 95 % credible interval. */
  interval: Interval
}

/** A beta distribution that the cells' true accuracies may have, and its probability given all counts. */
interface WeightedPrior {
  alpha: number
  beta: number
  probability: number
}

const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b)

/** Weights of the prior, in images, from cells of any accuracy to cells that do not differ at all. */
const priorWeights = Array.from({ length: 41 }, (_, i) => Math.exp(-1.5 + 0.325 * i))
/** Means of the prior, in standard errors from the most likely one. */
const meanSteps = Array.from({ length: 19 }, (_, i) => 0.5 * (i - 9))
const negligible = 1e-6

/**
 * Returns the shrunken accuracies of cells: the means of (hits + α) / (n + α + β) over what α and β may be given all counts, which are
 * beta-binomial. Before the counts, the mean α / (α + β) and the spread (α + β)^-½ are uniform (Gelman et al., Bayesian Data
 * Analysis, section 5.3). Errors: bad-counts without two cells with images.
 */
export function shrunkenShares(cells: readonly CellCounts[]): ShrunkenShare[] {
  const known = cells.filter(({ n }) => n > 0)
  if (known.length < 2)
    throw inputError('bad-counts', `${known.length} cells with images do not tell how cells differ`)
  const kinds = groupByKey(cells, kindOf)
  const priors = possiblePriors(
    known,
    [...kinds.values()].map(alike => ({ ...alike[0]!, count: alike.length })),
  )
  const shares = new Map(
    [...kinds].map(([key, alike]) => [
      key,
      posteriorShare(alike[0]!, priors, 1 + 2 / known.length),
    ]),
  )
  return cells.map(cell => shares.get(kindOf(cell))!)
}

const kindOf = ({ n, hits, widening = 1 }: CellCounts): string => `${n} ${hits} ${widening}`

/** Returns the distributions that are likely given the counts, of which there are `kinds`. */
function possiblePriors(
  cells: readonly CellCounts[],
  kinds: readonly (CellCounts & { count: number })[],
): WeightedPrior[] {
  const points = priorWeights.flatMap(weight =>
    priorMeans(cells, weight).map(({ mean, step }) => {
      const [alpha, beta] = [mean * weight, (1 - mean) * weight]
      const base = logBeta(alpha, beta)
      let log = Math.log(step) - 0.5 * Math.log(weight)
      for (const { n, hits, count } of kinds)
        log += count * (logBeta(hits + alpha, n - hits + beta) - base)
      return { alpha, beta, log }
    }),
  )
  const largest = points.reduce((most, { log }) => Math.max(most, log), -Infinity)
  const likely = points.filter(({ log }) => log > largest + Math.log(negligible))
  const total = sum(likely.map(({ log }) => Math.exp(log - largest)))
  return likely.map(({ alpha, beta, log }) => ({
    alpha,
    beta,
    probability: Math.exp(log - largest) / total,
  }))
}

/** Returns means of the prior around the most likely one, evenly in log odds, with the width of means that each stands for. */
function priorMeans(
  cells: readonly CellCounts[],
  weight: number,
): { mean: number; step: number }[] {
  const precisions = cells.map(({ n }) => n / (1 + (n - 1) / (weight + 1)))
  const total = sum(precisions)
  const center = smoothedShare(
    sum(cells.map(({ n, hits }, i) => (precisions[i]! * hits) / n)),
    total,
  )
  const error = 1 / Math.sqrt((total + 1) * center * (1 - center))
  const middle = Math.log(center / (1 - center))
  return meanSteps.map(steps => {
    const mean = 1 / (1 + Math.exp(-(middle + steps * error)))
    return { mean, step: error * mean * (1 - mean) }
  })
}

/**
 * Returns the mean of a cell's accuracy, and the interval of the beta distribution of its mean and `widened` variance: a mixture of
 * priors has longer tails than one of them where cells are few.
 */
function posteriorShare(
  { n, hits, widening = 1 }: CellCounts,
  priors: readonly WeightedPrior[],
  widened: number,
): ShrunkenShare {
  let [value, square] = [0, 0]
  for (const { alpha, beta, probability } of priors) {
    const [a, size] = [hits + alpha, n + alpha + beta]
    value += (probability * a) / size
    square += (probability * a * (a + 1)) / (size * (size + 1))
  }
  const size = (value * (1 - value)) / (widening * widened * (square - value * value)) - 1
  const [a, b] = [value * size, (1 - value) * size]
  return { value, interval: [betaQuantile(0.025, a, b), betaQuantile(0.975, a, b)] }
}

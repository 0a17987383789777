/*
 * Intervals that stay valid at any stopping time, for the mean of a finite list of outcomes read in random order.
 *
 * If the mean of all N outcomes were m, the next outcome's expectation would be known: what is left of the total, spread
 * over what is left of the list. So a bettor against m plays a fair game, whose capital exceeds 1/α with a chance of at most α, ever
 * (Ville). All m on which no bettor got rich form the interval (Waudby-Smith and Ramdas 2020, "Confidence sequences for
 * sampling without replacement", and 2024, "Estimating means of bounded random variables by betting").
 *
 * A prediction for every image, fixed before the image is read, changes what is bet on and nothing about fairness: the bet
 * is on outcome minus prediction, whose expectation under m is known as well. Good predictions leave a small variance,
 * and with it a narrow interval; bad ones cost width, never validity.
 */
import { inputError } from '../lib/errors.ts'
import { logGamma } from './distributions.ts'
import { checkConfidence, type Interval } from './intervals.ts'
import { bisect, sum } from './numbers.ts'

/**
 * Interval of the share of hits among `total` images, valid at any stopping time, from `hits` of the `n` images that were read so
 * far in random order: all totals of hits that the reading makes at least `1 - confidence` times as likely as a uniform
 * prior does (Waudby-Smith and Ramdas 2020, section 2). Null for a total of 0. Errors: bad-outcomes, bad-confidence.
 */
export function finiteInterval(
  { hits, n, total }: { hits: number; n: number; total: number },
  confidence = 0.95,
): Interval | null {
  checkConfidence(confidence)
  if (![hits, n, total].every(Number.isInteger) || !(hits >= 0 && hits <= n && n <= total)) {
    throw inputError('bad-outcomes', `${hits} hits of ${n} images of ${total} is not a share`)
  }
  if (total === 0) return null
  const prior = logGamma(hits + 1) + logGamma(n - hits + 1) - logGamma(n + 2)
  const limit = Math.log(1 - confidence) + prior + logFalling(total, n)
  const outside = (all: number): boolean =>
    logFalling(all, hits) + logFalling(total - all, n - hits) < limit
  const [least, most] = [hits, total - n + hits]
  const likeliest =
    n === 0 ? least : Math.min(most, Math.max(least, Math.round((hits / n) * total)))
  return [
    lastInside(likeliest, least, outside) / total,
    lastInside(likeliest, most, outside) / total,
  ]
}

/** ln of `a (a - 1) … (a - b + 1)`. */
const logFalling = (a: number, b: number): number => logGamma(a + 1) - logGamma(a - b + 1)

/** The whole number farthest from `inside` towards `far` that is not outside. */
function lastInside(inside: number, far: number, outside: (value: number) => boolean): number {
  if (!outside(far)) return far
  let [near, beyond] = [inside, far]
  while (Math.abs(beyond - near) > 1) {
    const middle = Math.trunc((near + beyond) / 2)
    if (outside(middle)) beyond = middle
    else near = middle
  }
  return near
}

export interface AnytimeOptions {
  /** Default 0.95. */
  confidence?: number
  /** Half-width that matters most, as a share; the bets are tuned to it. Default: all from 0.25 % to 32 % alike. */
  target?: number
}

/** Outcomes of the images of a finite list that have been read so far, in random order. */
export interface VisitedOutcomes {
  /** 0 or 1 for each image read. */
  outcomes: ArrayLike<number>
  /**
   * For every image of the list, read or not, in the same order: its class among the control variates (0 … bins - 1), such
   * as how many other models got it right. Known for all images before any is read.
   */
  bins: ArrayLike<number>
}

/** The mean over all images of `bins`, with each image not read yet counted as predicted. */
export function anytimeEstimate({ outcomes, bins }: VisitedOutcomes): number {
  const predictions = createPredictor(1 + max(bins))
  for (let i = 0; i < outcomes.length; i++) predictions.learn(bins[i]!, outcomes[i]!)
  let total = sum(outcomes)
  for (let i = outcomes.length; i < bins.length; i++) total += predictions.of(bins[i]!)
  return total / bins.length
}

/** Share of the outcomes' variance that the predictions from the bins, each made before its image was read, have spared. */
export function varianceExplained(visited: VisitedOutcomes): number {
  const left = ({ bins, outcomes }: VisitedOutcomes): number => {
    const { surprise } = playRounds({ outcomes, bins })
    return surprise.reduce((total, value) => total + value * value, 0)
  }
  const alone = left({ ...visited, bins: new Uint8Array(visited.bins.length) })
  return alone === 0 ? 0 : Math.max(0, 1 - left(visited) / alone)
}

/**
 * Interval of the mean over all images of `bins`, valid at any stopping time, from the outcomes of those read so far. The whole
 * list read gives the mean itself. Errors: bad-outcomes, bad-confidence.
 */
export function anytimeInterval(visited: VisitedOutcomes, options: AnytimeOptions = {}): Interval {
  const { outcomes, bins } = visited
  checkConfidence(options.confidence ?? 0.95)
  if (outcomes.length > bins.length) {
    throw inputError(
      'bad-outcomes',
      `${outcomes.length} outcomes of a list of ${bins.length} images`,
    )
  }
  const [read, images] = [outcomes.length, bins.length]
  const hits = sum(outcomes)
  const possible: Interval = [hits / images, (hits + images - read) / images]
  if (read === 0 || read === images) return possible
  const rich = createBettors(visited, options)
  return [
    findEdge(mean => rich(mean, 1), possible),
    findEdge(mean => rich(mean, -1), [possible[1], possible[0]]),
  ]
}

/** Whether the interval leaves out `mean`: one look instead of a search for both ends. */
export function anytimeExcludes(
  visited: VisitedOutcomes,
  mean: number,
  options: AnytimeOptions = {},
): boolean {
  const rich = createBettors(visited, options)
  return rich(mean, 1) || rich(mean, -1)
}

function createBettors(visited: VisitedOutcomes, { confidence = 0.95, target }: AnytimeOptions) {
  const game = playRounds(visited)
  const limit = Math.log(2 / (1 - confidence))
  return (mean: number, sign: 1 | -1): boolean => logCapital(game, { mean, sign }, target) >= limit
}

/** Bets' tuning: distances between the true mean and the one bet against, as shares. */
const bettingDistances = Array.from({ length: 8 }, (_, i) => 0.0025 * 2 ** i)

/** What the bettor knows before each image, and what it turned out to be. */
interface BettingGame {
  /** Outcome minus prediction, and the least and the largest value that it could have had. */
  surprise: Float64Array
  least: Float64Array
  most: Float64Array
  /** Expected surprise if the mean is m: `offset + slope × m`. */
  offset: Float64Array
  slope: Float64Array
  /** Variance of the surprises so far. */
  variance: Float64Array
}

function playRounds({ outcomes, bins }: VisitedOutcomes): BettingGame {
  const [read, images] = [outcomes.length, bins.length]
  const game = Object.fromEntries(
    ['surprise', 'least', 'most', 'offset', 'slope', 'variance'].map(name => [
      name,
      new Float64Array(read),
    ]),
  ) as unknown as BettingGame
  const kinds = 1 + max(bins)
  const left = new Float64Array(kinds)
  for (let i = 0; i < images; i++) left[bins[i]!]!++
  const predictions = createPredictor(kinds)
  let hits = 0
  let spread = prior.weight / 4
  for (let t = 0; t < read; t++) {
    const remaining = images - t
    let expected = 0
    let [low, high] = [1, 0]
    for (let bin = 0; bin < kinds; bin++) {
      if (left[bin] === 0) continue
      const value = predictions.of(bin)
      expected += left[bin]! * value
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
    const bin = bins[t]!
    game.surprise[t] = outcomes[t]! - predictions.of(bin)
    game.least[t] = -high
    game.most[t] = 1 - low
    game.offset[t] = -(hits + expected) / remaining
    game.slope[t] = images / remaining
    game.variance[t] = spread / (t + prior.weight)
    spread += game.surprise[t]! ** 2
    hits += outcomes[t]!
    left[bin]!--
    predictions.learn(bin, outcomes[t]!)
  }
  return game
}

const prior = { weight: 4 }

/** Share of hits in each bin so far, drawn towards the share over all bins. */
function createPredictor(kinds: number) {
  const [hits, seen] = [new Float64Array(kinds), new Float64Array(kinds)]
  const all = { hits: 1, seen: 2 }
  return {
    of: (bin: number): number =>
      (hits[bin]! + (prior.weight * all.hits) / all.seen) / (seen[bin]! + prior.weight),
    learn(bin: number, outcome: number): void {
      hits[bin]! += outcome
      seen[bin]!++
      all.hits += outcome
      all.seen++
    },
  }
}

/** A bet may lose at most this share of the capital. */
const maxBetShare = 0.9
/** Capital grows by a factor from 0.1 to 2e9 a round: the product of so many fits a float, and one logarithm does for all. */
const roundsPerLogarithm = 16
/** A mean that could just be is not taken for impossible. */
const roundingTolerance = 1e-9

/**
 * Logarithm of the capital of bettors who hold that the mean is above (`sign` 1) or below (-1) `mean`: one for each distance,
 * the stake shared among them. Falls with `mean` for 1, rises for -1.
 */
function logCapital(
  game: BettingGame,
  { mean, sign }: { mean: number; sign: 1 | -1 },
  target?: number,
): number {
  const capitals = bettingDistances.map(distance => Math.log(stake(distance, target)))
  const growth = new Float64Array(capitals.length).fill(1)
  const { length } = game.surprise
  for (let t = 0; t < length; t++) {
    const slope = game.slope[t]!
    const expected = game.offset[t]! + slope * mean
    const room = sign > 0 ? expected - game.least[t]! : game.most[t]! - expected
    if (room < -roundingTolerance) return Infinity
    const largestBet = maxBetShare / Math.max(room, roundingTolerance)
    const gain = sign * (game.surprise[t]! - expected)
    for (let k = 0; k < growth.length; k++) {
      const bet = Math.min((bettingDistances[k]! * slope) / game.variance[t]!, largestBet)
      growth[k]! *= 1 + bet * gain
    }
    if (t % roundsPerLogarithm > 0 && t < length - 1) continue
    for (let k = 0; k < growth.length; k++) capitals[k]! += Math.log(growth[k]!)
    growth.fill(1)
  }
  const top = Math.max(...capitals)
  if (top === Infinity) return top
  return top + Math.log(capitals.reduce((total, capital) => total + Math.exp(capital - top), 0))
}

function stake(distance: number, target?: number): number {
  if (target === undefined) return 1 / bettingDistances.length
  const nearest = bettingDistances.reduce((a, b) =>
    Math.abs(Math.log(b / target)) < Math.abs(Math.log(a / target)) ? b : a,
  )
  return distance === nearest ? 0.65 : 0.35 / (bettingDistances.length - 1)
}

/** The point between `from` (where the bettor is rich) and `to` where that ends. */
const findEdge = (rich: (mean: number) => boolean, [from, to]: Interval): number =>
  rich(from) ? bisect(rich, [to, from], 30) : from

const max = (values: ArrayLike<number>): number => {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]!)
  return most
}

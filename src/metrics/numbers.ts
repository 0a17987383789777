import { inputError } from '../lib/errors.ts'
import { tQuantile } from './distributions.ts'
import { checkConfidence, type Interval } from './intervals.ts'

/** Small sums and order statistics that the metrics share. Empty input gives NaN, so callers check first. */
export const sum = (values: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}

export const mean = (values: ArrayLike<number>): number => sum(values) / values.length

/** Sample standard deviation; NaN with fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  const center = mean(values)
  return Math.sqrt(sum(values.map(value => (value - center) ** 2)) / (values.length - 1))
}

/** t-interval of the mean of the population that the values are from; null with fewer than two. */
export function meanInterval(values: readonly number[], confidence = 0.95): Interval | null {
  const n = values.length
  if (n < 2) return null
  const half = (tQuantile((1 + confidence) / 2, n - 1) * standardDeviation(values)) / Math.sqrt(n)
  return [mean(values) - half, mean(values) + half]
}

/** Largest minus smallest. */
export const spread = (values: readonly number[] | Float64Array): number =>
  Math.max(...values) - Math.min(...values)

/** Quantile of sorted numbers by linear interpolation (NumPy's default, Hyndman and Fan's type 7). */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  const position = p * (sorted.length - 1)
  const low = Math.floor(position)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (position - low) * (sorted[high]! - sorted[low]!)
}

/** Returns the median; of many values it is found without sorting them. */
export function median(values: ArrayLike<number>): number {
  const list = Float64Array.from(values)
  if (list.length < 100 || list.some(Number.isNaN)) return quantile(list.sort(), 0.5)
  const middle = (list.length - 1) >> 1
  const low = selectSmallest(list, middle)
  if (list.length % 2 === 1) return low
  let high = Infinity
  for (let i = middle + 1; i < list.length; i++) high = Math.min(high, list[i]!)
  return low + 0.5 * (high - low)
}

/** Returns the value at a position of the sorted list, by Hoare's selection: no value before it is larger, none behind it smaller. */
function selectSmallest(list: Float64Array, position: number): number {
  let [first, last] = [0, list.length - 1]
  while (first < last) {
    const pivot = list[(first + last) >> 1]!
    let [i, j] = [first, last]
    while (i <= j) {
      while (list[i]! < pivot) i++
      while (list[j]! > pivot) j--
      if (i > j) break
      const value = list[i]!
      list[i++] = list[j]!
      list[j--] = value
    }
    if (position <= j) last = j
    else if (position >= i) first = i
    else break
  }
  return list[position]!
}

/** The central share of the draws; draws that are not numbers are left out. Null where fewer than 20 remain. */
export function percentileInterval(draws: ArrayLike<number>, confidence = 0.95): Interval | null {
  checkConfidence(confidence)
  const sorted = Float64Array.from(draws)
    .filter(value => !Number.isNaN(value))
    .sort()
  if (sorted.length < 20) return null
  return [quantile(sorted, (1 - confidence) / 2), quantile(sorted, (1 + confidence) / 2)]
}

/** Ranks from 1, ties share their mean rank. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const result = new Array<number>(values.length)
  for (let start = 0; start < order.length;) {
    let end = start
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++
    for (let i = start; i < end; i++) result[order[i]!] = (start + end + 1) / 2
    start = end
  }
  return result
}

/** The end on `high`'s side of where `holds` begins between `low`, where it does not, and `high`, after so many halvings. */
export function bisect(
  holds: (value: number) => boolean,
  [low, high]: readonly [low: number, high: number],
  steps: number,
): number {
  let [before, after] = [low, high]
  for (let step = 0; step < steps; step++) {
    const middle = (before + after) / 2
    if (holds(middle)) after = middle
    else before = middle
  }
  return after
}

export function checkFinite(value: number, what: string): void {
  if (!Number.isFinite(value)) throw inputError('not-a-number', `${what} is ${value}`)
}

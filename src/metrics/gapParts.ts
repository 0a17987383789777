/*
 * The gap between two groups in parts: what was photographed (classes, incomes) and what is left at an equal mix. Kitagawa's parts
 * (1955) depend on which column comes first if there are two, so each column gets the mean over both orders (Shapley's value). Their variance
 * is that of a jackknife that leaves out one household (or image) at a time, separately in both groups: it holds for other
 * households, which would photograph other things, and not only for these photographs.
 */
import { type Counts } from './accuracy.ts'
import { tQuantile } from './distributions.ts'
import { type Estimate } from './intervals.ts'
import { sum } from './numbers.ts'

/** Counts of the images of one group that have equal values in the columns to adjust for, in one household if these are known. */
export interface StratumCounts extends Counts {
  group: string
  /** The value in each of one or two columns. */
  strata: readonly string[]
  cluster?: string
}

/** The parts of a gap: `gap` = the sum of `parts` + `left` + `unmatched`. */
export interface GapParts {
  /** Accuracy of the first minus accuracy of the second group. */
  gap: Estimate
  /** What the unequal mix of each column makes, among images with a counterpart. */
  parts: Estimate[]
  /** What is left at the mix of both groups (direct standardization to the mean of both mixes): the adjusted gap. */
  left: Estimate
  /** What images make whose combination of values only one of the groups has, against its other images (Ñopo 2008). */
  unmatched: number | null
  /** Share of the images that have a counterpart in the other group. */
  matched: number | null
  /** Classes, or combinations of values, in which the first and in which the second group is ahead. */
  ahead: readonly [first: number, second: number]
}

/** Images of both groups and right ones among them, by combination of values. */
interface PairTable {
  n: readonly [Float64Array, Float64Array]
  hits: readonly [Float64Array, Float64Array]
}

/** Images that come together, and how many such clusters there are. */
interface Unit {
  side: 0 | 1
  cells: readonly { cell: number; n: number; hits: number }[]
  count: number
}

/** Least share of images with a counterpart for which parts are given an interval. */
const leastMatched = 0.8

/** Returns the parts of the gap between two groups with their 95 % intervals. */
export function gapParts(
  cells: readonly StratumCounts[],
  pair: readonly [first: string, second: string],
): GapParts {
  const own = cells.filter(({ group, n }) => n > 0 && pair.includes(group))
  const names = new Map<string, number>()
  const strata: (readonly string[])[] = []
  for (const { strata: values } of own) {
    const key = JSON.stringify(values)
    if (names.has(key)) continue
    names.set(key, strata.length)
    strata.push(values)
  }
  const placed = own.map(({ group, strata: values, cluster, n, top1 }) => ({
    side: pair.indexOf(group) as 0 | 1,
    cell: names.get(JSON.stringify(values))!,
    cluster,
    n,
    hits: top1,
  }))
  const table = tableOf(placed, strata.length)
  const sizes = table.n.map(sum)
  const empty = pair.find((_, side) => sizes[side] === 0)
  if (empty !== undefined) return withoutParts(`no images in ${empty}`, strata[0]?.length ?? 1)
  const columns = strata[0]!.length
  const keys = Array.from({ length: columns }, (_, column) => keysOf(strata, column))
  const measure = (of: PairTable): number[] => measureParts(of, keys)
  const values = measure(table)
  const units = unitsOf(placed)
  const { variances, reason } = jackknife({ units, table, measure, pair })
  const matched = matchedShare(table)
  const lacking =
    reason ??
    (matched < leastMatched
      ? `cannot be told: ${Math.round(100 * (1 - matched))} % of the images have no counterpart in the other group`
      : null)
  const estimates = values.map((value, i): Estimate => {
    const half = Math.sqrt(variances[i]!)
    return lacking !== null && i > 0
      ? { value: matched < leastMatched ? null : value, interval: null, reason: lacking }
      : { value, interval: reason === null ? [value - half, value + half] : null, reason }
  })
  const [gap, left, ...parts] = estimates as [Estimate, Estimate, ...Estimate[]]
  const [whole, rest, ...explained] = values as [number, number, ...number[]]
  return {
    gap,
    left,
    parts,
    unmatched: whole - rest - sum(explained),
    matched,
    ahead: countAhead(table),
  }
}

const withoutParts = (reason: string, columns: number): GapParts => {
  const none = { value: null, interval: null, reason }
  const parts = Array.from({ length: columns }, () => none)
  return { gap: none, parts, left: none, unmatched: null, matched: null, ahead: [0, 0] }
}

type PlacedCounts = Unit['cells'][number] & { side: 0 | 1; cluster: string | undefined }

function tableOf(placed: readonly PlacedCounts[], size: number): PairTable {
  const sums = (): [Float64Array, Float64Array] => [new Float64Array(size), new Float64Array(size)]
  const table = { n: sums(), hits: sums() }
  for (const { side, cell, n, hits } of placed) {
    table.n[side][cell]! += n
    table.hits[side][cell]! += hits
  }
  return table
}

/** Returns for each combination the position of its value in a column. */
function keysOf(strata: readonly (readonly string[])[], column: number): Int32Array {
  const values = new Map<string, number>()
  return Int32Array.from(strata, combination => {
    const value = combination[column]!
    if (!values.has(value)) values.set(value, values.size)
    return values.get(value)!
  })
}

/** Households, or images of equal values, of which each is left out once. */
function unitsOf(placed: readonly PlacedCounts[]): Unit[] {
  const clusters = new Map<string, { side: 0 | 1; cells: PlacedCounts[] }>()
  const units: Unit[] = []
  for (const counts of placed) {
    const { side, cell, cluster, n, hits } = counts
    if (cluster === undefined) {
      const image = (right: number, count: number): Unit => ({
        side,
        cells: [{ cell, n: 1, hits: right }],
        count,
      })
      units.push(...[image(1, hits), image(0, n - hits)].filter(({ count }) => count > 0))
      continue
    }
    const key = `${side} ${cluster}`
    const known = clusters.get(key) ?? { side, cells: [] }
    clusters.set(key, known)
    known.cells.push(counts)
  }
  return [...units, ...[...clusters.values()].map(unit => ({ ...unit, count: 1 }))]
}

/** Returns the gap, what is left of it, and the part of each column; the last three are of images with a counterpart. */
function measureParts(table: PairTable, keys: readonly Int32Array[]): number[] {
  const size = table.n[0].length
  const matched = Array.from({ length: size }, (_, i) => i).filter(
    i => table.n[0][i]! > 0 && table.n[1][i]! > 0,
  )
  const whole = kitagawa(table, matched, i => i)
  const gap = shareOf(table, 0) - shareOf(table, 1)
  if (keys.length === 1) return [gap, whole.within, whole.mix]
  const [first, second] = keys.map(key => kitagawa(table, matched, i => key[i]!).mix) as [
    number,
    number,
  ]
  return [gap, whole.within, (first + whole.mix - second) / 2, (second + whole.mix - first) / 2]
}

const shareOf = ({ n, hits }: PairTable, side: 0 | 1): number => sum(hits[side]) / sum(n[side])

/** Returns what the mix of the values of `keyOf` makes among some combinations, and what differs within the values. */
function kitagawa(
  { n, hits }: PairTable,
  combinations: readonly number[],
  keyOf: (combination: number) => number,
): { mix: number; within: number } {
  const sums = new Map<number, { n: [number, number]; hits: [number, number] }>()
  const images: [number, number] = [0, 0]
  for (const i of combinations) {
    const key = keyOf(i)
    const known = sums.get(key) ?? { n: [0, 0], hits: [0, 0] }
    sums.set(key, known)
    for (const side of [0, 1] as const) {
      known.n[side] += n[side][i]!
      known.hits[side] += hits[side][i]!
      images[side] += n[side][i]!
    }
  }
  let [mix, within] = [0, 0]
  for (const { n: own, hits: right } of sums.values()) {
    const [v, w] = [own[0] / images[0], own[1] / images[1]]
    const [p, q] = [right[0] / own[0], right[1] / own[1]]
    mix += (v - w) * ((p + q) / 2)
    within += ((v + w) / 2) * (p - q)
  }
  return { mix, within }
}

function matchedShare({ n }: PairTable): number {
  let [matched, all] = [0, 0]
  for (let i = 0; i < n[0].length; i++) {
    const images = n[0][i]! + n[1][i]!
    all += images
    if (n[0][i]! > 0 && n[1][i]! > 0) matched += images
  }
  return matched / all
}

function countAhead({ n, hits }: PairTable): [number, number] {
  const ahead: [number, number] = [0, 0]
  for (let i = 0; i < n[0].length; i++) {
    if (n[0][i] === 0 || n[1][i] === 0) continue
    const difference = hits[0][i]! / n[0][i]! - hits[1][i]! / n[1][i]!
    if (difference !== 0) ahead[difference > 0 ? 0 : 1] += 1
  }
  return ahead
}

/** Returns the squared half width of the interval of each value, or the reason why the households do not tell. */
function jackknife({
  units,
  table,
  measure,
  pair,
}: {
  units: readonly Unit[]
  table: PairTable
  measure: (table: PairTable) => number[]
  pair: readonly [string, string]
}): { variances: number[]; reason: string | null } {
  const size = measure(table).length
  const variances = new Array<number>(size).fill(0)
  let freedom = -2
  for (const side of [0, 1] as const) {
    const own = units.filter(unit => unit.side === side)
    const counts = own.map(({ count }) => count)
    const clusters = sum(counts)
    const images = own.map(({ cells }) => sum(cells.map(({ n }) => n)))
    const squares = sum(images.map((n, i) => n * n * counts[i]!))
    const effective = sum(images.map((n, i) => n * counts[i]!)) ** 2 / squares
    if (effective < 2 - 1e-9)
      return {
        variances,
        reason: `no interval: all or most images of ${pair[side]} are of one household`,
      }
    freedom += effective
    const left = own.map(unit => measureWithout(unit, table, measure))
    for (let k = 0; k < size; k++) {
      const center = sum(left.map((values, i) => values[k]! * counts[i]!)) / clusters
      const spread = sum(left.map((values, i) => (values[k]! - center) ** 2 * counts[i]!))
      variances[k]! += ((clusters - 1) / clusters) * spread
    }
  }
  const quantile = tQuantile(0.975, Math.max(1, freedom))
  return { variances: variances.map(variance => variance * quantile ** 2), reason: null }
}

/** Returns the values without one unit, which is put back. */
function measureWithout(
  { side, cells }: Unit,
  { n, hits }: PairTable,
  measure: (table: PairTable) => number[],
): number[] {
  for (const one of cells) {
    n[side][one.cell]! -= one.n
    hits[side][one.cell]! -= one.hits
  }
  const values = measure({ n, hits })
  for (const one of cells) {
    n[side][one.cell]! += one.n
    hits[side][one.cell]! += one.hits
  }
  return values
}

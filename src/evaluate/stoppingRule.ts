import { type Dataset } from '../datasets/dataset.ts'
import { strata } from '../datasets/visit.ts'
import { inputError } from '../lib/errors.ts'
import { type Outcomes } from '../results/predictions.ts'
import { anytimeEstimate, anytimeInterval, varianceExplained, type Visited } from '../metrics/anytime.ts'
import { type Span } from '../lib/ranges.ts'
import { type GroupEstimate } from '../results/estimates.ts'

/** When to stop: every group's interval at most this wide to either side. */
export interface Until {
  /** Grouping column, or null for all images together. */
  by: string | null
  /** A share. */
  halfWidth: number
}

/** Reads `region ±1`, `country +-2.5` or `±1`, in points. Errors: bad-until. */
export function parseUntil(text: string): Until {
  const found = /^\s*(?:(\S+)\s+)?(?:±|\+-|\+\/-)\s*(\d+(?:\.\d+)?)\s*$/.exec(text)
  const points = Number(found?.[2])
  if (!found || !(points > 0 && points < 50)) {
    throw inputError('bad-until', `cannot read until: ${text}; give a column and points, such as 'region ±1', or '±1'`)
  }
  return { by: found[1] ?? null, halfWidth: points / 100 }
}

/** Decides from the outcomes so far which shards are still needed. */
export interface Stopping {
  take: (outcomes: Pick<Outcomes, 'model' | 'rank' | 'status'>, start: number) => void
  wanted: (shard: Span) => boolean
  estimates: (model: string) => GroupEstimate[]
}

/** Images of a group within one stratum, as positions in visiting order. */
interface Piece {
  stratum: number
  places: number[]
}

interface Group {
  name: string
  images: number
  pieces: Piece[]
}

const unread = -1
const failed = 2

/**
 * `bins`: each image's class among the control variates. A data set without the column is one group. Errors: unordered, where
 * images are read in the order of Parquet files.
 */
export function stopping(dataset: Dataset, until: Until, models: readonly string[], bins: ArrayLike<number>): Stopping {
  if (dataset.order === undefined) {
    throw inputError(
      'unordered',
      `${dataset.name} is read in the order of its Parquet files: --until needs images in random order`,
    )
  }
  const parts = strata(dataset)
  const groups = groupsOf(dataset, parts, until.by)
  const read = new Map(models.map(model => [model, new Int8Array(dataset.items.length).fill(unread)]))
  const open = new Map(models.map(model => [model, new Set(groups)]))
  const estimate = (model: string, group: Group): GroupEstimate => estimateOf(group, read.get(model)!, bins, until)
  return {
    take(outcomes, start) {
      const kept = read.get(outcomes.model)!
      outcomes.status.forEach((status, i) => {
        kept[start + i] = status === 'ok' ? Number(outcomes.rank[i] === 1) : failed
      })
      const stratum = parts.findIndex(part => start < part.end)
      const left = open.get(outcomes.model)!
      for (const group of left) {
        if (!group.pieces.some(piece => piece.stratum === stratum)) continue
        const { low, high } = estimate(outcomes.model, group)
        if (high - low <= 2 * until.halfWidth) left.delete(group)
      }
    },
    wanted({ start }) {
      const stratum = parts.findIndex(part => start < part.end)
      return [...open.values()].some(left => [...left].some(({ pieces }) => pieces.some(p => p.stratum === stratum)))
    },
    estimates: model => groups.map(group => estimate(model, group)),
  }
}

/** Groups of the images that some class accepts, the others being in no accuracy. */
function groupsOf({ items, columns }: Dataset, parts: readonly Span[], by: string | null): Group[] {
  const column = by !== null && (by === 'label' || columns.includes(by)) ? by : null
  const groups = new Map<string, Group>()
  for (const [stratum, { start, end }] of parts.entries()) {
    for (let place = start; place < end; place++) {
      const item = items[place]!
      const value = column === null ? 'all' : column === 'label' ? item.label : item.groups[column]
      if (item.labels.length === 0 || value == null) continue
      const name = String(value)
      const group = groups.get(name) ?? { name, images: 0, pieces: [] }
      groups.set(name, group)
      group.images++
      if (group.pieces.at(-1)?.stratum === stratum) group.pieces.at(-1)!.places.push(place)
      else group.pieces.push({ stratum, places: [place] })
    }
  }
  return [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Pieces share the risk of being wrong; a failed image counts as a miss below and as a hit above. */
function estimateOf(
  { name, images, pieces }: Group,
  read: Int8Array,
  bins: ArrayLike<number>,
  until: Until,
): GroupEstimate {
  const sum = { group: name, images, read: 0, failed: 0, estimate: 0, low: 0, high: 0, explained: 0 }
  const options = { confidence: 1 - 0.05 / pieces.length, target: until.halfWidth }
  for (const { places } of pieces) {
    const first = places.findIndex(place => read[place] === unread)
    const seen = places.slice(0, first < 0 ? places.length : first).map(place => read[place]!)
    const missing = seen.filter(outcome => outcome === failed).length
    const known = places.map(place => bins[place]!)
    const as = (value: number): Visited => ({
      outcomes: missing === 0 ? seen : seen.map(outcome => (outcome === failed ? value : outcome)),
      bins: known,
    })
    const [low, high] = anytimeInterval(as(0), options)
    const weight = places.length / images
    sum.read += seen.length
    sum.failed += missing
    sum.low += weight * low
    sum.high += weight * (missing === 0 ? high : anytimeInterval(as(1), options)[1])
    sum.estimate += weight * anytimeEstimate(as(0))
    sum.explained += weight * varianceExplained(as(0))
  }
  const readable = 1 - sum.failed / Math.max(1, sum.read)
  const estimate = readable === 0 ? sum.low : sum.estimate / readable
  return { ...sum, estimate: Math.min(sum.high, Math.max(sum.low, estimate)) }
}

import { type Dataset } from '../datasets/dataset.ts'
import { regionRanges } from '../datasets/evaluationOrder.ts'
import { inputError } from '../lib/errors.ts'
import { ownValue } from '../lib/ownValue.ts'
import { type IndexRange } from '../lib/ranges.ts'
import {
  anytimeEstimate,
  anytimeInterval,
  varianceExplained,
  type VisitedOutcomes,
} from '../metrics/anytime.ts'
import { type GroupEstimate } from '../results/estimates.ts'
import { type Predictions } from '../results/predictions.ts'

/** Stops a model when the interval of every group is at most this wide to either side. */
export interface StoppingRule {
  /** Grouping column, or null for all images together. */
  by: string | null
  /** A share. */
  halfWidth: number
}

/** Reads `region ±1`, `country +-2.5` or `±1`, in points. Errors: bad-until. */
export function parseStoppingRule(text: string): StoppingRule {
  const found = /^\s*(?:(\S+)\s+)?(?:±|\+-|\+\/-)\s*(\d+(?:\.\d+)?)\s*$/.exec(text)
  const points = Number(found?.[2])
  if (!found || !(points > 0 && points < 50)) {
    throw inputError(
      'bad-until',
      `cannot read until: ${text}; give a column and points, such as 'region ±1', or '±1'`,
    )
  }
  return { by: found[1] ?? null, halfWidth: points / 100 }
}

/** Decides from the predictions so far which shards are still needed. */
export interface StoppingMonitor {
  addPredictions: (outcomes: Pick<Predictions, 'model' | 'rank' | 'status'>, start: number) => void
  isNeeded: (shard: IndexRange) => boolean
  estimates: (model: string) => GroupEstimate[]
}

/** Images of a group within one stratum, as positions in visiting order. */
interface StratumPositions {
  stratum: number
  positions: number[]
}

interface EstimatedGroup {
  name: string
  images: number
  strata: StratumPositions[]
}

const unreadOutcome = -1
const failedOutcome = 2

/** The models to be stopped, and each image's bin among the control variates. */
export interface MonitoredModels {
  models: readonly string[]
  bins: ArrayLike<number>
}

/**
 * Watches models on a data set. A data set without the rule's column is one group.
 * Errors: unordered, if images are read in the order of Parquet files.
 */
export function createStoppingMonitor(
  dataset: Dataset,
  rule: StoppingRule,
  { models, bins }: MonitoredModels,
): StoppingMonitor {
  if (dataset.order === undefined) {
    throw inputError(
      'unordered',
      `${dataset.name} is read in the order of its Parquet files: --until needs images in random order`,
    )
  }
  const parts = regionRanges(dataset)
  const groups = estimatedGroups(dataset, parts, rule.by)
  const read = new Map(
    models.map(model => [model, new Int8Array(dataset.samples.length).fill(unreadOutcome)]),
  )
  const open = new Map(models.map(model => [model, new Set(groups)]))
  const estimate = (model: string, group: EstimatedGroup): GroupEstimate =>
    estimateGroup(group, { read: read.get(model)!, bins }, rule)
  return {
    addPredictions(outcomes, start) {
      const kept = read.get(outcomes.model)!
      outcomes.status.forEach((status, i) => {
        kept[start + i] = status === 'ok' ? Number(outcomes.rank[i] === 1) : failedOutcome
      })
      const stratum = parts.findIndex(part => start < part.end)
      const left = open.get(outcomes.model)!
      for (const group of left) {
        if (!group.strata.some(piece => piece.stratum === stratum)) continue
        const { low, high } = estimate(outcomes.model, group)
        if (high - low <= 2 * rule.halfWidth) left.delete(group)
      }
    },
    isNeeded({ start }) {
      const stratum = parts.findIndex(part => start < part.end)
      return [...open.values()].some(left =>
        [...left].some(({ strata: pieces }) => pieces.some(p => p.stratum === stratum)),
      )
    },
    estimates: model => groups.map(group => estimate(model, group)),
  }
}

/** Returns the groups of the images with an accepted class; the others are in no accuracy. */
function estimatedGroups(
  { samples, columns }: Dataset,
  parts: readonly IndexRange[],
  by: string | null,
): EstimatedGroup[] {
  const column = by !== null && (by === 'label' || columns.includes(by)) ? by : null
  const groups = new Map<string, EstimatedGroup>()
  for (const [stratum, { start, end }] of parts.entries()) {
    for (let place = start; place < end; place++) {
      const { label, labels, groups: values } = samples[place]!
      const value = column === null ? 'all' : column === 'label' ? label : ownValue(values, column)
      if (labels.length === 0 || value == null) continue
      const name = String(value)
      const group = groups.get(name) ?? { name, images: 0, strata: [] }
      groups.set(name, group)
      group.images++
      if (group.strata.at(-1)?.stratum === stratum) group.strata.at(-1)!.positions.push(place)
      else group.strata.push({ stratum, positions: [place] })
    }
  }
  return [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Strata share the risk of error. A failed image counts as a miss for the lower bound and as a hit for the upper one. */
function estimateGroup(
  { name, images, strata }: EstimatedGroup,
  { read, bins }: { read: Int8Array; bins: ArrayLike<number> },
  rule: StoppingRule,
): GroupEstimate {
  const sum = {
    group: name,
    images,
    read: 0,
    failed: 0,
    estimate: 0,
    low: 0,
    high: 0,
    explained: 0,
  }
  const options = { confidence: 1 - 0.05 / strata.length, target: rule.halfWidth }
  for (const { positions: places } of strata) {
    const first = places.findIndex(place => read[place] === unreadOutcome)
    const seen = places.slice(0, first < 0 ? places.length : first).map(place => read[place]!)
    const missing = seen.filter(outcome => outcome === failedOutcome).length
    const known = places.map(place => bins[place]!)
    const as = (value: number): VisitedOutcomes => ({
      outcomes:
        missing === 0 ? seen : seen.map(outcome => (outcome === failedOutcome ? value : outcome)),
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

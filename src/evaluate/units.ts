/*
 * A run as units of work: a group of models that share crops × consecutive shards of a data set. Units depend on what is
 * asked for alone, not on the machine, on weights, or on what is done already, so every machine sees the same ones.
 */
import { type Cost, estimated, secondsOf, together } from './cost.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { type ModelSpec } from '../models/spec.ts'
import { grouped, shardSize, stepsFor } from './plan.ts'
import { cut } from '../lib/ranges.ts'
import { type Span } from '../lib/ranges.ts'
import { type Mode } from '../lib/pixels/steps.ts'
import { guessedCost, isSuited, type Target } from './targets.ts'

export interface Group {
  /** Position in the run's targets. */
  target: number
  models: string[]
  images: number
  /** Images of a shard, which is committed whole, and of a unit. */
  shard: number
  unit: number
  /** Seconds of one core for an image, measured or estimated. */
  seconds: number
}

export interface Unit extends Span {
  /** Position in the run's groups. */
  group: number
}

/** Core seconds of a unit: one minute on eight cores, four on two. */
const unitSeconds = 480

/** Groups in the order of targets and models; machines that cut by themselves give no `costOf`, for theirs differ. Pure. */
export function groupsOf(
  targets: readonly (Pick<Target, 'suits'> & { dataset: Pick<Dataset, 'items' | 'prepare'> })[],
  specs: readonly ModelSpec[],
  mode: Mode,
  costOf: (model: { name: string; multiplyAdds: number }) => Cost = ({ multiplyAdds }) => estimated(multiplyAdds),
): Group[] {
  const costs = new Map(specs.map(spec => [spec, guessedCost(spec)]))
  return targets.flatMap(({ dataset, suits }, target) => {
    const tasks = specs
      .filter(spec => isSuited({ suits }, spec))
      .map(spec => ({ spec, ...costs.get(spec)!, steps: stepsFor(spec.recipe, mode, dataset.prepare), missing: [] }))
    return grouped(tasks).map((members): Group => {
      const cost = together(members.map(({ spec: { name }, multiplyAdds }) => costOf({ name, multiplyAdds })))
      const [shard, seconds] = [shardSize(cost), secondsOf(cost)]
      const unit = shard * Math.max(1, Math.round(unitSeconds / (shard * seconds)))
      return {
        target,
        models: members.map(({ spec }) => spec.name),
        images: dataset.items.length,
        shard,
        unit,
        seconds,
      }
    })
  })
}

export const unitsOf = (groups: readonly Group[]): Unit[] =>
  groups.flatMap(({ images, unit }, group) => cut({ start: 0, end: images }, unit).map(span => ({ group, ...span })))

/** Which of how many machines, from 1. */
export interface Share {
  index: number
  count: number
}

/** One of `count` shares of about the same cost: consecutive units, so that a machine needs few models' weights. */
export function shareOf(units: readonly Unit[], groups: readonly Group[], { index, count }: Share): Unit[] {
  const costs = units.map(({ group, start, end }) => (end - start) * groups[group]!.seconds)
  const total = costs.reduce((sum, cost) => sum + cost, 0)
  let before = 0
  return units.filter((_, i) => {
    const middle = before + costs[i]! / 2
    before += costs[i]!
    return Math.min(count, 1 + Math.floor((middle / total) * count)) === index
  })
}

/** Consecutive units of a group as one span. */
export function joinUnits(units: readonly Unit[]): Unit[] {
  const joined: Unit[] = []
  for (const unit of units) {
    const last = joined.at(-1)
    if (last?.group === unit.group && last.end === unit.start) last.end = unit.end
    else joined.push({ ...unit })
  }
  return joined
}

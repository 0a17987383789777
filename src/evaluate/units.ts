/*
 * Divides a run into units of work: a group of models that share crops × consecutive shards of a data set. Units depend only on the
 * request, not on the machine, the weights or finished work, so every machine computes the same units.
 */
import { type ImageCost, estimateCost, secondsPerImage, combineCosts } from './imageCost.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { type ModelSpec } from '../models/spec.ts'
import { groupTasks, shardSize, stepsFor } from './jobs.ts'
import { splitRange } from '../lib/ranges.ts'
import { type IndexRange } from '../lib/ranges.ts'
import { type PreprocessingMode } from '../lib/pixels/steps.ts'
import { guessSizeAndCost, appliesTo, type EvaluationTarget } from './targets.ts'

export interface ModelGroup {
  /** Position in the run's targets. */
  target: number
  models: string[]
  images: number
  /** Images per shard, which is committed whole, and images per unit. */
  shard: number
  unit: number
  /** Time for one image in seconds of one core, measured or estimated. */
  seconds: number
}

export interface WorkUnit extends IndexRange {
  /** Position in the run's groups. */
  group: number
}

/** Target cost of a unit in seconds of one core: one minute on eight cores, four minutes on two. */
const targetUnitSeconds = 480

export interface ModelGroupOptions {
  preprocessing: PreprocessingMode
  /** Cost of a model; estimated by default, so that machines that plan apart get the same groups. */
  costOf?: ((model: { name: string; multiplyAdds: number }) => ImageCost) | undefined
}

/** Returns the groups of models that share crops, in the order of targets and models. */
export function planModelGroups(
  targets: readonly (Pick<EvaluationTarget, 'suits'> & {
    dataset: Pick<Dataset, 'samples' | 'imageFixes'>
  })[],
  specs: readonly ModelSpec[],
  { preprocessing, costOf = ({ multiplyAdds }) => estimateCost(multiplyAdds) }: ModelGroupOptions,
): ModelGroup[] {
  const costs = new Map(specs.map(spec => [spec, guessSizeAndCost(spec)]))
  return targets.flatMap(({ dataset, suits }, target) => {
    const tasks = specs
      .filter(spec => appliesTo({ suits }, spec))
      .map(spec => ({
        spec,
        ...costs.get(spec)!,
        steps: stepsFor(spec.recipe, preprocessing, dataset.imageFixes),
        missing: [],
      }))
    return groupTasks(tasks).map((members): ModelGroup => {
      const cost = combineCosts(
        members.map(({ spec: { name }, multiplyAdds }) => costOf({ name, multiplyAdds })),
      )
      const shard = shardSize(cost)
      const seconds = secondsPerImage(cost)
      const unit = shard * Math.max(1, Math.round(targetUnitSeconds / (shard * seconds)))
      return {
        target,
        models: members.map(({ spec }) => spec.name),
        images: dataset.samples.length,
        shard,
        unit,
        seconds,
      }
    })
  })
}

export const splitIntoUnits = (groups: readonly ModelGroup[]): WorkUnit[] =>
  groups.flatMap(({ images, unit }, group) =>
    splitRange({ start: 0, end: images }, unit).map(span => ({ group, ...span })),
  )

/** The number of this machine, from 1, and the number of machines. */
export interface WorkShare {
  index: number
  count: number
}

/** Returns the units of one of `count` shares of about equal cost. They are consecutive, so that a machine needs the weights of few models. */
export function takeShare(
  units: readonly WorkUnit[],
  groups: readonly ModelGroup[],
  { index, count }: WorkShare,
): WorkUnit[] {
  const costs = units.map(({ group, start, end }) => (end - start) * groups[group]!.seconds)
  const total = costs.reduce((sum, cost) => sum + cost, 0)
  let before = 0
  return units.filter((_, i) => {
    const middle = before + costs[i]! / 2
    before += costs[i]!
    return Math.min(count, 1 + Math.floor((middle / total) * count)) === index
  })
}

/** Returns consecutive units of a group as one span. */
export function joinUnits(units: readonly WorkUnit[]): WorkUnit[] {
  const joined: WorkUnit[] = []
  for (const unit of units) {
    const last = joined.at(-1)
    if (last?.group === unit.group && last.end === unit.start) last.end = unit.end
    else joined.push({ ...unit })
  }
  return joined
}

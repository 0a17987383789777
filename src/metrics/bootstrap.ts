import { inputError } from '../lib/errors.ts'
import { spread } from './numbers.ts'
import { checkDraws, samplePoissonOne } from './samplers.ts'
import { randomBelow, type Random, randomFrom } from '../lib/random.ts'

/*
 * Bootstrap of accuracies over clusters (households, or images where there are none). A draw gives every cluster one
 * weight that all models and groups share, so differences between models and between groups are drawn with their
 * correlation. The work is draws × cells × models; a cell is one cluster in one group. For many images without
 * households, cells of some thousand random buckets of images give the same intervals for much less work.
 */

/** Counts of every model in every cell (a cluster's images of one group). */
export interface CellTable {
  models: readonly string[]
  groups: readonly string[]
  clusters: number
  /** Cluster (0 … clusters - 1) of each cell. */
  cluster: Int32Array
  /** Group (position in `groups`) of each cell. */
  group: Int32Array
  /** Predicted images, row-major [cell, model]. */
  n: Float64Array
  /** Correct ones among them, row-major [cell, model]. */
  hits: Float64Array
}

/** Options of the bootstrap over clusters of images. */
export interface BootstrapOptions {
  seed: number
  /** Default 1,000. */
  draws?: number
  /** `poisson` (default): independent weights of mean 1; `multinomial`: as many clusters as there are, with replacement. */
  weights?: 'poisson' | 'multinomial'
}

/** Accuracies of every draw; NaN where a draw gave a group no image. */
export interface BootstrapDraws {
  draws: number
  models: readonly string[]
  groups: readonly string[]
  /** Accuracy over all groups, row-major [model, draw]. */
  overall: Float64Array
  /** Accuracy per group, row-major [model, group, draw]. */
  byGroup: Float64Array
}

/** Errors: bad-cells, bad-draws, bad-seed. */
export function bootstrapAccuracies(table: CellTable, options: BootstrapOptions): BootstrapDraws {
  checkTable(table)
  const { draws = 1000, weights: kind = 'poisson', seed } = options
  checkDraws(draws)
  const random = randomFrom(seed)
  const [models, groups] = [table.models.length, table.groups.length]
  const result = {
    draws,
    models: table.models,
    groups: table.groups,
    overall: new Float64Array(models * draws),
    byGroup: new Float64Array(models * groups * draws),
  }
  const weights = new Uint16Array(table.clusters)
  const sums = { n: new Float64Array(groups * models), hits: new Float64Array(groups * models) }
  for (let draw = 0; draw < draws; draw++) {
    fillWeights(weights, kind, random)
    sumWeighted(table, weights, sums)
    storeDraw(result, sums, draw)
  }
  return result
}

/** Weighted sums over the cells of each group, row-major [group, model]. */
interface CellSums {
  n: Float64Array
  hits: Float64Array
}

function sumWeighted(
  { models, cluster, group, n, hits }: CellTable,
  weights: Uint16Array,
  sums: CellSums,
): void {
  sums.n.fill(0)
  sums.hits.fill(0)
  for (let cell = 0; cell < cluster.length; cell++) {
    const weight = weights[cluster[cell]!]!
    if (weight === 0) continue
    let [from, to] = [cell * models.length, group[cell]! * models.length]
    for (const end = from + models.length; from < end; from++, to++) {
      sums.n[to]! += weight * n[from]!
      sums.hits[to]! += weight * hits[from]!
    }
  }
}

function storeDraw(result: BootstrapDraws, { n, hits }: CellSums, draw: number): void {
  const [models, groups] = [result.models.length, result.groups.length]
  for (let m = 0; m < models; m++) {
    let [total, right] = [0, 0]
    for (let g = 0; g < groups; g++) {
      const at = g * models + m
      total += n[at]!
      right += hits[at]!
      result.byGroup[(m * groups + g) * result.draws + draw] = hits[at]! / n[at]!
    }
    result.overall[m * result.draws + draw] = right / total
  }
}

function fillWeights(weights: Uint16Array, kind: 'poisson' | 'multinomial', random: Random): void {
  if (kind === 'poisson') {
    for (let i = 0; i < weights.length; i++) weights[i] = samplePoissonOne(random)
    return
  }
  weights.fill(0)
  for (let i = 0; i < weights.length; i++) weights[randomBelow(weights.length, random)]!++
}

function checkTable({ models, groups, clusters, cluster, group, n, hits }: CellTable): void {
  const cells = cluster.length
  const shapes =
    group.length === cells && n.length === cells * models.length && hits.length === n.length
  const inside =
    cluster.every(c => c >= 0 && c < clusters) && group.every(g => g >= 0 && g < groups.length)
  if (!shapes || !inside)
    throw inputError('bad-cells', 'cells, models, groups and clusters of the table do not fit')
  for (let i = 0; i < n.length; i++) {
    if (!(hits[i]! >= 0 && hits[i]! <= n[i]! && n[i]! < Infinity)) {
      throw inputError(
        'bad-counts',
        `impossible counts in cell ${Math.floor(i / models.length)}: n ${n[i]!}, top1 ${hits[i]!}`,
      )
    }
  }
}

/** A table of cells from one row per image: its cluster, its group and each model's outcome (null: failed). */
export function cellTable(
  images: readonly {
    cluster: string
    group: string
    correct: readonly (0 | 1 | boolean | null)[]
  }[],
  models: readonly string[],
): CellTable {
  const clusters = new Map<string, number>()
  const groups = new Map<string, number>()
  const cells = new Map<string, number>()
  const cellOf = images.map(({ cluster, group }) => {
    const [c, g] = [indexFor(clusters, cluster), indexFor(groups, group)]
    return indexFor(cells, `${c} ${g}`)
  })
  const [n, hits] = [
    new Float64Array(cells.size * models.length),
    new Float64Array(cells.size * models.length),
  ]
  for (const [i, { correct }] of images.entries()) {
    for (let m = 0; m < models.length; m++) {
      const outcome = correct[m]
      if (outcome === null || outcome === undefined) continue
      n[cellOf[i]! * models.length + m]! += 1
      hits[cellOf[i]! * models.length + m]! += Number(outcome)
    }
  }
  const keys = [...cells.keys()].map(key => key.split(' ').map(Number))
  return {
    models,
    groups: [...groups.keys()],
    clusters: clusters.size,
    cluster: Int32Array.from(keys, key => key[0]!),
    group: Int32Array.from(keys, key => key[1]!),
    n,
    hits,
  }
}

function indexFor(indices: Map<string, number>, name: string): number {
  const found = indices.get(name)
  if (found !== undefined) return found
  indices.set(name, indices.size)
  return indices.size - 1
}

/** Draws of one model's accuracy, over all groups or in one group. */
export function drawsOf(result: BootstrapDraws, model: string, group?: string): Float64Array {
  const m = indexOf(result.models, model, 'model')
  if (group === undefined) return result.overall.subarray(m * result.draws, (m + 1) * result.draws)
  const start = (m * result.groups.length + indexOf(result.groups, group, 'group')) * result.draws
  return result.byGroup.subarray(start, start + result.draws)
}

/** Draws of the difference of two series, for paired comparisons of models or groups. */
export const differenceOf = (a: Float64Array, b: Float64Array): Float64Array =>
  a.map((value, i) => value - b[i]!)

/**
 * Draws of largest minus smallest group accuracy. Their percentile interval is the field's usual one, but it misses small
 * disparities (a maximum minus a minimum is never 0); `inferDisparity` has the honest interval.
 */
export function disparityDraws(
  result: BootstrapDraws,
  model: string,
  groups = result.groups,
): Float64Array {
  const series = groups.map(group => drawsOf(result, model, group))
  return Float64Array.from({ length: result.draws }, (_, draw) =>
    spread(series.map(values => values[draw]!)),
  )
}

function indexOf(names: readonly string[], name: string, what: string): number {
  const found = names.indexOf(name)
  if (found < 0)
    throw inputError(`unknown-${what}`, `unknown ${what}: ${name}; known: ${names.join(', ')}`)
  return found
}

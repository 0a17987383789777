import { inputError } from '../errors.ts'
import { type Interval } from './intervals.ts'
import { percentileInterval } from './numbers.ts'
import { checkDraws, poissonOne } from './random.ts'
import { below, type Random, randomFrom } from '../random.ts'

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
  const { draws = 1000, weights = 'poisson', seed } = options
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
  const sorted = byGroup(table)
  const clusterWeights = [0, 1].map(() => new Uint16Array(table.clusters))
  const cellWeights = [0, 1].map(() => new Float64Array(table.cluster.length))
  const sums = [0, 1].map(() => new Float64Array(sorted.rows.length * table.groups.length))
  for (let start = 0; start < draws; start += 2) {
    for (const i of [0, 1]) {
      fillWeights(clusterWeights[i]!, weights, random)
      for (let c = 0; c < sorted.cluster.length; c++) cellWeights[i]![c] = clusterWeights[i]![sorted.cluster[c]!]!
    }
    for (let g = 0; g < table.groups.length; g++) {
      for (let r = 0; r < sorted.rows.length; r += 4) weigh(sorted, cellWeights, sums, g, r)
    }
    keepDraw(result, sorted, sums[0]!, start)
    if (start + 1 < draws) keepDraw(result, sorted, sums[1]!, start + 1)
  }
  return result
}

/** The cells in the order of their groups, as rows over cells: hits of each model, then each different row of n. */
interface SortedCells {
  cluster: Int32Array
  /** Cells of group g are `starts[g]` … `starts[g + 1] - 1`. */
  starts: Int32Array
  rows: Float64Array[]
  /** Row of n that belongs to each model: one for all unless images failed. */
  nRow: number[]
}

function byGroup({ models, groups, cluster, group, n, hits }: CellTable): SortedCells {
  const order = Int32Array.from(group.keys()).sort((a, b) => group[a]! - group[b]! || a - b)
  const starts = new Int32Array(groups.length + 1)
  for (const g of group) starts[g + 1]!++
  for (let g = 0; g < groups.length; g++) starts[g + 1]! += starts[g]!
  const rowOf = (values: Float64Array, model: number): Float64Array =>
    Float64Array.from(order, cell => values[cell * models.length + model]!)
  const rows = models.map((_, m) => rowOf(hits, m))
  const nRow = models.map((_, m) => {
    const row = rowOf(n, m)
    const same = rows.findIndex((known, i) => i >= models.length && known.every((value, c) => value === row[c]))
    return same >= 0 ? same : rows.push(row) - 1
  })
  while (rows.length % 4 !== 0) rows.push(new Float64Array(order.length))
  return { cluster: Int32Array.from(order, cell => cluster[cell]!), starts, rows, nRow }
}

/** Weighted sums of four rows over the cells of a group, for two draws at once, which halves the traffic of memory. */
function weigh(
  { starts, rows }: SortedCells,
  weights: readonly Float64Array[],
  sums: readonly Float64Array[],
  g: number,
  r: number,
): void {
  const [v, w] = [weights[0]!, weights[1]!]
  const [a, b, c, d] = [rows[r]!, rows[r + 1]!, rows[r + 2]!, rows[r + 3]!]
  let [va, vb, vc, vd, wa, wb, wc, wd] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let i = starts[g]!; i < starts[g + 1]!; i++) {
    const [p, q] = [v[i]!, w[i]!]
    va += p * a[i]!
    vb += p * b[i]!
    vc += p * c[i]!
    vd += p * d[i]!
    wa += q * a[i]!
    wb += q * b[i]!
    wc += q * c[i]!
    wd += q * d[i]!
  }
  sums[0]!.set([va, vb, vc, vd], g * rows.length + r)
  sums[1]!.set([wa, wb, wc, wd], g * rows.length + r)
}

function keepDraw(result: BootstrapDraws, { rows, nRow }: SortedCells, sums: Float64Array, draw: number): void {
  const groups = result.groups.length
  for (let m = 0; m < result.models.length; m++) {
    let [total, right] = [0, 0]
    for (let g = 0; g < groups; g++) {
      const [n, hits] = [sums[g * rows.length + nRow[m]!]!, sums[g * rows.length + m]!]
      total += n
      right += hits
      result.byGroup[(m * groups + g) * result.draws + draw] = hits / n
    }
    result.overall[m * result.draws + draw] = right / total
  }
}

function fillWeights(weights: Uint16Array, kind: 'poisson' | 'multinomial', random: Random): void {
  if (kind === 'poisson') {
    for (let i = 0; i < weights.length; i++) weights[i] = poissonOne(random)
    return
  }
  weights.fill(0)
  for (let i = 0; i < weights.length; i++) weights[below(weights.length, random)]!++
}

function checkTable({ models, groups, clusters, cluster, group, n, hits }: CellTable): void {
  const cells = cluster.length
  const shapes = group.length === cells && n.length === cells * models.length && hits.length === n.length
  const inside = cluster.every(c => c >= 0 && c < clusters) && group.every(g => g >= 0 && g < groups.length)
  if (!shapes || !inside) throw inputError('bad-cells', 'cells, models, groups and clusters of the table do not fit')
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
  images: readonly { cluster: string; group: string; correct: readonly (0 | 1 | boolean | null)[] }[],
  models: readonly string[],
): CellTable {
  const clusters = new Map<string, number>()
  const groups = new Map<string, number>()
  const cells = new Map<string, number>()
  const cellOf = images.map(({ cluster, group }) => {
    const [c, g] = [position(clusters, cluster), position(groups, group)]
    return position(cells, `${c} ${g}`)
  })
  const [n, hits] = [new Float64Array(cells.size * models.length), new Float64Array(cells.size * models.length)]
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

function position(known: Map<string, number>, name: string): number {
  const found = known.get(name)
  if (found !== undefined) return found
  known.set(name, known.size)
  return known.size - 1
}

/** Draws of one model's accuracy, over all groups or in one group. */
export function drawsOf(result: BootstrapDraws, model: string, group?: string): Float64Array {
  const m = indexOf(result.models, model, 'model')
  if (group === undefined) return result.overall.subarray(m * result.draws, (m + 1) * result.draws)
  const start = (m * result.groups.length + indexOf(result.groups, group, 'group')) * result.draws
  return result.byGroup.subarray(start, start + result.draws)
}

/** Draws of the difference of two series, for paired comparisons of models or groups. */
export const differenceOf = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - b[i]!)

/**
 * Draws of largest minus smallest group accuracy. Their percentile interval is the field's usual one, but it misses small
 * disparities (a maximum minus a minimum is never 0); `inferDisparity` has the honest interval.
 */
export function disparityDraws(result: BootstrapDraws, model: string, groups = result.groups): Float64Array {
  const series = groups.map(group => drawsOf(result, model, group))
  return Float64Array.from({ length: result.draws }, (_, draw) => {
    const values = series.map(values => values[draw]!)
    return Math.max(...values) - Math.min(...values)
  })
}

/** Percentile interval of a series of draws. */
export const bootstrapInterval = (draws: Float64Array, confidence?: number): Interval | null =>
  percentileInterval(draws, confidence)

function indexOf(names: readonly string[], name: string, what: string): number {
  const found = names.indexOf(name)
  if (found < 0) throw inputError(`unknown-${what}`, `unknown ${what}: ${name}; known: ${names.join(', ')}`)
  return found
}

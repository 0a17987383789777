import { sumCounts } from '../../metrics/accuracy.ts'
import { type Interval, zOf } from '../../metrics/intervals.ts'
import { largeEnough, pairDifference } from '../../metrics/disparity.ts'
import { inferDisparities } from '../disparityInference.ts'
import { type Ours } from './comparison.ts'
import { type Evidence } from './evidence.ts'

export const notRun = (model: string, benchmark: string): string => `no results of ${model} on ${benchmark}`

/** Equation 3: the largest difference between regions, with the interval of `inferDisparity`. */
export async function largestDisparity(evidence: Evidence, benchmark: string, model: string): Promise<Ours> {
  const dataset = evidence.dataset(benchmark)
  const { run, preprocessing, minN, seed, draws } = evidence
  if (dataset === undefined || evidence.groups(benchmark, model, 'region').length === 0)
    return { value: null, note: notRun(model, benchmark) }
  const [row] = await inferDisparities(run, { by: 'region', model, dataset, preprocessing, minN, seed, draws })
  const expected = row?.expected == null ? null : `${(100 * row.expected).toFixed(1)} expected under equality`
  return { value: row?.disparity ?? null, interval: row?.interval ?? null, n: 1, note: row?.reason ?? expected }
}

/** Europe minus Africa, as the paper's text and figures have it, where both have at least `minN` images. */
export function europeAfrica(evidence: Evidence, benchmark: string, model: string): Ours {
  const groups = evidence.groups(benchmark, model, 'region')
  if (groups.length === 0) return { value: null, note: notRun(model, benchmark) }
  const { value, interval, reason } = pairDifference(largeEnough(groups, evidence.minN).kept)
  return { value, interval, n: 1, note: reason && `${reason} with at least ${evidence.minN} images` }
}

/** A model's overall accuracy, or the mean over several benchmarks. */
export function meanAccuracy(evidence: Evidence, benchmarks: readonly string[], model: string): Ours {
  const shares = benchmarks.map(benchmark => evidence.table.get(benchmark)?.get(model))
  const absent = benchmarks.filter((_, i) => shares[i] === undefined)
  if (absent.length > 0) return { value: null, note: notRun(model, absent.join(', ')) }
  const value = (shares as number[]).reduce((sum, share) => sum + share / shares.length, 0)
  const interval = meanInterval(evidence, benchmarks, model, value)
  return { value, interval, n: 1, from: evidence.from(benchmarks, [model]) }
}

/** Benchmarks are independent samples, so variances of the mean add up; null where a benchmark's images are not known. */
function meanInterval(
  evidence: Evidence,
  benchmarks: readonly string[],
  model: string,
  value: number,
): Interval | null {
  let variance = 0
  for (const benchmark of benchmarks) {
    const { n, top1 } = sumCounts(evidence.cells(benchmark, model))
    if (n === 0) return null
    const share = (top1 + 2) / (n + 4)
    variance += (share * (1 - share)) / (n + 4) / benchmarks.length ** 2
  }
  const half = zOf(0.95) * Math.sqrt(variance)
  return [Math.max(0, value - half), Math.min(1, value + half)]
}

import { sumCounts } from '../../metrics/accuracy.ts'
import { type Interval, zOf } from '../../metrics/intervals.ts'
import { splitBySize, pairDifference } from '../../metrics/disparity.ts'
import { inferDisparities } from '../disparityInference.ts'
import { type MeasuredValue } from './comparison.ts'
import { type PaperView } from './paperView.ts'

export const noResultsText = (model: string, benchmark: string): string =>
  `no results of ${model} on ${benchmark}`

/** Equation 3: the largest difference between regions, with the interval of `inferDisparity`. */
export async function largestDisparity(
  evidence: PaperView,
  benchmark: string,
  model: string,
): Promise<MeasuredValue> {
  const dataset = evidence.datasets.get(benchmark)
  const { run, preprocessing, minN, seed, draws } = evidence
  if (dataset === undefined || evidence.groupsOf(benchmark, model, 'region').length === 0)
    return { value: null, note: noResultsText(model, benchmark) }
  const [row] = await inferDisparities(run, {
    by: 'region',
    model,
    dataset,
    preprocessing,
    minN,
    seed,
    draws,
  })
  const expected =
    row?.expected == null ? null : `${(100 * row.expected).toFixed(1)} expected under equality`
  return {
    value: row?.disparity ?? null,
    interval: row?.interval ?? null,
    n: 1,
    note: row?.reason ?? expected,
  }
}

/** Europe minus Africa, as the paper's text and figures have it, where both have at least `minN` images. */
export function europeAfrica(evidence: PaperView, benchmark: string, model: string): MeasuredValue {
  const groups = evidence.groupsOf(benchmark, model, 'region')
  if (groups.length === 0) return { value: null, note: noResultsText(model, benchmark) }
  const { value, interval, reason } = pairDifference(splitBySize(groups, evidence.minN).kept)
  return {
    value,
    interval,
    n: 1,
    note: reason && `${reason} with at least ${evidence.minN} images`,
  }
}

/** A model's overall accuracy, or the mean over several benchmarks. */
export function meanAccuracy(
  evidence: PaperView,
  benchmarks: readonly string[],
  model: string,
): MeasuredValue {
  const shares = benchmarks.map(benchmark => evidence.accuracies.get(benchmark)?.get(model))
  const absent = benchmarks.filter((_, i) => shares[i] === undefined)
  if (absent.length > 0) return { value: null, note: noResultsText(model, absent.join(', ')) }
  const value = (shares as number[]).reduce((sum, share) => sum + share / shares.length, 0)
  const interval = meanInterval(evidence, benchmarks, model, value)
  return { value, interval, n: 1, from: evidence.sourcesText(benchmarks, [model]) }
}

/** Benchmarks are independent samples, so variances of the mean add up; null where a benchmark's images are not known. */
function meanInterval(
  evidence: PaperView,
  benchmarks: readonly string[],
  model: string,
  value: number,
): Interval | null {
  let variance = 0
  for (const benchmark of benchmarks) {
    const { n, top1 } = sumCounts(evidence.cellsOf(benchmark, model))
    if (n === 0) return null
    const share = (top1 + 2) / (n + 4)
    variance += (share * (1 - share)) / (n + 4) / benchmarks.length ** 2
  }
  const half = zOf(0.95) * Math.sqrt(variance)
  return [Math.max(0, value - half), Math.min(1, value + half)]
}

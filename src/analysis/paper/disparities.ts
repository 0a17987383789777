import { type Counts, sumCounts } from '../../metrics/accuracy.ts'
import { independentImages } from '../../metrics/designEffect.ts'
import { overallClustering } from '../../results/households.ts'
import { type Interval, zOf } from '../../metrics/intervals.ts'
import { mean, sum } from '../../metrics/numbers.ts'
import { inferDisparities } from '../inferDisparities.ts'
import { type MeasuredValue } from './comparison.ts'
import { type PaperView } from './paperView.ts'

export const noResultsText = (model: string, benchmark: string): string =>
  `no results of ${model} on ${benchmark}`

/** Returns the largest difference between regions (equation 3) with the interval of `inferDisparity`. */
export async function largestDisparity(
  evidence: PaperView,
  benchmark: string,
  model: string,
): Promise<MeasuredValue> {
  const dataset = evidence.roles.byBenchmark.get(benchmark)
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

/** Returns Europe minus Africa, as in the paper's text and figures, with its interval over households. */
export function europeAfrica(evidence: PaperView, benchmark: string, model: string): MeasuredValue {
  const { run, minN, preprocessing } = evidence
  const dataset = evidence.roles.byBenchmark.get(benchmark)
  const [row] =
    dataset !== undefined && evidence.groupsOf(benchmark, model, 'region').length > 0
      ? run.disparity({ by: 'region', minN, model, dataset, preprocessing })
      : []
  if (!row) return { value: null, note: noResultsText(model, benchmark) }
  const { europeMinusAfrica: value, europeMinusAfricaInterval: interval } = row
  const reason = row.europeMinusAfricaReason
  const note = value === null && reason ? `${reason} with at least ${minN} images` : reason
  return { value, interval, n: 1, note }
}

/** Returns the overall accuracy of a model, or its mean over several benchmarks. */
export function meanAccuracy(
  evidence: PaperView,
  benchmarks: readonly string[],
  model: string,
): MeasuredValue {
  const shares = benchmarks.map(benchmark => evidence.accuracies.get(benchmark)?.get(model))
  const absent = benchmarks.filter((_, i) => shares[i] === undefined)
  if (absent.length > 0) return { value: null, note: noResultsText(model, absent.join(', ')) }
  const value = mean(shares as number[])
  const parts = benchmarks.map(benchmark => ({
    ...sumCounts(evidence.cellsOf(benchmark, model)),
    ...(overallClustering(
      evidence.run.households.get(evidence.evaluationOf(benchmark, model)?.key ?? ''),
    ) ?? independentImages),
  }))
  const note = parts.flatMap(({ reason }) => reason ?? [])[0] ?? null
  const half = note === null ? halfWidthOfMean(parts) : null
  const interval: Interval | null =
    half === null ? null : [Math.max(0, value - half), Math.min(1, value + half)]
  return { value, interval, n: 1, note, from: evidence.sourcesText(benchmarks, [model]) }
}

/** Adds the variances of independent benchmarks; null if the images of one are not known. */
function halfWidthOfMean(counts: readonly (Counts & { inflation: number })[]): number | null {
  if (counts.some(({ n }) => n === 0)) return null
  const variances = counts.map(({ n, top1, inflation }) => {
    const share = (top1 + 2) / (n + 4)
    return (inflation * share * (1 - share)) / (n + 4)
  })
  return (zOf(0.95) * Math.sqrt(sum(variances))) / counts.length
}

/** Summarizes a data set: its best model, that model's accuracy by region, and the gain against the standard benchmark. */
import { disparity } from '../metrics/disparity.ts'
import { type Interval } from '../metrics/intervals.ts'
import { modelFitOptions } from '../metrics/progress.ts'
import { fitLine } from '../metrics/regression.ts'
import {
  filterCells,
  type DatasetCounts,
  groupedAccuracies,
  type AccuracyEstimate,
  totalAccuracy,
} from '../analysis/datasetCounts.ts'
import { modelFamilies } from '../analysis/modelRoles.ts'
import { scatterRows } from './views.ts'

export interface Finding {
  /** The most accurate of the models with the most images. */
  best: string
  rate: AccuracyEstimate
  /** The best model's regions with the highest and lowest accuracy among those of at least 30 images; null with fewer than two. */
  regions: { highest: string; lowest: string; accuracies: [number, number] } | null
  /** Points gained per point on the standard benchmark, with the 95 % interval of the slope. */
  gain: { slope: number; interval: Interval | null; models: number } | null
}

/** Returns the summary of a data set; null if no model has a prediction. */
export function findingOf(
  counts: DatasetCounts,
  reference: DatasetCounts | undefined,
): Finding | null {
  const cells = filterCells(counts, {})
  const rates = [...counts.models].map(([model, own]) => ({
    model,
    rate: totalAccuracy(counts, { counts: own, cells }),
  }))
  const most = Math.max(...rates.map(({ rate }) => rate.n))
  if (!(most > 0)) return null
  const best = rates
    .filter(({ rate }) => rate.n === most)
    .reduce((a, b) => ((b.rate.top1 ?? 0) > (a.rate.top1 ?? 0) ? b : a))
  return {
    best: best.model,
    rate: best.rate,
    regions: regionsOf(counts, best.model, cells),
    gain: reference && reference !== counts ? gainOf(reference, counts) : null,
  }
}

function regionsOf(
  counts: DatasetCounts,
  model: string,
  cells: readonly number[],
): Finding['regions'] {
  const groups = groupedAccuracies(counts, ['region'], {
    counts: counts.models.get(model)!,
    cells,
  }).map(({ values: [group = ''], rate: { n, top1 } }) => ({
    group,
    n,
    top1: Math.round(n * (top1 ?? 0)),
  }))
  const { best, worst, bestAccuracy, worstAccuracy } = disparity(groups)
  return best === null
    ? null
    : { highest: best, lowest: worst!, accuracies: [bestAccuracy!, worstAccuracy!] }
}

function gainOf(reference: DatasetCounts, counts: DatasetCounts): Finding['gain'] {
  const points = scatterRows(reference, counts, {}).filter(
    ({ x, y }) => x.top1 !== null && y.top1 !== null,
  )
  const models = points.map(({ model, x }) => ({ model, x: x.top1! }))
  const options = modelFitOptions(models, {
    families: modelFamilies(models.map(({ model }) => model)),
    images: new Map(points.map(({ model, x }) => [model, x.n])),
  })
  const { slope, interval, n } = fitLine(
    models.map(({ x }) => x),
    points.map(({ y }) => y.top1!),
    options,
  )
  return slope === null ? null : { slope, interval, models: n }
}

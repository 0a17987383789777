/** The numbers that a report begins with, before they become sentences. */
import { inferDisparities, type InferenceRow } from '../../analysis/disparityInference.ts'
import { modelToShow } from '../figures/figure.ts'
import { disparityMeasure } from '../figures/disparity.ts'
import { type RunView } from '../../analysis/runView.ts'
import { placeColumn } from '../../analysis/datasetRoles.ts'
import { type DisparityTrend, disparityTrend } from '../../metrics/disparityTrend.ts'
import { type ProgressGap } from '../../metrics/progress.ts'
import { progressEvidence } from '../../analysis/progress/evidence.ts'
import { compareProgress, oodAverage } from '../../analysis/progress/progress.ts'
import { type GroupAccuracyRow } from '../../results/run.ts'
import { tally } from '../../lib/tally.ts'

/** Draws of permutations start here, so that a report is the same twice. */
export const reportSeed = 1

/** A gap over fewer models says nothing. */
const minGapModels = 3

export interface DatasetFinding {
  dataset: string
  by: 'region' | 'country'
  /** The model with the highest accuracy on the data set. */
  model: string
  overall: GroupAccuracyRow
  best: GroupAccuracyRow | null
  worst: GroupAccuracyRow | null
  disparity: InferenceRow
  /** Over all models. */
  models: number
  smallest: number | null
  largest: number | null
  /** In how many models the same place is the worst, and which. */
  worstPlace: { place: string; models: number } | null
}

export async function datasetFinding(
  results: RunView,
  dataset: string,
): Promise<DatasetFinding | null> {
  const model = modelToShow(results, dataset)
  const by = placeColumn(results.run, dataset)
  const overall = results.accuracyBy().find(row => row.dataset === dataset && row.model === model)
  if (model === undefined || by === null || overall === undefined) return null
  const { run, preprocessing, minN } = results
  const [disparity] = await inferDisparities(run, {
    by,
    minN,
    seed: reportSeed,
    dataset,
    model,
    preprocessing,
  })
  if (!disparity) return null
  const row = (place: string | null): GroupAccuracyRow | null =>
    results
      .accuracyBy(by)
      .find(row => row.dataset === dataset && row.model === model && row.group === place) ?? null
  const all = results.disparitiesOn(dataset)
  const known = all.flatMap(({ disparity }) => disparity ?? [])
  return {
    dataset,
    by,
    model,
    overall,
    disparity,
    models: all.length,
    best: row(disparity.best),
    worst: row(disparity.worst),
    smallest: known.length > 0 ? Math.min(...known) : null,
    largest: known.length > 0 ? Math.max(...known) : null,
    worstPlace: mostFrequentPlace(all.flatMap(({ worst }) => worst ?? [])),
  }
}

function mostFrequentPlace(places: readonly string[]): { place: string; models: number } | null {
  const [most] = [...tally(places)].sort((a, b) => b[1] - a[1])
  return most ? { place: most[0], models: most[1] } : null
}

export interface GapFinding {
  standard: string
  geographic: string
  gap: ProgressGap
}

/** The gap against the mean of the paper's out-of-distribution benchmarks where they are there, else each standard one. */
export function gapFindings(results: RunView, geographic: string): GapFinding[] {
  const { roles, titleOf: title } = results
  if (roles.reference === null || roles.standard.length === 0) return []
  const { lines } = compareProgress(progressEvidence(results), { geographic: [geographic] })
  const pairs = lines[0]?.pairs ?? []
  const average = pairs.filter(({ standard }) => standard.name === oodAverage)
  return (average.length > 0 ? average : pairs).flatMap(({ standard, gap }) => {
    if (gap.difference === null || gap.standard.models.length < minGapModels) return []
    const { datasets } = standard
    const name =
      datasets.length > 1 ? `the mean of ${datasets.map(title).join(', ')}` : standard.title
    return [{ standard: name, geographic: title(geographic), gap }]
  })
}

/** Returns how the paper's measure of disparity goes with the reference's accuracy; `values` are percentage points. */
export function trendFinding(
  results: RunView,
  dataset: string,
): { kind: 'pair' | 'maximum'; trend: DisparityTrend; values: ReadonlyMap<string, number> } | null {
  const accuracies = results.accuracies.get(results.roles.reference ?? '')
  const all = results.disparitiesOn(dataset)
  const { kind, rows } = disparityMeasure(
    all.filter(({ model }) => results.fittedModels.includes(model)),
  )
  const values = new Map(rows.map(({ model, value }) => [model, value]))
  const points = rows.map(({ model, value }) => ({
    model,
    accuracy: accuracies?.get(model) ?? null,
    disparity: value / 100,
  }))
  const trend = disparityTrend(points, results.lineOptions)
  return trend.n < minGapModels || trend.slope === null ? null : { kind, trend, values }
}

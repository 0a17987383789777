/** The numbers that a report begins with, before they become sentences. */
import { disparityMeasure } from '../figures/disparity.ts'
import { type RunView } from '../../analysis/runView.ts'
import { type DisparityTrend, disparityTrend } from '../../metrics/disparityTrend.ts'
import { type ProgressGap } from '../../metrics/progress.ts'
import { progressEvidence } from '../../analysis/progress/evidence.ts'
import { compareProgress, oodAverage } from '../../analysis/progress/progress.ts'

/** Fewest models for which a gap is given. */
const minGapModels = 3

export interface GapFinding {
  standard: string
  geographic: string
  gap: ProgressGap
}

/** Returns the gaps against the mean of the paper's out-of-distribution benchmarks, or, without them, against each standard benchmark. */
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

/** Returns the trend of the paper's measure of disparity over the reference's accuracy; `values` are percentage points. */
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

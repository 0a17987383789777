/** Summarizes a data set: its best model, that model's accuracy by region, and the gain against the standard benchmark. */
import { type InferredDisparity } from '../metrics/disparityInference.ts'
import { type Interval } from '../metrics/intervals.ts'
import { modelFitOptions } from '../metrics/progress.ts'
import { fitLine } from '../metrics/regression.ts'
import {
  filterCells,
  type DatasetCounts,
  type AccuracyEstimate,
  totalAccuracy,
} from '../analysis/datasetCounts.ts'
import { datasetRoles } from '../analysis/datasetRoles.ts'
import { lineModelSets, modelFamilies, zeroShotModels } from '../analysis/modelRoles.ts'
import { type ProgressEvidence } from '../analysis/progress/evidence.ts'
import { compareProgress, headlinePairs } from '../analysis/progress/progress.ts'
import { pairSentence } from '../analysis/progress/sentence.ts'
import { imagesByModel } from '../analysis/runView.ts'
import { accuracyTable } from '../metrics/progress.ts'
import { panelLine } from '../report/figures/linePanel.ts'
import { type Run } from '../results/run.ts'
import { modelDisparity } from './screen.ts'
import { type DatasetFact, type ProgressFact, scatterRows } from './views.ts'

export interface Finding {
  /** The most accurate of the models with the most images. */
  best: string
  rate: AccuracyEstimate
  /** The best model's disparity between places; null if no image has a place. */
  disparity: InferredDisparity | null
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
    disparity: modelDisparity(counts, best.model),
    gain: reference && reference !== counts ? gainOf(reference, counts) : null,
  }
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

/** Returns the progress on each geographic data set; `datasets` are those of one preprocessing. */
export function progressFacts(
  run: Run,
  datasets: readonly Omit<DatasetFact, 'progress'>[],
): ReadonlyMap<string, ProgressFact> {
  const evidence = evidenceOf(run, datasets)
  if (evidence.roles.reference === null) return new Map()
  const comparison = compareProgress(evidence, { isHeadline: true })
  const [line] = comparison.lines
  const found = (line ? headlinePairs(line) : []).flatMap((pair): [string, ProgressFact][] => {
    const { standard, gap } = pair
    return [
      [
        pair.geographic.name,
        {
          sentence: pairSentence(comparison, pair),
          reference: comparison.reference.name,
          standard: { title: standard.title, datasets: standard.datasets },
          lines: { standard: panelLine(gap.standard), geographic: panelLine(gap.geographic) },
          models: line!.models,
        },
      ],
    ]
  })
  return new Map(found)
}

function evidenceOf(
  run: Run,
  datasets: readonly Omit<DatasetFact, 'progress'>[],
): ProgressEvidence {
  const roles = datasetRoles(run)
  const rows = datasets.flatMap(({ dataset, models, totals: { n, top1 } }) =>
    models.flatMap((model, i) =>
      n[i]! > 0 ? [{ model, benchmark: dataset, n: n[i]!, accuracy: top1[i]! / n[i]! }] : [],
    ),
  )
  const models = [...new Set(rows.map(({ model }) => model))]
  return {
    accuracies: accuracyTable(rows),
    roles,
    sets: lineModelSets(models, zeroShotModels(run)),
    images: imagesByModel(rows.filter(({ benchmark }) => benchmark === roles.reference)),
    titleOf: name => datasets.find(({ dataset }) => dataset === name)?.title ?? name,
    imageCount: name => datasets.find(({ dataset }) => dataset === name)?.images ?? null,
    syntheticNote: null,
    notes: [],
  }
}

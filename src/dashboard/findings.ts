/** Summarizes a data set: its best model, that model's accuracy by region, and the gain against the standard benchmark. */
import { type InferredDisparity } from '../metrics/disparityInference.ts'
import { type Interval } from '../metrics/intervals.ts'
import { modelFitOptions } from '../metrics/progress.ts'
import { sum } from '../metrics/numbers.ts'
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
import { type DatasetFact, type ProgressFact } from './views.ts'

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
  const totals = modelTotals(counts)
  const most = Math.max(...[...totals.values()].map(({ n }) => n))
  if (!(most > 0)) return null
  const [best] = [...totals]
    .filter(([, { n }]) => n === most)
    .reduce((a, b) => (b[1].top1 > a[1].top1 ? b : a))
  const own = counts.models.get(best)!
  return {
    best,
    rate: totalAccuracy(counts, { counts: own, cells: filterCells(counts, {}) }),
    disparity: modelDisparity(counts, best),
    gain: reference && reference !== counts ? gainOf(modelTotals(reference), totals) : null,
  }
}

/** Images with a prediction, and right ones, of each model of a data set. */
type ModelTotals = ReadonlyMap<string, Readonly<Record<'n' | 'top1', number>>>

const modelTotals = ({ models }: DatasetCounts): ModelTotals =>
  new Map([...models].map(([model, { n, top1 }]) => [model, { n: sum(n), top1: sum(top1) }]))

function gainOf(reference: ModelTotals, totals: ModelTotals): Finding['gain'] {
  const points = [...totals].flatMap(([model, { n, top1 }]) => {
    const at = reference.get(model)
    return at && at.n > 0 && n > 0 ? [{ model, x: at.top1 / at.n, y: top1 / n, n: at.n }] : []
  })
  const options = modelFitOptions(points, {
    families: modelFamilies(points.map(({ model }) => model)),
    images: new Map(points.map(({ model, n }) => [model, n])),
  })
  const { slope, interval, n } = fitLine(
    points.map(({ x }) => x),
    points.map(({ y }) => y),
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

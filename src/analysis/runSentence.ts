/** Says the main result of a run in words: accuracy, where it is best and worst, the disparity, progress. */
import { percent } from '../lib/table/text.ts'
import { tally } from '../lib/tally.ts'
import { type GroupAccuracyRow } from '../results/run.ts'
import { findingSentence, imagesText } from './answerSentences.ts'
import { placeColumn } from './datasetRoles.ts'
import { inferDisparities, type InferenceRow } from './inferDisparities.ts'
import { progressEvidence, type ProgressEvidence } from './progress/evidence.ts'
import { compareProgress, type LineProgress, type ProgressComparison } from './progress/progress.ts'
import { progressSentences } from './progress/sentence.ts'
import { modelToShow, type RunView } from './runView.ts'

/** The seed of the permutations behind every printed answer, so that it is the same twice. */
export const answerSeed = 1

/** The main numbers of one model on a data set with places. */
export interface DatasetFinding {
  dataset: string
  title: string
  by: 'region' | 'country'
  /** The model asked for, or that with the highest accuracy on the data set. */
  model: string
  /** Whether no other model is more accurate on the data set. */
  isBest: boolean
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

/**
 * Returns the main numbers of a model, by default the best, on a data set with regions or countries; null without results. Errors:
 * unknown-column.
 */
export async function datasetFinding(
  results: RunView,
  dataset: string,
  choice: { model?: string | undefined } = {},
): Promise<DatasetFinding | null> {
  const model = modelToShow(results, dataset, choice)
  const by = placeColumn(results.run, dataset)
  const overall = results.accuracyBy().find(row => row.dataset === dataset && row.model === model)
  if (model === undefined || by === null || overall === undefined) return null
  const { run, preprocessing, minN } = results
  const [disparity] = await inferDisparities(run, {
    by,
    minN,
    seed: answerSeed,
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
    title: results.titleOf(dataset),
    by,
    model,
    isBest: model === modelToShow(results, dataset),
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

/** The answer of a run in words. */
export interface RunAnswer {
  /** Accuracy, best and worst place, disparity, and progress where it can be measured. */
  sentence: string
  /** The numbers behind the first part; null if no data set has places. */
  finding: DatasetFinding | null
  /** The numbers behind the progress; null if it cannot be compared. */
  progress: DatasetProgress | null
}

/** Progress on one geographic data set. */
export interface DatasetProgress {
  comparison: ProgressComparison
  /** The first line of models that has accuracies on the data set. */
  line: LineProgress
}

/** What a run's answer is about. */
export interface RunAnswerOptions {
  /** Default: the first data set with places. */
  dataset?: string | undefined
  /** Default: the most accurate model on the data set. */
  model?: string | undefined
  /** Accuracies for the progress. Default: those of the run alone. */
  evidence?: ProgressEvidence | undefined
}

/**
 * Returns the main result of a run in words, for the terminal, the dashboard and the report.
 *
 * @example
 * const { sentence } = await runSentence(runView(await openRun('results')))
 */
export async function runSentence(
  results: RunView,
  options: RunAnswerOptions = {},
): Promise<RunAnswer> {
  const { dataset = results.roles.geographic[0], model } = options
  const finding = dataset === undefined ? null : await datasetFinding(results, dataset, { model })
  const evidence = options.evidence ?? progressEvidence(results)
  const progress = dataset === undefined ? null : datasetProgress(evidence, dataset)
  return {
    finding,
    progress,
    sentence: [
      finding === null ? plainSentence(results, model) : findingSentence(finding),
      ...(progress && progress.line.models.length > 1
        ? progressSentences(progress.comparison, progress.line)
        : []),
    ].join(' '),
  }
}

/** Returns the sentence of a run without places. */
function plainSentence(results: RunView, asked: string | undefined): string {
  const { reference } = results.roles
  const model = reference === null ? undefined : modelToShow(results, reference, { model: asked })
  const overall = results.accuracyBy().find(row => row.dataset === reference && row.model === model)
  if (reference === null || !overall || overall.top1 === null)
    return 'No model has a prediction yet.'
  return `${overall.model} gets ${percent(overall.top1)} % of ${imagesText(overall)} of ${results.titleOf(reference)} right; no data set has regions or countries, so nothing is known of places.`
}

function datasetProgress(evidence: ProgressEvidence, dataset: string): DatasetProgress | null {
  if (evidence.roles.reference === null) return null
  const comparison = compareProgress(evidence, { geographic: [dataset] })
  const line = comparison.lines.find(({ pairs }) => pairs.length > 0)
  return line ? { comparison, line } : null
}

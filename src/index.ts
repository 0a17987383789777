/** Metrics as pure functions are in `geogap/metrics`. */
export { dryRun, evaluate, type EvaluateOptions } from './evaluate/evaluate.ts'
export type { EvaluationProgress } from './evaluate/progress.ts'
export { openRun, type GroupAccuracyRow, type DisparityRow, type Run } from './results/run.ts'
export { runStatus, type ResultStatus, type RunStatus, type ResultState } from './results/status.ts'
export {
  verify,
  type Verification,
  type VerifiedShard,
  type VerifyOptions,
} from './evaluate/verify.ts'
export type { RecordedRun } from './results/runRecords.ts'
export {
  inferDisparities,
  type InferDisparitiesOptions,
  type InferenceRow,
} from './analysis/inferDisparities.ts'
export {
  type ModelClustering,
  type ProgressEvidence,
  publishedEvidence,
  readProgressEvidence,
} from './analysis/progress/evidence.ts'
export {
  compareProgress,
  type LineProgress,
  type ProgressComparison,
  type ProgressOptions,
  type ProgressPair,
} from './analysis/progress/progress.ts'
export { progressSentences } from './analysis/progress/sentence.ts'
export { runSentence, type RunAnswer, type RunAnswerOptions } from './analysis/runSentence.ts'
export { runView, type RunView, type RunViewOptions } from './analysis/runView.ts'
export { progressTable } from './analysis/progress/table.ts'
export { writeReport } from './report/page/reportPage.ts'
export { openDataset, type DatasetSpec } from './datasets/open.ts'
export type { Dataset, GroupValue, Sample, Problem } from './datasets/dataset.ts'
export type { ImageSource } from './lib/archive/member.ts'
export { checkDataset, type DatasetCheck } from './datasets/checkDataset.ts'
export { fetchBenchmark } from './datasets/fetch.ts'
export { modelNames, resolveModel } from './models/catalog.ts'
export { selectModels } from './models/select.ts'
export type { ModelSpec, WeightSource } from './models/spec.ts'
export {
  centerCrop,
  normalize,
  resize,
  type PreprocessingMode,
  type PreprocessingConfig,
  type PreprocessingStep,
} from './lib/pixels/steps.ts'
export {
  publishedAccuracies,
  publishedSources,
  type PublishedRow,
} from './analysis/paper/publishedAccuracies.ts'
export { publishedProgress, type PublishedProgress } from './analysis/paper/publishedProgress.ts'
export {
  paperClaims,
  paperTable,
  type PaperClaim,
  type PaperValue,
} from './analysis/paper/printedNumbers.ts'
export { paperComparison, paperTables, type PaperTable } from './analysis/paper/index.ts'
export type { Table } from './lib/table/table.ts'
export { type TablesJson, tablesJson } from './lib/table/writeTables.ts'
export type { ConfigFile, ConfigValue } from './lib/config.ts'
export type { MetricPlugin } from './analysis/plugin.ts'
export { GeogapError, type ErrorKind } from './lib/errors.ts'

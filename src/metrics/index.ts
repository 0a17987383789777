/** The metrics as pure functions on counts and accuracies; docs/reference/metrics.md and its pages have the formulas. */
export {
  accuracy,
  accuracyByGroup,
  groupBy,
  macroAccuracy,
  sumCounts,
  type Accuracy,
  type Counts,
  type CountsRow,
  type GroupSum,
} from './accuracy.ts'
export {
  bootstrapAccuracies,
  cellTable,
  differenceOf,
  disparityDraws,
  drawsOf,
  type BootstrapOptions,
} from './bootstrap.ts'
export {
  anytimeEstimate,
  anytimeInterval,
  finiteInterval,
  type VisitedOutcomes,
} from './anytime.ts'
export { calibration, type Calibration } from './calibration.ts'
export { decomposeGap, type GapDecomposition } from './decomposition.ts'
export {
  disparity,
  pairDifference,
  type Disparity,
  type PairDifferenceOptions,
} from './disparity.ts'
export {
  inferDisparity,
  type DisparityInferenceOptions,
  type InferredDisparity,
} from './disparityInference.ts'
export { gapParts, type GapParts, type StratumCounts } from './gapParts.ts'
export { incomeSlopes, type IncomeSlopes } from './incomeSlopes.ts'
export { macroEstimate, worstMean, type WorstMean } from './macroMean.ts'
export { shrunkenShares, type ShrunkenShare } from './shrinkage.ts'
export { disparityTrend, type DisparityTrend } from './disparityTrend.ts'
export { failureBias, type FailureBias } from './failureBias.ts'
export { gapOpinions, type GapOpinions } from './progressGapOpinions.ts'
export { incomeControlled, incomeQuartiles, type IncomeControlled } from './incomeControlled.ts'
export { newcombe, shareInterval, wilson, type Estimate, type Interval } from './intervals.ts'
export { percentileInterval } from './numbers.ts'
export { mixedSlope, type MixedSlope } from './mixedModel.ts'
export {
  benjaminiHochberg,
  mcnemar,
  pairCounts,
  pairedBootstrap,
  type McNemar,
} from './pairedTests.ts'
export { equalityNull, type EqualityNull } from './permutationTest.ts'
export { imagesNeeded, minimumDetectableDifference } from './power.ts'
export {
  accuracyTable,
  netImprovement,
  oodBenchmarks,
  progressGap,
  progressRate,
} from './progress.ts'
export {
  type AccuracyAxis,
  type ProgressGap,
  type ProgressRate,
  type RateOptions,
} from './progress.ts'
export { classCounts, classScores, macroScores } from './recall.ts'
export { fitLine, type Line } from './regression.ts'
export { scalingTrend, sizeGroups } from './scaling.ts'
export { signFlipMidP, signFlipP, type PairedOutcomes } from './signFlip.ts'
export { weightedAccuracy } from './weightedAccuracy.ts'

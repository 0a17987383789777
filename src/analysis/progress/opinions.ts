/** Second opinions on progress gaps: without a family, by a mixed model, corrected for errors of the reference. */
import { endsText, signedText } from '../../lib/table/values.ts'
import { type Interval } from '../../metrics/intervals.ts'
import { gapOpinions, type GapOpinions } from '../../metrics/progressGapOpinions.ts'
import { type AccuracyTable } from '../../metrics/progress.ts'
import { type ModelClustering } from './evidence.ts'
import { type LineProgress, type ProgressComparison, type ProgressPair } from './progress.ts'

/** Returns the second opinions on a pair of a line. */
export const pairOpinions = (
  accuracies: AccuracyTable,
  { rateOptions }: Pick<LineProgress, 'rateOptions'>,
  { standard, geographic }: ProgressPair,
): GapOpinions =>
  gapOpinions(accuracies, { standard: standard.datasets, geographic: geographic.name }, rateOptions)

/**
 * Returns the second opinions on a gap in words; what cannot be given comes with its reason.
 *
 * @example
 * opinionsText(comparison, pair, pairOpinions(evidence.accuracies, line, pair))
 * // 'second opinions on the gap between ImageNet-Sketch and GeoDE, 0.62: 0.58 (without vit) to 0.66 (without resnet) …'
 */
export function opinionsText(
  { reference, cluster }: Pick<ProgressComparison, 'reference' | 'cluster'>,
  { standard, geographic, gap }: ProgressPair,
  { withoutFamily, mixed, corrected }: GapOpinions,
): string | null {
  if (gap.difference === null) return null
  const range =
    withoutFamily === null
      ? `too few to leave one ${clusterNouns[cluster]} out`
      : `${number(withoutFamily.low)} (without ${withoutFamily.lowWithout}) to ${number(withoutFamily.high)} (without ${withoutFamily.highWithout}) when one ${clusterNouns[cluster]} is left out`
  const model =
    mixed.slope === null
      ? mixed.reason!
      : `${number(mixed.slope)}${intervalInBrackets(mixed.interval)} by a mixed model`
  const correction =
    corrected === null
      ? `errors of ${reference.title} are not known`
      : corrected.slope === null
        ? corrected.reason!
        : `${number(corrected.slope)}${intervalInBrackets(corrected.interval)} if errors of ${reference.title} are independent (attenuation ${corrected.attenuation!.toFixed(3)})`
  return `second opinions on the gap between ${standard.title} and ${geographic.title}, ${number(gap.difference)}: ${range}; ${model}; ${correction}`
}

const clusterNouns: Readonly<Record<ModelClustering, string>> = {
  family: 'family',
  pretraining: 'data set',
  none: 'model',
}

const number = (value: number): string => signedText(value, 2)

const intervalInBrackets = (interval: Interval | null): string =>
  interval === null ? '' : ` (${endsText(interval, 2)})`

import { type ProgressGap, type ProgressRate } from '../../metrics/progress.ts'
import { publishedEvidence } from '../progress/evidence.ts'
import { compareProgress } from '../progress/progress.ts'
import {
  publishedAccuracies,
  type PublishedRow,
  type PublishedSource,
  publishedSources,
} from './publishedAccuracies.ts'

export interface PublishedRate {
  name: string
  line: ProgressRate
}

export interface PublishedGap {
  standard: string
  geographic: string
  gap: ProgressGap
}

/** Progress of one kind of model, from published accuracies alone. */
export interface PublishedProgress {
  kind: PublishedRow['kind']
  models: number
  source: PublishedSource
  rates: PublishedRate[]
  /** Empty for models with a 1,000-class head: nobody publishes their accuracy on a geographic benchmark. */
  gaps: PublishedGap[]
  reason: string | null
}

/**
 * Progress rates and gaps of the testbed's published accuracies, one entry a kind of models (a line through both kinds would mix
 * two relations).
 *
 * @example
 * const [heads, zeroShot] = publishedProgress()
 */
export function publishedProgress(): PublishedProgress[] {
  const rows = publishedAccuracies()
  return compareProgress(publishedEvidence()).lines.map(({ models, rates, pairs }) => {
    const { kind, source } = rows.find(({ model }) => model === models[0])!
    return {
      kind,
      models: models.length,
      source: publishedSources[source],
      rates: rates.map(({ name, rate }) => ({ name, line: rate })),
      gaps: pairs.map(({ standard, geographic, gap }) => ({
        standard: standard.name,
        geographic: geographic.name,
        gap,
      })),
      reason:
        pairs.length > 0
          ? null
          : 'no geographic accuracies are published for models with a 1,000-class head',
    }
  })
}

import { modelFamilies } from '../modelRoles.ts'
import {
  accuracyTable,
  oodBenchmarks,
  type ProgressGap,
  progressGap,
  type ProgressRate,
  progressRate,
  referenceBenchmark,
} from '../../metrics/progress.ts'
import {
  publishedAccuracies,
  publishedImages,
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

const standardBenchmarks = ['imagenet-v2', ...oodBenchmarks, 'imagenet-a']
const datacompBenchmarks = ['dollarstreet-datacomp', 'geode-datacomp']

/**
 * Progress rates and gaps of the testbed's published accuracies, one entry a kind of models (a line through both kinds would mix
 * two relations).
 *
 * @example
 * const [heads, zeroShot] = publishedProgress()
 */
export function publishedProgress(): PublishedProgress[] {
  return (['1K', 'zero-shot'] as const).map(kind => {
    const rows = publishedAccuracies().filter(row => row.kind === kind)
    const table = accuracyTable(rows)
    const models = [...new Set(rows.map(({ model }) => model))]
    const options = {
      families: modelFamilies(models),
      images: new Map(models.map(model => [model, publishedImages])),
    }
    const known = (name: string): boolean => table.has(name)
    const ood = oodBenchmarks.filter(known)
    const sets: [name: string, benchmarks: string | readonly string[]][] = [
      ...standardBenchmarks,
      ...datacompBenchmarks,
    ]
      .filter(known)
      .map(name => [name, name])
    if (ood.length === oodBenchmarks.length) sets.push(['ood average', ood])
    const rates = sets.map(([name, benchmarks]) => ({
      name,
      line: progressRate(table, benchmarks, options),
    }))
    const gaps = sets
      .filter(([name]) => !datacompBenchmarks.includes(name))
      .flatMap(([name, benchmarks]) =>
        datacompBenchmarks.filter(known).map(other => ({
          standard: name,
          geographic: other,
          gap: progressGap(table, { standard: benchmarks, geographic: other }, options),
        })),
      )
    return {
      kind,
      models: table.get(referenceBenchmark)!.size,
      source: publishedSources[rows[0]!.source],
      rates,
      gaps,
      reason:
        gaps.length > 0
          ? null
          : 'no geographic accuracies are published for models with a 1,000-class head',
    }
  })
}

/** Computes the progress of models on standard benchmarks and on geographic data sets. */
import { inputError, unknownNameError } from '../../lib/errors.ts'
import {
  type AccuracyAxis,
  oodBenchmarks,
  progressGap,
  type ProgressGap,
  progressRate,
  type ProgressRate,
  type RateOptions,
} from '../../metrics/progress.ts'
import { benchmarkNameOf, oodDatasets } from '../datasetRoles.ts'
import { type LineModels } from '../modelRoles.ts'
import { groupByKey } from '../../lib/tally.ts'
import { findModelNames } from '../../models/findModelName.ts'
import { modelClusters, type ModelClustering, type ProgressEvidence } from './evidence.ts'

/** Choices of a comparison of progress; what is not given is all, in linear axes, with families as clusters. */
export interface ProgressOptions {
  /** Standard benchmarks by name or title. */
  standard?: readonly string[] | undefined
  /** Geographic data sets by name or title. */
  geographic?: readonly string[] | undefined
  /** Models by full or short name. */
  models?: readonly string[] | undefined
  axis?: AccuracyAxis | undefined
  cluster?: ModelClustering | undefined
  /** Whether only the standard benchmark that stands for the others is compared. Default: all are. */
  isHeadline?: boolean
}

/** A standard benchmark, or several whose mean accuracy counts. */
export interface BenchmarkGroup {
  /** The data set's name, or `ood average`. */
  name: string
  title: string
  datasets: readonly string[]
}

/** A benchmark's progress rate over all models that have it and the reference. */
export interface BenchmarkRate extends BenchmarkGroup {
  geographic: boolean
  rate: ProgressRate
}

/** A standard benchmark beside a geographic data set, over the models that have both and the reference. */
export interface ProgressPair {
  standard: BenchmarkGroup
  geographic: BenchmarkGroup
  gap: ProgressGap
}

/** The progress of the models of one line. */
export interface LineProgress extends LineModels {
  /** Options of all its rates and gaps. */
  rateOptions: RateOptions
  rates: BenchmarkRate[]
  /** Each standard benchmark with each geographic data set. */
  pairs: ProgressPair[]
}

/** Progress on the x axis' benchmark, for each line of models. */
export interface ProgressComparison {
  reference: { name: string; title: string }
  axis: AccuracyAxis
  cluster: ModelClustering
  lines: LineProgress[]
}

export const oodAverage = 'ood average'

/**
 * Compares the progress on each standard benchmark with that on each geographic data set. `progressSentences` says the outcome in
 * words. Without another standard benchmark the reference stands for it, whose rate is 1.
 * Errors: no-reference, unknown-model, unknown-data-set.
 *
 * @example
 * const { lines } = compareProgress(progressEvidence(runView(await openRun('results'))))
 */
export function compareProgress(
  evidence: ProgressEvidence,
  options: ProgressOptions = {},
): ProgressComparison {
  const { roles, accuracies, titleOf } = evidence
  const { axis = 'linear', cluster = 'family', isHeadline = false } = options
  if (roles.reference === null)
    throw inputError(
      'no-reference',
      'no standard benchmark to measure progress by: evaluate or import ImageNet (imagenet-1k), or another data set without places',
    )
  const sets = chooseModels(evidence, options.models)
  const standard = chooseStandard(evidence, options.standard)
  const geographic = chooseDatasets(evidence, roles.geographic, options.geographic).map(name =>
    single(name, titleOf),
  )
  const rateOptions: RateOptions = {
    reference: roles.reference,
    images: evidence.images,
    families: modelClusters(
      sets.flatMap(({ models }) => models),
      cluster,
    ),
    axis,
  }
  return {
    reference: { name: roles.reference, title: titleOf(roles.reference) },
    axis,
    cluster,
    lines: sets.map(set => {
      const own = { ...rateOptions, models: set.models }
      const isKnown = ({ datasets }: BenchmarkGroup): boolean =>
        set.models.some(model => datasets.every(name => accuracies.get(name)?.has(model)))
      const known = standard.filter(isKnown)
      const above = isHeadline ? byHeadline(known, each => each).slice(0, 1) : known
      const below = geographic.filter(isKnown)
      const rateOf =
        (isGeographic: boolean) =>
        (group: BenchmarkGroup): BenchmarkRate => ({
          ...group,
          geographic: isGeographic,
          rate: progressRate(accuracies, group.datasets, own),
        })
      return {
        ...set,
        rateOptions: own,
        rates: [...above.map(rateOf(false)), ...below.map(rateOf(true))],
        pairs: above.flatMap(one =>
          below.map(other => ({
            standard: one,
            geographic: other,
            gap: progressGap(accuracies, { standard: one.datasets, geographic: other.name }, own),
          })),
        ),
      }
    }),
  }
}

function chooseModels(
  { sets }: ProgressEvidence,
  asked: readonly string[] | undefined,
): readonly LineModels[] {
  if (asked === undefined) return sets
  const chosen = findModelNames(
    asked,
    sets.flatMap(({ models }) => models),
  )
  return sets
    .map(({ kind, models }) => ({ kind, models: models.filter(model => chosen.includes(model)) }))
    .filter(({ models }) => models.length > 0)
}

/** Returns the standard benchmarks with the mean of the paper's three first, or the reference alone if there is no other. */
function chooseStandard(
  evidence: ProgressEvidence,
  asked: readonly string[] | undefined,
): BenchmarkGroup[] {
  const { roles, titleOf } = evidence
  const ood = oodDatasets(roles)
  const average: BenchmarkGroup[] = ood
    ? [{ name: oodAverage, title: 'OOD average', datasets: ood }]
    : []
  if (asked === undefined) {
    const names = roles.standard.length > 0 ? roles.standard : [roles.reference!]
    return [...average, ...names.map(name => single(name, titleOf))]
  }
  const known = [roles.reference!, ...roles.standard]
  return asked.flatMap(name => {
    const found = average.filter(group => [group.name, group.title].includes(name))
    return found.length > 0
      ? found
      : chooseDatasets(evidence, known, [name]).map(each => single(each, titleOf))
  })
}

const single = (name: string, titleOf: ProgressEvidence['titleOf']): BenchmarkGroup => ({
  name,
  title: titleOf(name),
  datasets: [name],
})

/** Returns the data sets that names, titles or names of benchmarks stand for; all if none are asked for. */
function chooseDatasets(
  { titleOf }: ProgressEvidence,
  known: readonly string[],
  asked: readonly string[] = known,
): string[] {
  return asked.map(name => {
    const found =
      known.find(one => one === name) ??
      known.find(one => titleOf(one) === name || benchmarkNameOf(one) === name)
    if (found === undefined) throw unknownNameError('data set', name, known)
    return found
  })
}

/** The standard benchmarks that stand for the others in one sentence, the best first. */
const headlineOrder: readonly string[] = [oodAverage, ...oodBenchmarks, 'imagenet-v2']

/** Returns for each geographic data set the pair that stands for the others: the paper's average, else the first of its benchmarks. */
export function headlinePairs({ pairs }: Pick<LineProgress, 'pairs'>): ProgressPair[] {
  return [...groupByKey(pairs, ({ geographic }) => geographic.name).values()].map(
    own => byHeadline(own, ({ standard }) => standard)[0]!,
  )
}

/** Sorts by standard benchmark, those first that stand for the others. */
function byHeadline<T>(list: readonly T[], standardOf: (one: T) => BenchmarkGroup): T[] {
  const rank = (one: T): number => {
    const place = headlineOrder.indexOf(benchmarkNameOf(standardOf(one).name))
    return place < 0 ? headlineOrder.length : place
  }
  return list.toSorted((a, b) => rank(a) - rank(b))
}

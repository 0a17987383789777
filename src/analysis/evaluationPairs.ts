/** Chooses the evaluations that are compared with each other. */
import { type OutcomeMetricName } from '../results/metricNames.ts'
import { inputError } from '../lib/errors.ts'
import { findModelName } from '../models/findModelName.ts'
import { pullResults } from '../results/sync.ts'
import {
  type CurrentResults,
  readableResults,
  readCurrentResults,
} from '../results/currentResults.ts'
import { unusableNotes } from '../results/unusableResults.ts'
import { distinctFieldValues, type StoredEvaluation } from '../results/storedEvaluations.ts'

/** Two evaluations on the same data set with the same preprocessing. */
export interface EvaluationPair {
  dataset: string
  preprocessing: string
  first: StoredEvaluation
  second: StoredEvaluation
  /** Sentences that name the evaluations of each side without a counterpart, and those that are left out. */
  unmatched: string[]
}

/**
 * Reads the newest evaluations in a folder, without the images of the slice `exclude`, as a metric counts them. Errors: no-results.
 */
export async function newestEvaluations(
  dir: string,
  exclude?: string,
  metric?: OutcomeMetricName,
): Promise<CurrentResults> {
  const results = await readCurrentResults(await pullResults(dir), exclude, metric)
  if (results.entries.length === 0)
    throw inputError(
      'no-results',
      [`no results in ${dir}`, ...unusableNotes(results.failures)].join('; '),
    )
  return results
}

/**
 * Reads two models of one folder, or one model (or two) of two folders, and pairs their evaluations. `models` names the first
 * and the second model, or one for both sides; it is needed unless there is only one choice.
 * Errors: unknown-model, choose-models, nothing-in-common.
 */
export async function chooseEvaluationPairs(
  firstDir: string,
  secondDir = firstDir,
  {
    models = [],
    exclude,
    metric,
  }: { models?: readonly string[]; exclude?: string; metric?: OutcomeMetricName } = {},
): Promise<EvaluationPair[]> {
  const first = await newestEvaluations(firstDir, exclude, metric)
  const second =
    secondDir === firstDir ? first : await newestEvaluations(secondDir, exclude, metric)
  const [a, b] = chooseModels(first.entries, second.entries, models)
  const before = await readableResults(resultsOfModel(first, a))
  const after = await readableResults(resultsOfModel(second, b))
  const pairs = matchEvaluations(before.entries, after.entries, { models: `${a} and ${b}` })
  const notes = unusableNotes([...before.failures, ...after.failures])
  return pairs.map(pair => ({ ...pair, unmatched: [...pair.unmatched, ...notes] }))
}

const resultsOfModel = ({ entries, failures }: CurrentResults, model: string): CurrentResults => ({
  entries: evaluationsOfModel(entries, model),
  failures: failures.filter(one => one.model === model || one.model === ''),
})

/** Returns the evaluations of one model. */
export const evaluationsOfModel = (
  entries: readonly StoredEvaluation[],
  model: string,
): StoredEvaluation[] => entries.filter(({ identity }) => identity.model === model)

/** Returns the models of the first and the second side, which are one list if both sides are one folder. */
function chooseModels(
  firstSide: readonly StoredEvaluation[],
  secondSide: readonly StoredEvaluation[],
  models: readonly string[],
): [string, string] {
  if (models.length > 2)
    throw inputError(
      'choose-models',
      `two models can be compared, not ${models.length}: ${models.join(', ')}`,
    )
  const isOneFolder = firstSide === secondSide
  const first = distinctFieldValues(firstSide, 'model')
  const second = distinctFieldValues(secondSide, 'model')
  const [a, b = a] = models
  if (a !== undefined && b !== undefined) {
    const names: [string, string] = [findModelName(a, first), findModelName(b, second)]
    if (!(isOneFolder && names[0] === names[1])) return names
  } else if (isOneFolder) {
    if (first.length === 2) return [first[0]!, first[1]!]
  } else {
    const common = first.filter(name => second.includes(name))
    if (common.length === 1) return [common[0]!, common[0]!]
    if (first.length === 1 && second.length === 1) return [first[0]!, second[0]!]
  }
  const known = [...new Set([...first, ...second])].join(', ')
  throw inputError('choose-models', `choose with --models FIRST,SECOND; there are ${known}`)
}

/**
 * Pairs the evaluations on the same data set with the same preprocessing. `models` and `sides` name the models and the sides in
 * messages. Errors: nothing-in-common.
 */
export function matchEvaluations(
  first: readonly StoredEvaluation[],
  second: readonly StoredEvaluation[],
  names: { models: string; sides?: readonly [first: string, second: string] },
): EvaluationPair[] {
  const { models, sides = ['on the first side', 'on the second side'] } = names
  const unmatched = [
    ...unmatchedNotes(first, second, sides[0]),
    ...unmatchedNotes(second, first, sides[1]),
  ]
  const pairs = first.flatMap(one => {
    const { dataset, preprocessing } = one.identity
    const other = second.find(hasSameTask(one))
    return other ? [{ dataset, preprocessing, first: one, second: other, unmatched }] : []
  })
  if (pairs.length === 0) throw inputError('nothing-in-common', `no data set in common: ${models}`)
  return pairs
}

const hasSameTask =
  ({ identity: { dataset, preprocessing } }: StoredEvaluation) =>
  ({ identity }: StoredEvaluation): boolean =>
    identity.dataset === dataset && identity.preprocessing === preprocessing

function unmatchedNotes(
  some: readonly StoredEvaluation[],
  others: readonly StoredEvaluation[],
  side: string,
): string[] {
  const left = some.filter(one => !others.some(hasSameTask(one)))
  const texts = left.map(
    ({ identity }) => `${identity.model} on ${identity.dataset} (${identity.preprocessing})`,
  )
  return texts.length === 0 ? [] : [`Only ${side} and not compared: ${texts.join(', ')}.`]
}

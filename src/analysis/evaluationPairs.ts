/** Which evaluations a question about two sides is about. */
import { inputError, unknownNameError } from '../lib/errors.ts'
import { pullResults } from '../results/sync.ts'
import { readCurrentEvaluations } from '../results/runRecords.ts'
import { distinctFieldValues, type StoredEvaluation } from '../results/store.ts'

/** The same data set and preprocessing on both sides. */
export interface EvaluationPair {
  dataset: string
  preprocessing: string
  first: StoredEvaluation
  second: StoredEvaluation
  /** What of either side has no counterpart, a sentence a side. */
  unmatched: string[]
}

/** Newest evaluations below a folder. Errors: no-results. */
export async function newestEvaluations(
  dir: string,
  exclude?: string,
): Promise<StoredEvaluation[]> {
  const entries = await readCurrentEvaluations(await pullResults(dir), exclude)
  if (entries.length === 0) throw inputError('no-results', `no results in ${dir}`)
  return entries
}

/**
 * Two models of one folder, or one model (or two) of two folders: `models` names the first and the second, or one for both.
 * Without it there must be no choice. Errors: unknown-model, choose-models, nothing-in-common.
 */
export async function chooseEvaluationPairs(
  firstDir: string,
  secondDir = firstDir,
  models: readonly string[] = [],
  exclude?: string,
): Promise<EvaluationPair[]> {
  const first = await newestEvaluations(firstDir, exclude)
  const second = secondDir === firstDir ? first : await newestEvaluations(secondDir, exclude)
  const [a, b] = chooseModels(
    distinctFieldValues(first, 'model'),
    distinctFieldValues(second, 'model'),
    models,
    secondDir === firstDir,
  )
  return matchEvaluations(
    first.filter(({ identity }) => identity.model === a),
    second.filter(({ identity }) => identity.model === b),
    `${a} and ${b}`,
  )
}

function chooseModels(
  first: readonly string[],
  second: readonly string[],
  models: readonly string[],
  oneFolder: boolean,
): [string, string] {
  if (models.length > 2)
    throw inputError(
      'choose-models',
      `two models can be compared, not ${models.length}: ${models.join(', ')}`,
    )
  const [a, b = a] = models
  if (a !== undefined && b !== undefined) {
    if (!first.includes(a)) throw unknownNameError('model', a, first)
    if (!second.includes(b)) throw unknownNameError('model', b, second)
    if (!(oneFolder && a === b)) return [a, b]
  } else if (oneFolder) {
    if (first.length === 2) return [first[0]!, first[1]!]
  } else {
    const common = first.filter(name => second.includes(name))
    if (common.length === 1) return [common[0]!, common[0]!]
    if (first.length === 1 && second.length === 1) return [first[0]!, second[0]!]
  }
  const known = [...new Set([...first, ...second])].join(', ')
  throw inputError('choose-models', `choose with --models FIRST,SECOND; there are ${known}`)
}

/** Evaluations on the same data set with the same preprocessing mode; `names` are the sides'. Errors: nothing-in-common. */
export function matchEvaluations(
  first: readonly StoredEvaluation[],
  second: readonly StoredEvaluation[],
  what: string,
  names: readonly [string, string] = ['on the first side', 'on the second side'],
): EvaluationPair[] {
  const unmatched = [
    ...unmatchedNotes(first, second, names[0]),
    ...unmatchedNotes(second, first, names[1]),
  ]
  const pairs = first.flatMap(one => {
    const { dataset, preprocessing } = one.identity
    const other = second.find(hasSameTask(one))
    return other ? [{ dataset, preprocessing, first: one, second: other, unmatched }] : []
  })
  if (pairs.length === 0) throw inputError('nothing-in-common', `no data set in common: ${what}`)
  return pairs
}

const hasSameTask =
  ({ identity: { dataset, preprocessing } }: StoredEvaluation) =>
  ({ identity }: StoredEvaluation): boolean =>
    identity.dataset === dataset && identity.preprocessing === preprocessing

function unmatchedNotes(
  some: readonly StoredEvaluation[],
  others: readonly StoredEvaluation[],
  where: string,
): string[] {
  const left = some.filter(one => !others.some(hasSameTask(one)))
  const texts = left.map(
    ({ identity }) => `${identity.model} on ${identity.dataset} (${identity.preprocessing})`,
  )
  return texts.length === 0 ? [] : [`Only ${where} and not compared: ${texts.join(', ')}.`]
}

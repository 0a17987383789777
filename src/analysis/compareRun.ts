import { unknownNameError } from '../lib/errors.ts'
import { countText } from '../lib/table/text.ts'
import { type EvaluationComparison, minComparedImages, groupChanges } from './compare.ts'
import { pairCoverage, pairedCounts, type PairedCounts, sharedColumns } from './imagePairs.ts'
import { exclusionNotes } from '../results/slices.ts'
import { type EvaluationPair } from './evaluationPairs.ts'

export interface EvaluationCompareOptions {
  /** Columns to compare by. Default: region, country, income, as far as they are there, and `label`. */
  by?: readonly string[]
  minN?: number
}

const defaultColumns = ['region', 'country', 'income']

/** Compares two evaluations image by image. Errors: unknown-column. */
export async function compareEvaluations(
  pair: EvaluationPair,
  { by, minN = minComparedImages }: EvaluationCompareOptions = {},
): Promise<EvaluationComparison> {
  const { first, second, dataset, preprocessing } = pair
  const columns = sharedColumns(first, second)
  for (const column of by ?? []) {
    if (column !== 'label' && !columns.includes(column))
      throw unknownNameError('column', column, [...columns, 'label'])
  }
  const comparedColumns = by ?? [
    ...defaultColumns.filter(column => columns.includes(column)),
    'label',
  ]
  const cells = new Map<string, PairedCounts[]>()
  for (const column of comparedColumns) cells.set(column, await pairedCounts(first, second, column))
  const overall = cells.get('label') ?? (await pairedCounts(first, second, 'label'))
  const found = groupChanges(cells, minN, overall)
  const covered = await pairCoverage(first, second)
  return {
    ...{ dataset, preprocessing, coverage: covered, ...found },
    firstModel: first.identity.model,
    secondModel: second.identity.model,
    notes: comparisonNotes(pair, covered),
  }
}

function comparisonNotes(
  { first, second, unmatched: alone }: EvaluationPair,
  covered: EvaluationComparison['coverage'],
): string[] {
  const notes = [...exclusionNotes([first]), ...alone]
  const [a, b] = [first.identity, second.identity]
  const { common, onlyFirst, onlySecond, unscoredFirst, unscoredSecond } = covered
  const images = (n: number): string => countText(n, 'image')
  if (onlyFirst + onlySecond > 0)
    notes.push(
      `${images(common)} in common; ${images(onlyFirst)} only on the first and ${images(onlySecond)} only on the second side are not compared.`,
    )
  if (unscoredFirst + unscoredSecond > 0)
    notes.push(
      `Not compared because one side has no outcome: ${images(unscoredFirst)} on the first, ${images(unscoredSecond)} on the second side.`,
    )
  if (a.labelMap !== b.labelMap || a.choices !== b.choices)
    notes.push(
      'The two sides accept different classes, so a change may come from the labels and not from the model.',
    )
  return notes
}

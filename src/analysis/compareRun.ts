import { unknownNameError } from '../lib/errors.ts'
import { countText } from '../lib/table/text.ts'
import { type EvaluationComparison, minComparedImages, groupChanges } from './compare.ts'
import {
  contradictionNotes,
  type PairCoverage,
  pairCoverage,
  pairedCounts,
  type PairedCounts,
  sharedColumns,
} from './imagePairs.ts'
import { compareCounts } from './compareCounts.ts'
import { compareValues } from './compareValues.ts'
import { hasFractions } from '../results/outcomeMetrics.ts'
import { isOfCounts } from '../results/schema.ts'
import { exclusionNotes } from '../results/slices.ts'
import { type EvaluationPair } from './evaluationPairs.ts'

export interface EvaluationCompareOptions {
  /** Columns to compare by. Default: those of region, country and income that both sides have, and `label`. */
  by?: readonly string[]
  /** Smallest number of images in common for a group to be tested. Default 30. */
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
  const isPaired = ![first, second].some(({ identity }) => isOfCounts(identity))
  for (const column of by ?? []) {
    if (column !== 'label' && !columns.includes(column))
      throw unknownNameError('column', column, [...columns, 'label'])
  }
  const own = defaultColumns.filter(column => columns.includes(column))
  const compared = by ?? (isPaired ? [...own, 'label'] : own)
  const about = {
    dataset,
    preprocessing,
    firstModel: first.identity.model,
    secondModel: second.identity.model,
    isPaired,
    metric: first.identity.metric ?? ('top1' as const),
  }
  if (!isPaired) return { ...about, ...(await compareCounts(pair, compared, minN)) }
  const covered = await pairCoverage(
    pair,
    compared.filter(column => column !== 'label'),
  )
  const notes = comparisonNotes(pair, covered)
  if (hasFractions(first)) {
    const changes = await compareValues(pair, compared, minN)
    return { ...about, ...changes, coverage: covered, notes }
  }
  const cells = new Map<string, PairedCounts[]>()
  for (const column of compared) cells.set(column, await pairedCounts(first, second, column))
  const overall = cells.get('label') ?? (await pairedCounts(first, second, 'label'))
  const found = groupChanges(cells, minN, overall)
  return { ...about, ...found, coverage: covered, notes }
}

function comparisonNotes(pair: EvaluationPair, coverage: PairCoverage): string[] {
  const { common, onlyFirst, onlySecond, unscoredFirst, unscoredSecond } = coverage
  const notes = [...exclusionNotes([pair.first]), ...pair.unmatched]
  const images = (n: number): string => countText(n, 'image')
  if (onlyFirst + onlySecond > 0)
    notes.push(
      `${images(common)} in common; ${images(onlyFirst)} only on the first and ${images(onlySecond)} only on the second side are not compared.`,
    )
  if (unscoredFirst + unscoredSecond > 0)
    notes.push(
      `Not compared because one side has no outcome: ${images(unscoredFirst)} on the first, ${images(unscoredSecond)} on the second side.`,
    )
  return [...notes, ...contradictionNotes(pair, coverage)]
}

import { unknownName } from '../lib/errors.ts'
import { count } from '../lib/table/text.ts'
import { type Comparison, comparedN, groupChanges } from './compare.ts'
import { coverage, pairCells, type PairCell, sharedColumns } from './pairs.ts'
import { excludedNotes } from '../results/slices.ts'
import { type Sides } from './sides.ts'

export interface CompareOptions {
  /** Columns to compare by. Default: region, country, income, as far as they are there, and `label`. */
  by?: readonly string[]
  minN?: number
}

const usual = ['region', 'country', 'income']

/** Compares two evaluations image by image. Errors: unknown-column. */
export async function compareSides(sides: Sides, { by, minN = comparedN }: CompareOptions = {}): Promise<Comparison> {
  const { first, second, dataset, preprocessing } = sides
  const columns = sharedColumns(first, second)
  for (const column of by ?? []) {
    if (column !== 'label' && !columns.includes(column)) throw unknownName('column', column, [...columns, 'label'])
  }
  const asked = by ?? [...usual.filter(column => columns.includes(column)), 'label']
  const cells = new Map<string, PairCell[]>()
  for (const column of asked) cells.set(column, await pairCells(first, second, column))
  const overall = cells.get('label') ?? (await pairCells(first, second, 'label'))
  const found = groupChanges(cells, minN, overall)
  const covered = await coverage(first, second)
  return {
    ...{ dataset, preprocessing, coverage: covered, ...found },
    firstModel: first.identity.model,
    secondModel: second.identity.model,
    notes: notesOf(sides, covered),
  }
}

function notesOf({ first, second, alone }: Sides, covered: Comparison['coverage']): string[] {
  const notes = [...excludedNotes([first]), ...alone]
  const [a, b] = [first.identity, second.identity]
  const { common, onlyFirst, onlySecond, unscoredFirst, unscoredSecond } = covered
  const images = (n: number): string => count(n, 'image')
  if (onlyFirst + onlySecond > 0)
    notes.push(
      `${images(common)} in common; ${images(onlyFirst)} only on the first and ${images(onlySecond)} only on the second side are not compared.`,
    )
  if (unscoredFirst + unscoredSecond > 0)
    notes.push(
      `Not compared because one side has no outcome: ${images(unscoredFirst)} on the first, ${images(unscoredSecond)} on the second side.`,
    )
  if (a.labelMap !== b.labelMap || a.choices !== b.choices)
    notes.push('The two sides accept different classes, so a change may come from the labels and not from the model.')
  return notes
}

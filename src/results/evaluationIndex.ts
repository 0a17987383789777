/** Finds the counts and the stored evaluations of a run by model, data set and preprocessing. */
import { memoizeByObject } from '../lib/memoize.ts'
import { groupByKey } from '../lib/tally.ts'
import { type CountsCell } from './counts.ts'
import { type EvaluationId, evaluationIdText, type StoredEvaluation } from './storedEvaluations.ts'

interface WithCells {
  cells: readonly CountsCell[]
}
interface WithEntries {
  entries: readonly StoredEvaluation[]
}

/** The cells of one model on one data set. */
export interface EvaluationCounts extends EvaluationId {
  cells: CountsCell[]
}

/** Returns the cells of each model on each data set, in the order of the entries. */
export const countsByEvaluation = ({ cells }: WithCells): EvaluationCounts[] => [
  ...splitCells(cells).values(),
]

/** Returns a predicate for rows of the evaluations with the given model, data set and preprocessing; those left out match any. */
export const isOfEvaluation =
  (slot: Partial<EvaluationId>) =>
  ({ model, dataset, preprocessing }: EvaluationId): boolean =>
    model === (slot.model ?? model) &&
    dataset === (slot.dataset ?? dataset) &&
    preprocessing === (slot.preprocessing ?? preprocessing)

/** Returns the cells of one evaluation; an empty list if the run has none. */
export const countsOf = ({ cells }: WithCells, slot: EvaluationId): readonly CountsCell[] =>
  splitCells(cells).get(evaluationIdText(slot))?.cells ?? []

/** Returns the stored evaluations with the given model, data set and preprocessing; those left out match any. */
export const evaluationsOf = (
  { entries }: WithEntries,
  slot: Partial<EvaluationId>,
): StoredEvaluation[] =>
  isWholeId(slot)
    ? (entriesById(entries).get(evaluationIdText(slot)) ?? [])
    : entries.filter(({ identity }) => isOfEvaluation(slot)(identity))

const isWholeId = (slot: Partial<EvaluationId>): slot is EvaluationId =>
  [slot.model, slot.dataset, slot.preprocessing].every(name => name !== undefined)

const entriesById = memoizeByObject((entries: readonly StoredEvaluation[]) =>
  groupByKey(entries, ({ identity }) => evaluationIdText(identity)),
)

const splitCells = memoizeByObject(
  (cells: readonly CountsCell[]): Map<string, EvaluationCounts> => {
    const all = new Map<string, EvaluationCounts>()
    let last: EvaluationCounts | undefined
    for (const cell of cells) {
      const { model, dataset, preprocessing } = cell
      if (
        last?.model !== model ||
        last.dataset !== dataset ||
        last.preprocessing !== preprocessing
      ) {
        const key = evaluationIdText(cell)
        last = all.get(key) ?? { model, dataset, preprocessing, cells: [] }
        all.set(key, last)
      }
      last.cells.push(cell)
    }
    return all
  },
)

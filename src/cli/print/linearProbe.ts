import { type LinearProbeRow } from '../../experiments/linearProbe.ts'
import { fieldColumn, fieldColumns, shareColumn } from '../../lib/table/columns.ts'
import { percent } from '../../lib/table/text.ts'
import { type Answer } from './answer.ts'

/** Returns the answer: what the probe on all photographs finds, and every probe. */
export function linearProbeAnswer(rows: readonly LinearProbeRow[]): Answer<LinearProbeRow> {
  const whole = rows.filter(({ shots, accuracy }) => shots === null && accuracy !== null)
  const sentenceOf = ({ model, dataset, target, accuracy, chance, disparity }: LinearProbeRow) =>
    `${model} on ${dataset}: its features tell the ${target} of ${percent(accuracy)} % of the photographs in households that the probe has not seen (naming the largest ${target} always: ${percent(chance)} %)${
      disparity === null ? '' : `; its disparity by ${target} is ${percent(disparity)} points`
    }.`
  return {
    sentence:
      whole.length === 0
        ? 'No place can be told: see the reasons.'
        : [{ heading: 'Where photographs were taken', sentences: whole.map(sentenceOf) }],
    columns: [
      ...fieldColumns({ model: 'model', dataset: 'data set', target: 'target' }),
      fieldColumn('shots', 'photographs each', (shots: number | null) => String(shots ?? 'all')),
      ...fieldColumns({ places: 'places', n: 'n' }),
      shareColumn('accuracy', 'accuracy %'),
      shareColumn('lowest', 'lowest split'),
      shareColumn('highest', 'highest split'),
      shareColumn('balanced', 'balanced %'),
      shareColumn('chance', 'largest place %'),
      shareColumn('disparity', 'disparity (points)'),
      fieldColumn('reason', 'reason', (reason: string | null) => reason ?? ''),
    ],
    rows,
    notes: [
      'A linear classifier on features of unit length, trained on a few photographs of each place or on all of them, and tested on other households. accuracy: mean over the splits.',
      'balanced: mean over places of the share of their own photographs that are told right. largest place: what naming it always would give.',
      'What features tell of a place need not be used in the predictions: a large accuracy does not explain a disparity.',
    ],
  }
}

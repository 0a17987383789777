import { emptyPredictions } from '../results/predictions.ts'
import { scoreRow } from '../results/scoreRow.ts'
import { type CountsRow, groupBy, sumCounts } from '../metrics/accuracy.ts'
import { disparity, pairDifference } from '../metrics/disparity.ts'
import { applyHead, type LinearHead } from '../models/runtime/head.ts'
import { type DatasetPart } from './parts.ts'

/** Shares, null where they are not defined. */
interface PartFigures {
  accuracy: number | null
  disparity: number | null
  europeMinusAfrica: number | null
}

/** Returns the figures of a part by the names that studies record. */
export const namePartFigures = (
  label: string,
  { accuracy, disparity, europeMinusAfrica }: PartFigures,
): Record<string, number | null> => ({
  [`${label} accuracy`]: accuracy,
  [`${label} disparity`]: disparity,
  [`${label} europe minus africa`]: europeMinusAfrica,
})

/**
 * Returns the top-1 accuracy of a head on a part, the largest difference between regions of at least `minN` images, and
 * Europe minus Africa. Images are scored as `evaluate` scores them.
 */
export async function scorePart(
  part: DatasetPart,
  head: LinearHead,
  minN: number,
): Promise<Record<string, number | null>> {
  const { label, samples: items, features, featureSet: kept } = part
  const outcomes = emptyPredictions(label, items.length)
  for await (const { start, rows, logits } of applyHead(features, head)) {
    for (let row = 0; row < rows; row++) {
      scoreRow(outcomes, start + row, {
        logits: logits.subarray(row * head.classes, (row + 1) * head.classes),
        labels: items[start + row]!.labels,
        choices: kept.description.choices,
      })
    }
  }
  const cells = items.flatMap(({ labels, groups }, i): CountsRow[] =>
    labels.length === 0 ? [] : [{ groups, n: 1, top1: outcomes.rank[i] === 1 ? 1 : 0 }],
  )
  const { n, top1 } = sumCounts(cells)
  const { groups } = groupBy(cells, ['region'])
  return namePartFigures(label, {
    accuracy: n === 0 ? null : top1 / n,
    disparity: disparity(groups, minN).disparity,
    europeMinusAfrica: pairDifference(groups.filter(group => group.n >= minN)).value,
  })
}

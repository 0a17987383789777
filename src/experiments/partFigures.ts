import { emptyOutcomes, scoreRow } from '../results/score.ts'
import { type CubeCell, groupBy, sumCounts } from '../metrics/accuracy.ts'
import { disparity, pairDifference } from '../metrics/disparity.ts'
import { applyHead, type Head } from '../models/runtime/head.ts'
import { type Part } from './parts.ts'

/**
 * Top-1 accuracy of a head on a part, the largest difference between regions of at least `minN` images, and Europe minus
 * Africa: shares, null where they are not defined. Scored as `evaluate` scores.
 */
export async function partFigures(part: Part, head: Head, minN: number): Promise<Record<string, number | null>> {
  const { label, items, features, kept } = part
  const outcomes = emptyOutcomes(label, items.length)
  for await (const { start, rows, logits } of applyHead(features, head)) {
    for (let row = 0; row < rows; row++) {
      const own = logits.subarray(row * head.classes, (row + 1) * head.classes)
      scoreRow(outcomes, start + row, own, items[start + row]!.labels, kept.about.choices)
    }
  }
  const cells = items.flatMap(({ labels, groups }, i): CubeCell[] =>
    labels.length === 0 ? [] : [{ groups, n: 1, top1: outcomes.rank[i] === 1 ? 1 : 0 }],
  )
  const { n, top1 } = sumCounts(cells)
  const { groups } = groupBy(cells, ['region'])
  return {
    [`${label} accuracy`]: n === 0 ? null : top1 / n,
    [`${label} disparity`]: disparity(groups, minN).disparity,
    [`${label} europe minus africa`]: pairDifference(groups.filter(group => group.n >= minN)).value,
  }
}

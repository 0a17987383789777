/** Compares counts by group of two models: without single images there are no pairs, and so no paired test. */
import { accuracyDifference, type GroupCounts, groupBy, sumCounts } from '../metrics/accuracy.ts'
import { countByColumns } from '../results/counts.ts'
import { exclusionNotes } from '../results/slices.ts'
import { type EvaluationComparison, type GroupChange } from './compare.ts'
import { type EvaluationPair } from './evaluationPairs.ts'

type CountsComparison = Pick<
  EvaluationComparison,
  'rows' | 'tested' | 'leftOut' | 'minN' | 'households' | 'coverage' | 'notes'
>

/** Returns the changes of groups of which counts alone are known on a side, with intervals as of two independent samples. */
export async function compareCounts(
  pair: EvaluationPair,
  columns: readonly string[],
  minN: number,
): Promise<CountsComparison> {
  const { all } = await countBothSides(pair, null)
  const rows = [countsChange('overall', all)]
  const leftOut: EvaluationComparison['leftOut'] = []
  for (const by of columns) {
    const { groups } = await countBothSides(pair, by)
    const changed = groups.map(counts => countsChange(by, counts))
    const isLarge = ({ n }: GroupChange): boolean => n >= Math.max(1, minN)
    rows.push(...changed.filter(isLarge).sort((a, b) => a.change - b.change))
    leftOut.push(...changed.filter(row => !isLarge(row)).map(({ group, n }) => ({ by, group, n })))
  }
  const none = {
    onlyFirst: 0,
    onlySecond: 0,
    unscoredFirst: 0,
    unscoredSecond: 0,
    relabelled: 0,
    regrouped: 0,
  }
  return {
    rows,
    tested: 0,
    leftOut,
    minN,
    households: null,
    coverage: { common: 0, ...none },
    notes: [...exclusionNotes([pair.first]), ...pair.unmatched, ...sizeNotes(all)],
  }
}

/** Counts of one group on both sides. */
type CountsOfBoth = readonly [first: GroupCounts, second: GroupCounts]

/** Returns the counts of all images, and of each group by a column that both sides have. */
export async function countBothSides(
  { first, second }: Pick<EvaluationPair, 'first' | 'second'>,
  by: string | null,
): Promise<{ all: CountsOfBoth; groups: CountsOfBoth[] }> {
  const columns = by === null ? [] : [by]
  const [before = []] = await countByColumns([first], columns)
  const [after = []] = await countByColumns([second], columns)
  const groupsOf = (cells: typeof before): readonly GroupCounts[] =>
    by === null ? [] : groupBy(cells, [by]).groups
  const others = groupsOf(after)
  return {
    all: [
      { group: 'all', ...sumCounts(before) },
      { group: 'all', ...sumCounts(after) },
    ],
    groups: groupsOf(before).flatMap((one): CountsOfBoth[] => {
      const other = others.find(({ group }) => group === one.group)
      return other ? [[one, other]] : []
    }),
  }
}

function countsChange(by: string, [first, second]: CountsOfBoth): GroupChange {
  const { difference, interval, accuracy } = accuracyDifference(second, first, 0.95)
  return {
    by,
    group: first.group,
    n: Math.min(first.n, second.n),
    gained: null,
    lost: null,
    first: accuracy[1] ?? 0,
    second: accuracy[0] ?? 0,
    change: difference ?? 0,
    interval,
    reason: null,
    p: null,
    midP: null,
    adjusted: null,
    mostly: null,
  }
}

const sizeNotes = ([first, second]: CountsOfBoth): string[] =>
  first.n === second.n
    ? []
    : [
        `The sides count ${first.n} and ${second.n} images, so they did not see the same ones; n is the smaller number (${Math.min(first.n, second.n)}).`,
      ]

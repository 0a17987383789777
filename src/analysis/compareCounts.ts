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
  const { first, second, unmatched } = pair
  const rows: GroupChange[] = []
  const leftOut: EvaluationComparison['leftOut'] = []
  const before = await countByColumns(first, [])
  const after = await countByColumns(second, [])
  rows.push(countsChange('overall', [all(before), all(after)]))
  for (const by of columns) {
    const sides = [await groupsOf(first, by), await groupsOf(second, by)] as const
    const changed = sides[0].flatMap(one => {
      const other = sides[1].find(({ group }) => group === one.group)
      return other ? countsChange(by, [one, other]) : []
    })
    const isLarge = ({ n }: GroupChange): boolean => n >= Math.max(1, minN)
    rows.push(...changed.filter(isLarge).sort((a, b) => a.change - b.change))
    leftOut.push(...changed.filter(row => !isLarge(row)).map(({ group, n }) => ({ by, group, n })))
  }
  const none = { onlyFirst: 0, onlySecond: 0, unscoredFirst: 0, unscoredSecond: 0 }
  return {
    rows,
    tested: 0,
    leftOut,
    minN,
    households: null,
    coverage: { common: 0, ...none },
    notes: [...exclusionNotes([first]), ...unmatched, ...sizeNotes(rows[0]!, before, after)],
  }
}

const all = (cells: Awaited<ReturnType<typeof countByColumns>>): GroupCounts => ({
  group: 'all',
  ...sumCounts(cells),
})

const groupsOf = async (
  entry: EvaluationPair['first'],
  by: string,
): Promise<readonly GroupCounts[]> =>
  groupBy(await countByColumns(entry, by === 'label' ? [] : [by]), [by]).groups

function countsChange(
  by: string,
  [first, second]: readonly [GroupCounts, GroupCounts],
): GroupChange {
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

function sizeNotes(
  overall: GroupChange,
  before: Parameters<typeof sumCounts>[0],
  after: Parameters<typeof sumCounts>[0],
): string[] {
  const [first, second] = [sumCounts(before).n, sumCounts(after).n]
  return first === second
    ? []
    : [
        `The sides count ${first} and ${second} images, so they did not see the same ones; n is the smaller number (${overall.n}).`,
      ]
}

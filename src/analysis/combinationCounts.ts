import { type CountsRow, groupBy } from '../metrics/accuracy.ts'
import { countByColumns } from '../results/counts.ts'
import { countByHousehold } from '../results/households.ts'
import { type Run } from '../results/run.ts'
import { type StoredEvaluation } from '../results/storedEvaluations.ts'

/** Counts of one combination of values, in one household if these are known. */
export interface CombinationCounts {
  values: readonly string[]
  cluster?: string
  n: number
  top1: number
}

/**
 * Returns the counts by columns, and by household if the data set names them; images without a value are left out. `cells` are the
 * counts without households, which are read by default.
 */
export async function countCombinations(
  entry: StoredEvaluation,
  columns: readonly string[],
  { run, cells }: { run: Pick<Run, 'entries'>; cells?: readonly CountsRow[] },
): Promise<CombinationCounts[]> {
  const households = await countByHousehold(entry, columns, run.entries)
  if (households)
    return households.map(({ values, cluster, n, top1 }) => ({ values, cluster, n, top1 }))
  const counted = cells ?? (await countByColumns([entry], columns))[0]!
  return groupBy(counted, columns).groups.map(({ groups, n, top1 }) => ({
    values: columns.map(column => String(groups[column])),
    n,
    top1,
  }))
}

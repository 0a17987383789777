/** Compares two models by a metric that is not right or wrong alone: mean differences over images, with intervals over households. */
import { groupByKey } from '../lib/tally.ts'
import { clusterMoments, groupClusterings } from '../metrics/designEffect.ts'
import { chiSquareUpper } from '../metrics/distributions.ts'
import { benjaminiHochberg } from '../metrics/pairedTests.ts'
import { type EvaluationComparison, type GroupChange } from './compare.ts'
import { type PairedValues, pairedValues } from './imagePairs.ts'
import { type EvaluationPair } from './evaluationPairs.ts'

/** Returns the changes of all groups of all columns; p-values are of the mean difference over its standard error. */
export async function compareValues(
  { first, second }: EvaluationPair,
  columns: readonly string[],
  minN: number,
): Promise<Pick<EvaluationComparison, 'rows' | 'tested' | 'leftOut' | 'minN' | 'households'>> {
  const whole = await pairedValues(first, second, null)
  const found: GroupChange[] = []
  for (const by of columns) found.push(...valueChanges(by, await pairedValues(first, second, by)))
  const isLarge = ({ n }: GroupChange): boolean => n >= Math.max(1, minN)
  const rows = found.filter(isLarge)
  const adjusted = benjaminiHochberg(rows.map(({ p }) => p))
  const images = whole.reduce((sum, { n }) => sum + n, 0)
  return {
    minN,
    households: whole.length < images ? whole.length : null,
    tested: rows.filter(({ p }) => p !== null).length,
    leftOut: found.filter(row => !isLarge(row)).map(({ by, group, n }) => ({ by, group, n })),
    rows: [
      ...valueChanges('overall', whole),
      ...rows
        .map((row, i) => ({ ...row, adjusted: adjusted[i]! }))
        .sort((a, b) => columns.indexOf(a.by) - columns.indexOf(b.by) || a.change - b.change),
    ],
  }
}

function valueChanges(by: string, cells: readonly PairedValues[]): GroupChange[] {
  const clusterings = groupClusterings(
    clusterMoments(
      cells.map(({ group, cluster, n, first, second, squares }) => ({
        group,
        cluster,
        n,
        top1: second - first,
        squares,
      })),
    ),
  )
  return [...groupByKey(cells, ({ group }) => group)].map(([group, own]) => {
    const sum = (name: 'n' | 'first' | 'second' | 'squares'): number =>
      own.reduce((total, cell) => total + cell[name], 0)
    const n = sum('n')
    const change = (sum('second') - sum('first')) / n
    const { inflation, reason } = clusterings.get(group)!
    // A quarter of a squared difference more, so that images that all agree are not taken for certain.
    const error = Math.sqrt((inflation * ((sum('squares') + 0.25) / n - change * change)) / n)
    const p = reason === null ? chiSquareUpper((change / error) ** 2, 1) : null
    return {
      by,
      group,
      n,
      gained: null,
      lost: null,
      first: sum('first') / n,
      second: sum('second') / n,
      change,
      interval: reason === null ? ([change - 1.96 * error, change + 1.96 * error] as const) : null,
      reason,
      p,
      midP: null,
      adjusted: p,
      mostly: null,
    }
  })
}

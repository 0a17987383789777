import { type GroupValue } from '../datasets/dataset.ts'
import { type ClusterCounts } from '../metrics/permutation.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { groupSql } from './counts.ts'
import { type StoredEvaluation, shardPaths } from './store.ts'

const householdColumn = 'household'

/**
 * Counts per household and group of one entry, from its predictions (households are too many for the cube). An image
 * without a household is one of its own. Null where the data set names no household. Computed groups are those of the cube of
 * `entries`.
 */
export async function countByHousehold(
  entry: StoredEvaluation,
  by: string,
  entries: readonly StoredEvaluation[] = [entry],
): Promise<ClusterCounts[] | null> {
  if (by === householdColumn || !entry.shards[0]!.columns.includes(householdColumn)) return null
  const group = await groupSql(entry, by, entries)
  if (group === undefined) return null
  const rows = await query<Omit<ClusterCounts, 'group'> & { group: GroupValue; known: boolean }>(
    `SELECT ${group} AS "group", coalesce(household::VARCHAR, 'image ' || id) AS cluster,
       bool_or(household IS NOT NULL) AS known, count(correct1)::DOUBLE AS n, count_if(correct1)::DOUBLE AS top1
     FROM ${parquetRows()} WHERE ${group} IS NOT NULL GROUP BY 1, 2 HAVING n > 0 ORDER BY 1, 2`,
    [shardPaths(entry)],
  )
  if (!rows.some(({ known }) => known)) return null
  return rows.map(({ group, cluster, n, top1 }) => ({ group: String(group), cluster, n, top1 }))
}

import { basename } from 'node:path'
import { groupByKey } from '../lib/tally.ts'
import { type GroupValue } from '../datasets/dataset.ts'
import { type ClusterMoments } from '../metrics/designEffect.ts'
import { type ClusterCounts } from '../metrics/permutation.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { entryNameSql, evaluationsPerQuery, groupSql, namedRows } from './counts.ts'
import { type StoredEvaluation, shardPaths } from './store.ts'

const householdColumn = 'household'

/** Counts of one household, with the values of its group. */
export interface HouseholdCounts extends ClusterCounts {
  /** The group's value in each of the columns. */
  values: readonly string[]
}

/**
 * Counts the predictions of one evaluation by household and by the groups of one or several columns. An image without a household
 * is one of its own. Null if the data set names no household. Computed groups are those of the cube of `entries`.
 */
export async function countByHousehold(
  entry: StoredEvaluation,
  by: string | readonly string[],
  entries: readonly StoredEvaluation[] = [entry],
): Promise<HouseholdCounts[] | null> {
  const columns = [by].flat()
  if (columns.includes(householdColumn) || !entry.shards[0]!.columns.includes(householdColumn))
    return null
  const groups: string[] = []
  for (const column of columns) groups.push((await groupSql(entry, column, entries)) ?? 'NULL')
  const named = groups.map((sql, i) => `${sql} AS g${i}`)
  const rows = await query<
    Omit<ClusterCounts, 'group'> & { known: boolean } & Record<`g${number}`, GroupValue>
  >(
    `SELECT ${named.join(', ')}, coalesce(household::VARCHAR, 'image ' || id) AS cluster,
       bool_or(household IS NOT NULL) AS known, count(correct1)::DOUBLE AS n, count_if(correct1)::DOUBLE AS top1
     FROM ${parquetRows()} WHERE ${groups.map(sql => `${sql} IS NOT NULL`).join(' AND ')}
     GROUP BY ${named.map((_, i) => i + 1).join(', ')}, cluster HAVING n > 0 ORDER BY ALL`,
    [shardPaths(entry)],
  )
  if (!rows.some(({ known }) => known)) return null
  return rows.map(({ cluster, n, top1, ...row }) => {
    const values = columns.map((_, i) => String(row[`g${i}`]))
    return { group: values.join(' × '), values, cluster, n, top1 }
  })
}

/** Column of the groups whose households are summed for `run.disparity`. */
const momentsColumn = 'region'

/** Sums over the households of each region, by the key of the evaluation. */
export type HouseholdMoments = ReadonlyMap<string, readonly ClusterMoments[]>

/** Returns the sums over the households of each region for every evaluation whose data set names households and regions. */
export async function readHouseholdMoments(
  entries: readonly StoredEvaluation[],
): Promise<HouseholdMoments> {
  const moments = new Map<string, ClusterMoments[]>()
  const named = entries.filter(({ shards }) =>
    [householdColumn, momentsColumn].every(column => shards[0]!.columns.includes(column)),
  )
  for (const members of groupByKey(named, ({ identity }) => identity.content).values()) {
    for (let first = 0; first < members.length; first += evaluationsPerQuery)
      await addMoments(members.slice(first, first + evaluationsPerQuery), moments)
  }
  return moments
}

async function addMoments(
  entries: readonly StoredEvaluation[],
  moments: Map<string, ClusterMoments[]>,
): Promise<void> {
  const rows = await query<{ entry: string; known: boolean; sums: ClusterMoments }>(
    `WITH households AS (
       SELECT ${entryNameSql}, ${momentsColumn}::VARCHAR AS "group",
         coalesce(household::VARCHAR, 'image ' || id) AS household, bool_or(household IS NOT NULL) AS known,
         count(correct1)::DOUBLE AS n, count_if(correct1)::DOUBLE AS hits
       FROM ${namedRows()} WHERE ${momentsColumn} IS NOT NULL GROUP BY 1, 2, 3 HAVING n > 0)
     SELECT entry, bool_or(known) AS known, {'group': "group", 'clusters': count(*)::DOUBLE, 'n': sum(n), 'top1': sum(hits),
       'sizeSquares': sum(n * n), 'hitSquares': sum(hits * hits), 'sizeHits': sum(n * hits), 'hitShares': sum(hits * hits / n)} AS sums
     FROM households GROUP BY entry, "group" ORDER BY entry, "group"`,
    [entries.flatMap(shardPaths)],
  )
  const byEntry = groupByKey(rows, ({ entry }) => entry)
  for (const { folder, key } of entries) {
    const own = byEntry.get(basename(folder)) ?? []
    if (own.some(({ known }) => known))
      moments.set(
        key,
        own.map(({ sums }) => sums),
      )
  }
}

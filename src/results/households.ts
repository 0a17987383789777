import { basename } from 'node:path'
import { groupByKey } from '../lib/tally.ts'
import { type GroupValue } from '../datasets/dataset.ts'
import { joinedName } from '../metrics/accuracy.ts'
import {
  type ClusterMoments,
  type GroupClustering,
  groupClusterings,
} from '../metrics/designEffect.ts'
import { type ClusterCounts } from '../metrics/permutation.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { entryFolderSql, evaluationsPerQuery, groupSql, namedRows } from './counts.ts'
import { type StoredEvaluation, shardPaths } from './store.ts'

const householdColumn = 'household'

/** Returns whether the data set of an evaluation has households. */
export const hasHouseholds = ({ shards }: Pick<StoredEvaluation, 'shards'>): boolean =>
  shards[0]!.columns.includes(householdColumn)

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
  if (columns.includes(householdColumn) || !hasHouseholds(entry)) return null
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
    return { group: joinedName(values), values, cluster, n, top1 }
  })
}

/** Sums over the households of each group, by the columns that make the groups. */
export interface GroupedMoments {
  /** Grouping columns; empty for all images together, whose group is `all`. */
  by: readonly string[]
  groups: readonly ClusterMoments[]
}

/** Sums over the households of groups, by the key of the evaluation; evaluations without households have none. */
export type HouseholdMoments = ReadonlyMap<string, readonly GroupedMoments[]>

/** Returns the sums by these columns; undefined if they were not read, or the evaluation has no households. */
export const momentsBy = (
  moments: readonly GroupedMoments[] | undefined,
  by: readonly string[],
): readonly ClusterMoments[] | undefined =>
  moments?.find(one => one.by.length === by.length && by.every((name, i) => one.by[i] === name))
    ?.groups

/** Returns how households bear on the accuracy of all images together; null for independent images. */
export const overallClustering = (
  moments: readonly GroupedMoments[] | undefined,
): GroupClustering | null => {
  const sums = momentsBy(moments, [])
  return sums ? groupClusterings(sums).get('all')! : null
}

/**
 * Returns the sums over the households of the groups by each set of columns that an evaluation has, for every evaluation whose
 * data set names households.
 */
export async function readHouseholdMoments(
  entries: readonly StoredEvaluation[],
  sets: readonly (readonly string[])[],
): Promise<HouseholdMoments> {
  const moments = new Map<string, GroupedMoments[]>()
  const named = entries.filter(hasHouseholds)
  for (const members of groupByKey(named, ({ identity }) => identity.content).values()) {
    for (const by of sets) {
      if (by.includes(householdColumn)) continue
      const columns: string[] = []
      for (const name of by) columns.push((await groupSql(members[0]!, name, entries)) ?? '')
      if (columns.includes('')) continue
      for (let first = 0; first < members.length; first += evaluationsPerQuery)
        await addMoments(members.slice(first, first + evaluationsPerQuery), {
          by,
          columns,
          moments,
        })
    }
  }
  return moments
}

async function addMoments(
  entries: readonly StoredEvaluation[],
  {
    by,
    columns,
    moments,
  }: { by: readonly string[]; columns: readonly string[]; moments: Map<string, GroupedMoments[]> },
): Promise<void> {
  const names = columns.map((_, i) => `g${i}`)
  const rows = await query<
    { entry: string; known: boolean; sums: Omit<ClusterMoments, 'group'> } & Record<
      string,
      GroupValue
    >
  >(
    `WITH households AS (
       SELECT ${[`${entryFolderSql} AS entry`, ...columns.map((sql, i) => `${sql} AS g${i}`)].join(', ')},
         coalesce(household::VARCHAR, 'image ' || id) AS household, bool_or(household IS NOT NULL) AS known,
         count(correct1)::DOUBLE AS n, count_if(correct1)::DOUBLE AS hits
       FROM ${namedRows()} WHERE ${['true', ...columns.map(sql => `${sql} IS NOT NULL`)].join(' AND ')}
       GROUP BY ${['entry', ...names, 'household'].map((_, i) => i + 1).join(', ')} HAVING n > 0)
     SELECT ${['entry', ...names].join(', ')}, bool_or(known) AS known, {'clusters': count(*)::DOUBLE, 'n': sum(n), 'top1': sum(hits),
       'sizeSquares': sum(n * n), 'hitSquares': sum(hits * hits), 'sizeHits': sum(n * hits), 'hitShares': sum(hits * hits / n)} AS sums
     FROM households GROUP BY ${['entry', ...names].join(', ')} ORDER BY ALL`,
    [entries.flatMap(shardPaths)],
  )
  const byEntry = groupByKey(rows, ({ entry }) => entry)
  for (const { folder, key } of entries) {
    const own = byEntry.get(basename(folder)) ?? []
    if (!own.some(({ known }) => known)) continue
    const groups = own.map(({ sums, ...row }) => ({
      group: names.length === 0 ? 'all' : joinedName(names.map(name => String(row[name]))),
      ...sums,
    }))
    moments.set(key, [...(moments.get(key) ?? []), { by, groups }])
  }
}

import { basename } from 'node:path'
import { groupByKey } from '../lib/tally.ts'
import { type GroupValue } from '../datasets/dataset.ts'
import { groupName, joinedName } from '../metrics/accuracy.ts'
import {
  type ClusterMoments,
  type GroupClustering,
  groupClusterings,
} from '../metrics/designEffect.ts'
import { sum } from '../metrics/numbers.ts'
import { type ClusterCounts } from '../metrics/permutationTest.ts'
import { parquetRows, query, queryColumns, quoteIdentifier } from '../lib/sql.ts'
import {
  type ComputedColumn,
  entryFolderSql,
  groupColumnsSql,
  groupSql,
  namedRows,
  queryBatches,
} from './counts.ts'
import { answerFromKept, type SumTable } from './keptCounts.ts'
import { hasFractions } from './outcomeMetrics.ts'
import { type StoredEvaluation, shardPaths } from './storedEvaluations.ts'

const householdColumn = 'household'

/** Returns whether the data set of an evaluation has households. */
export const hasHouseholds = ({ shards }: Pick<StoredEvaluation, 'shards'>): boolean =>
  shards[0]!.columns.includes(householdColumn)

/** Returns the SQL of the household of an image; an image without one is a household of its own. */
export const clusterSql = (entry: Pick<StoredEvaluation, 'shards'>): string =>
  hasHouseholds(entry) ? "coalesce(household::VARCHAR, 'image ' || id)" : 'id'

/** Returns the SQL of whether the household of an image is known; true for values between 0 and 1, whose variance is always estimated. */
const knownSql = (entry: Pick<StoredEvaluation, 'shards' | 'identity'>): string =>
  hasFractions(entry) ? 'true' : 'household IS NOT NULL'

/** Counts of one household, with the values of its group. */
export interface HouseholdCounts extends ClusterCounts {
  /** The group's value in each of the columns. */
  values: readonly string[]
}

/**
 * Counts the predictions of one evaluation by household and by the groups of one or several columns. An image without a household
 * is one of its own. Null if the data set names no household. Computed columns are those that `entries` are counted by.
 */
export async function countByHousehold(
  entry: StoredEvaluation,
  by: string | readonly string[],
  entries: readonly StoredEvaluation[] = [entry],
): Promise<HouseholdCounts[] | null> {
  const columns = [by].flat()
  if (columns.includes(householdColumn) || !(hasHouseholds(entry) || hasFractions(entry)))
    return null
  const groups = await groupColumnsSql(entry, columns, entries)
  if (!groups) return null
  const named = groups.map((sql, i) => `${sql} AS g${i}`)
  const rows = await query<
    Omit<ClusterCounts, 'group'> & { known: boolean } & Record<`g${number}`, GroupValue>
  >(
    `SELECT ${named.join(', ')}, ${clusterSql(entry)} AS cluster,
       bool_or(${knownSql(entry)}) AS known, count(correct1)::DOUBLE AS n, sum(correct1::DOUBLE) AS top1, sum(correct1::DOUBLE * correct1::DOUBLE) AS squares
     FROM ${parquetRows()} WHERE ${groups.map(sql => `${sql} IS NOT NULL`).join(' AND ')}
     GROUP BY ${named.map((_, i) => i + 1).join(', ')}, cluster HAVING n > 0 ORDER BY ALL`,
    [shardPaths(entry)],
  )
  if (!rows.some(({ known }) => known)) return null
  const isFractional = hasFractions(entry)
  return rows.map(({ cluster, n, top1, squares, ...row }) => {
    const values = columns.map((_, i) => String(row[`g${i}`]))
    const counts = { group: joinedName(values), values, cluster, n, top1 }
    return isFractional ? { ...counts, squares: squares! } : counts
  })
}

/** Sums over the households of each group, by the columns that make the groups. */
export interface GroupedMoments {
  /** Grouping columns; empty for all images together, whose group is `all`. */
  by: readonly string[]
  groups: readonly GroupMoments[]
}

/** Sums over the households of one group, with its value in each of the columns where these are several. */
export interface GroupMoments extends ClusterMoments {
  values?: readonly string[] | undefined
}

/** Sums over the households of groups by the key of the evaluation. Evaluations without households are absent. */
export type HouseholdMoments = ReadonlyMap<string, readonly GroupedMoments[]>

/** Returns the sums by these columns, in any order; undefined if they were not read, or the evaluation has no households. */
export function momentsBy(
  moments: readonly GroupedMoments[] | undefined,
  by: readonly string[],
): readonly ClusterMoments[] | undefined {
  const found = moments?.find(
    one => one.by.length === by.length && by.every(name => one.by.includes(name)),
  )
  if (!found || by.every((name, i) => found.by[i] === name)) return found?.groups
  const order = by.map(name => found.by.indexOf(name))
  return found.groups.map(one => ({
    ...one,
    group: joinedName(order.map(at => one.values?.[at] ?? '')),
  }))
}

/** Returns the effect of households on the variance of the overall accuracy; null if images are independent. */
export const overallClustering = (
  moments: readonly GroupedMoments[] | undefined,
): GroupClustering | null => {
  const sums = momentsBy(moments, [])
  return sums ? groupClusterings(sums).get('all')! : null
}

/**
 * Returns the sums over the households of the groups by each set of columns that an evaluation has, for every evaluation whose
 * data set names households. One scan of the predictions answers for all sets.
 */
export async function readHouseholdMoments(
  entries: readonly StoredEvaluation[],
  sets: readonly (readonly string[])[],
): Promise<HouseholdMoments> {
  const moments = new Map<string, GroupedMoments[]>()
  const named = entries.filter(entry => hasHouseholds(entry) || hasFractions(entry))
  for (const members of groupByKey(named, ({ identity }) => identity.content).values()) {
    const columns = new Map<string, string>()
    for (const name of new Set(sets.flat())) {
      const sql = name === householdColumn ? undefined : await groupSql(members[0]!, name, entries)
      if (sql !== undefined) columns.set(name, sql)
    }
    const held = sets.filter(by => by.every(name => columns.has(name)))
    const isFractional = hasFractions(members[0]!)
    for (const some of queryBatches(members)) {
      const tables = await householdTables(some, { columns, sets: held })
      for (const [i, { key }] of some.entries()) {
        const own = tables[i]!
        if (!own.some(hasKnownHousehold)) continue
        moments.set(
          key,
          held.map((by, set) => ({
            by,
            groups: tableRows(own[set]!, isFractional)
              .filter(({ values }) => !values.includes(null))
              .map(({ values, sums }) => groupMoments(values, sums)),
          })),
        )
      }
    }
  }
  return moments
}

function groupMoments(
  values: readonly GroupValue[],
  sums: Omit<ClusterMoments, 'group'>,
): GroupMoments {
  const texts = values.map(String)
  const group = groupName(texts)
  return texts.length > 1 ? { group, values: texts, ...sums } : { group, ...sums }
}

/** SQL of the sums over the households of a group. */
const householdSumSql = {
  /** 1 if some image has a household. */
  known: 'bool_or(known)::INTEGER',
  clusters: 'count(*)',
  n: 'sum(n)',
  top1: 'sum(hits)',
  squares: 'sum(squares)',
  sizeSquares: 'sum(n * n)',
  hitSquares: 'sum(hits * hits)',
  sizeHits: 'sum(n * hits)',
  hitShares: 'sum(hits * hits / n)',
}
const householdSumNames = Object.keys(householdSumSql) as (keyof typeof householdSumSql)[]

/** Grouping columns by name with their SQL, and the sets of them that make groups. */
interface HouseholdQuestion {
  columns: ReadonlyMap<string, string>
  sets: readonly (readonly string[])[]
}

/**
 * Returns for each evaluation the sums over the households of the groups by each set of columns. All evaluations have equal
 * columns.
 */
function householdTables(
  entries: readonly StoredEvaluation[],
  { columns, sets }: HouseholdQuestion,
): Promise<SumTable[][]> {
  const questions = sets.map(by => {
    const own = new Map(by.map(name => [name, columns.get(name)!]))
    return householdsQuery(entries[0]!, { columns: own, sets: [by] })
  })
  return answerFromKept(entries, questions, open => queryHouseholds(open, { columns, sets }))
}

/** Returns the SQL of the sums over the households of groups, for evaluations with the columns of `entry`. */
function householdsQuery(entry: StoredEvaluation, { columns, sets }: HouseholdQuestion): string {
  const names = [...columns.keys()]
  const aliases = names.map((_, i) => `g${i}`)
  const setSql = (by: readonly string[]): string =>
    `(${['entry', 'household', ...by.map(name => aliases[names.indexOf(name)]!)].join(', ')})`
  const mask = aliases.length === 0 ? '0' : `GROUPING(${aliases.join(', ')})`
  return `WITH images AS (
       SELECT ${[`${entryFolderSql} AS entry`, ...aliases.map((alias, i) => `${columns.get(names[i]!)!} AS ${alias}`)].join(', ')},
         ${clusterSql(entry)} AS household, ${knownSql(entry)} AS known, correct1
       FROM ${namedRows()} WHERE correct1 IS NOT NULL),
     households AS (
       SELECT ${['entry', ...aliases].join(', ')}, ${mask} AS mask, bool_or(known) AS known,
         count(*)::DOUBLE AS n, sum(correct1::DOUBLE) AS hits, sum(correct1::DOUBLE * correct1::DOUBLE) AS squares
       FROM images GROUP BY GROUPING SETS (${[...new Set(sets.map(setSql))].join(', ')}))
     SELECT ${['entry', 'mask::DOUBLE AS mask', ...aliases].join(', ')}, ${Object.values(
       householdSumSql,
     )
       .map(sql => `${sql}::DOUBLE`)
       .join(', ')}
     FROM households GROUP BY ${['entry', 'mask', ...aliases].join(', ')} ORDER BY ALL`
}

async function queryHouseholds(
  entries: readonly StoredEvaluation[],
  { columns, sets }: HouseholdQuestion,
): Promise<SumTable[][]> {
  const names = [...columns.keys()]
  // The bit of a column is set where it is not among those that rows are grouped by; the first column has the highest bit.
  const maskOf = (by: readonly string[]): number =>
    names.reduce((mask, name) => 2 * mask + (by.includes(name) ? 0 : 1), 0)
  const [folders = [], masks, ...found] = (await queryColumns(
    householdsQuery(entries[0]!, { columns, sets }),
    [entries.flatMap(shardPaths)],
  )) as [string[]?, number[]?, ...GroupValue[][]]
  const rows = groupByKey([...folders.keys()], row => `${masks![row]!} ${folders[row]!}`)
  return entries.map(({ folder }) =>
    sets.map(by => {
      const own = rows.get(`${maskOf(by)} ${basename(folder)}`) ?? []
      const of = (column: number): GroupValue[] => own.map(row => found[column]![row]!)
      return {
        keys: by.map(name => of(names.indexOf(name))),
        sums: householdSumNames.map((_, i) => of(names.length + i) as number[]),
      }
    }),
  )
}

/** Returns one of the sums over the households of each row. */
export const householdSums = (
  { sums }: SumTable,
  name: keyof typeof householdSumSql,
): readonly number[] => sums[householdSumNames.indexOf(name)]! as readonly number[]

const hasKnownHousehold = (table: SumTable): boolean => householdSums(table, 'known').includes(1)

/** Returns the rows of a table; squares tell something of values between 0 and 1 alone. */
function tableRows(table: SumTable, isFractional: boolean): CellMoments[] {
  const names = householdSumNames.filter(
    name => name !== 'known' && (isFractional || name !== 'squares'),
  )
  const columns = names.map(name => [name, householdSums(table, name)] as const)
  return householdSums(table, 'n').map((_, row) => ({
    values: table.keys.map(column => column[row]!),
    sums: Object.fromEntries(
      columns.map(([name, column]) => [name, column[row]!]),
    ) as unknown as CellMoments['sums'],
  }))
}

/** Sums over the households of one combination of values. */
interface CellMoments {
  values: readonly GroupValue[]
  sums: Omit<ClusterMoments, 'group'>
}

/** Sums over the households of the cells of one evaluation. */
export interface EvaluationCellMoments {
  /** By the values of the columns. */
  places: SumTable
  /** By the values of the columns and the class. */
  classes: SumTable
}

/**
 * Returns, for each evaluation of one data set, the sums over the households of each combination of values of `columns` (which may
 * be null), of all classes together and by class. Null if the data set names no household, or if one lies in several
 * combinations, so that sums over combinations would count it more than once.
 */
export async function readCellMoments(
  entries: readonly StoredEvaluation[],
  columns: readonly ComputedColumn[],
): Promise<(EvaluationCellMoments | null)[]> {
  if (!hasHouseholds(entries[0]!)) return entries.map(() => null)
  const names = columns.map(({ name }) => name)
  const sql = new Map(columns.map(({ name, sql }) => [name, sql]))
  sql.set('label', quoteIdentifier('label'))
  const sets = [names, [...names, 'label'], []]
  const tables = await householdTables(entries, { columns: sql, sets })
  return tables.map(([places, classes, whole]) => {
    const clusters = sum(householdSums(places!, 'clusters'))
    return householdSums(whole!, 'clusters')[0] === clusters && hasKnownHousehold(whole!)
      ? { places: places!, classes: classes! }
      : null
  })
}

/** Reads the confidences by bin and the confused classes of each group, for metrics that counts are not enough for. */
import { type GroupValue } from '../datasets/dataset.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { groupName } from '../metrics/accuracy.ts'
import { clusterMoments, type GroupClustering, groupClusterings } from '../metrics/designEffect.ts'
import { sum } from '../metrics/numbers.ts'
import { type Interval } from '../metrics/intervals.ts'
import { groupByKey } from '../lib/tally.ts'
import { groupColumnsSql } from './counts.ts'
import { clusterSql } from './households.ts'
import { isOfCounts } from './schema.ts'
import { shardPaths, type StoredEvaluation } from './storedEvaluations.ts'

/** The calibration of a group: its mean probability of the first class against its accuracy. */
export interface GroupCalibration {
  group: string
  n: number
  confidence: number | null
  accuracy: number | null
  /** Mean probability of the first class minus accuracy. */
  overconfidence: number | null
  /** 95 % interval of `overconfidence`, over households if the data set names them. */
  interval: Interval | null
  /** Expected calibration error over 15 bins of equal width. */
  error: number | null
  reason: string | null
}

const bins = 15

type GroupCells = Record<`g${number}`, GroupValue>

/** Returns the parts of queries by grouping columns `g0`, `g1` …; null if the evaluation lacks a column. */
async function groupQueryParts(
  entry: StoredEvaluation,
  by: readonly string[],
  entries: readonly StoredEvaluation[],
): Promise<{ select: string; where: string; positions: string } | null> {
  const columns = await groupColumnsSql(entry, by, entries)
  if (!columns) return null
  return {
    select: columns.map((sql, i) => `${sql} AS g${i}, `).join(''),
    where: columns.map(sql => ` AND ${sql} IS NOT NULL`).join(''),
    positions: columns.map((_, i) => `g${i}, `).join(''),
  }
}

const groupNameOf = (row: GroupCells, by: readonly string[]): string =>
  groupName(by.map((_, i) => row[`g${i}`] as string | number))

/** Returns the calibration of each group; null values with the reason if probabilities are not stored. */
export async function readCalibration(
  entry: StoredEvaluation,
  by: readonly string[],
  entries: readonly StoredEvaluation[],
): Promise<GroupCalibration[]> {
  const sql = await groupQueryParts(entry, by, entries)
  if (!sql || isOfCounts(entry.identity)) return []
  const rows = await query<GroupCells & CalibrationCell>(
    `SELECT ${sql.positions}household, bin, count(*)::DOUBLE AS n, count(confidence)::DOUBLE AS known, count_if(correct1)::DOUBLE AS hits,
       coalesce(sum(confidence), 0) AS confidence, coalesce(sum((confidence - correct1::INTEGER) ** 2), 0) AS squares
     FROM (SELECT ${sql.select}${clusterSql(entry)} AS household, correct1, probabilities[1]::DOUBLE AS confidence,
         greatest(0, ceil(probabilities[1]::DOUBLE * ${bins}) - 1)::DOUBLE AS bin
       FROM ${parquetRows()} WHERE correct1 IS NOT NULL${sql.where})
     GROUP BY ALL ORDER BY ALL`,
    [shardPaths(entry)],
  )
  const groups = groupByKey(rows, row => groupNameOf(row, by))
  const clusterings = groupClusterings(
    clusterMoments(
      [...groups].flatMap(([group, own]) =>
        [...groupByKey(own, row => row.household)].map(([cluster, cells]) => ({
          group,
          cluster,
          n: total(cells, 'n'),
          top1: total(cells, 'confidence') - total(cells, 'hits'),
          squares: total(cells, 'squares'),
        })),
      ),
    ),
  )
  return [...groups].map(([group, own]) => ({
    group,
    ...calibrationOf(own, clusterings.get(group)!),
  }))
}

/** Sums over the images of one household whose confidence is in one bin. */
interface CalibrationCell {
  bin: number
  household: string
  n: number
  /** Images with a probability. */
  known: number
  hits: number
  confidence: number
  /** Sum of the squared differences of confidence and outcome. */
  squares: number
}

function calibrationOf(
  cells: readonly CalibrationCell[],
  { inflation, reason }: GroupClustering,
): Omit<GroupCalibration, 'group'> {
  const n = total(cells, 'n')
  const missing = n - total(cells, 'known')
  if (missing > 0) {
    const empty = { confidence: null, accuracy: null, overconfidence: null, error: null }
    const lack = `the probability of the first class is not known for ${missing} of ${n} images`
    return { n, ...empty, interval: null, reason: lack }
  }
  const [confidence, hits] = [total(cells, 'confidence'), total(cells, 'hits')]
  const distances = [...groupByKey(cells, row => row.bin).values()].map(own =>
    Math.abs(total(own, 'confidence') - total(own, 'hits')),
  )
  const difference = (confidence - hits) / n
  const variance = (total(cells, 'squares') + 0.25) / n - difference * difference
  const half = 1.96 * Math.sqrt((inflation * variance) / n)
  return {
    n,
    confidence: confidence / n,
    accuracy: hits / n,
    overconfidence: difference,
    interval: reason === null ? [difference - half, difference + half] : null,
    error: sum(distances) / n,
    reason,
  }
}

const total = <Name extends string>(
  rows: readonly Readonly<Record<Name, number>>[],
  name: Name,
): number => rows.reduce((sum, row) => sum + row[name], 0)

/** Number of images of one class and group that are predicted as another class. */
export interface GroupConfusion {
  group: string
  label: string
  /** Images of the class in the group. */
  n: number
  /** Index of the predicted class. */
  first: number
  taken: number
}

/** Returns the wrong first classes of each class and group, the most frequent first. */
export async function readConfusions(
  entry: StoredEvaluation,
  by: readonly string[],
  entries: readonly StoredEvaluation[],
): Promise<GroupConfusion[]> {
  const sql = await groupQueryParts(entry, by, entries)
  if (!sql) return []
  const rows = await query<GroupCells & { label: string; first: number; n: number; taken: number }>(
    `SELECT ${sql.positions}label, first, max(n) AS n, count(*)::DOUBLE AS taken
     FROM (SELECT ${sql.select}label, top5[1] AS first, correct1,
         count(*) OVER (PARTITION BY ${sql.positions}label)::DOUBLE AS n
       FROM ${parquetRows()} WHERE correct1 IS NOT NULL${sql.where})
     WHERE NOT correct1 GROUP BY ${sql.positions}label, first ORDER BY ${sql.positions}label, taken DESC, first`,
    [shardPaths(entry)],
  )
  return rows.map(({ label, first, n, taken, ...row }) => ({
    group: groupNameOf(row, by),
    label,
    n,
    first,
    taken,
  }))
}

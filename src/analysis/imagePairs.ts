/** Joins two evaluations image by image. */
import { basename } from 'node:path'
import { type GroupValue } from '../datasets/dataset.ts'
import { sum } from '../metrics/numbers.ts'
import { pairedImageCount, type PairCounts } from '../metrics/pairedTests.ts'
import { type ClusterOutcomes } from '../metrics/signFlip.ts'
import {
  columnQuarters,
  columnSetKey,
  entryFolderSql,
  namedRows,
  queryBatches,
} from '../results/counts.ts'
import { hasHouseholds } from '../results/households.ts'
import { type StoredEvaluation, shardPaths } from '../results/storedEvaluations.ts'
import { quoteIdentifier, parquetRows, query } from '../lib/sql.ts'
import { countText } from '../lib/table/text.ts'
import { groupByKey } from '../lib/tally.ts'

/** Numbers of images of one group, class and household by their outcomes on both sides. */
export interface PairedCounts extends PairCounts {
  group: string
  label: string
  /** The household; null if it is not known. */
  cluster?: string | null
}

/** Numbers of images that are on both sides, on one side, or without an outcome. */
export interface PairCoverage {
  /** Images on both sides. */
  common: number
  onlyFirst: number
  onlySecond: number
  /** Common images that only this side could not read or score. */
  unscoredFirst: number
  unscoredSecond: number
  /** Common images of which the second side accepts other classes, where both sides count classes alike. */
  relabelled: number
  /** Common images that are in another group on the second side. */
  regrouped: number
}

/** The rows of both sides, one for each common image. */
const joinedRowsSql = `${parquetRows()} a JOIN ${parquetRows(2)} b USING (id)`
const shardFilesOfBoth = (first: StoredEvaluation, second: StoredEvaluation) => [
  shardPaths(first),
  shardPaths(second),
]

const isCommonSql = 'a.id IS NOT NULL AND b.id IS NOT NULL'

/** SQL of the common images that only one side could not read or score. */
const unscoredSql = {
  unscoredFirst: `count_if(${isCommonSql} AND a.correct1 IS NULL AND b.correct1 IS NOT NULL)`,
  unscoredSecond: `count_if(${isCommonSql} AND b.correct1 IS NULL AND a.correct1 IS NOT NULL)`,
}

const hasEqualClasses = ({ first, second }: Sides): boolean =>
  first.identity.labelMap === second.identity.labelMap

/** Returns the SQL of the common images that have other classes, or other values of columns, on the second side. */
function changedRowsSql(
  pair: Sides,
  columns: readonly string[],
): Record<'relabelled' | 'regrouped', string> {
  const differs = columns
    .map(quoteIdentifier)
    .map(name => `a.${name}::VARCHAR IS DISTINCT FROM b.${name}::VARCHAR`)
  return {
    relabelled: hasEqualClasses(pair)
      ? `count_if(${isCommonSql} AND list_sort(a.labels) IS DISTINCT FROM list_sort(b.labels))`
      : '0',
    regrouped: `count_if(${isCommonSql} AND (${differs.join(' OR ') || 'false'}))`,
  }
}

/** Returns sentences on what two evaluations do not count alike: other classes, or images that changed class or group. */
export function contradictionNotes(
  { first, second }: Sides,
  { relabelled, regrouped }: Pick<PairCoverage, 'relabelled' | 'regrouped'>,
): string[] {
  const notes: string[] = []
  if (!hasEqualClasses({ first, second }) || first.identity.choices !== second.identity.choices)
    notes.push(
      'The two sides accept different classes, so a change may come from the labels and not from the model.',
    )
  if (relabelled > 0)
    notes.push(
      `${countText(relabelled, 'image')} in common ${relabelled === 1 ? 'has' : 'have'} another class on the second side, so a change may come from the labels and not from the model.`,
    )
  if (regrouped > 0)
    notes.push(
      `${countText(regrouped, 'image')} in common ${regrouped === 1 ? 'is' : 'are'} in another group on the second side; groups are those of the first side.`,
    )
  return notes
}

/** Counts the images that two evaluations have in common, and those that are in another group by `columns`. */
export async function pairCoverage(
  { first, second }: Sides,
  columns: readonly string[],
): Promise<PairCoverage> {
  const { relabelled, regrouped } = changedRowsSql({ first, second }, columns)
  const [row] = await query<PairCoverage>(
    `SELECT ${relabelled}::DOUBLE AS relabelled, ${regrouped}::DOUBLE AS regrouped,
       count_if(${isCommonSql})::DOUBLE AS common,
       count_if(b.id IS NULL)::DOUBLE AS "onlyFirst", count_if(a.id IS NULL)::DOUBLE AS "onlySecond",
       ${unscoredSql.unscoredFirst}::DOUBLE AS "unscoredFirst", ${unscoredSql.unscoredSecond}::DOUBLE AS "unscoredSecond"
     FROM ${parquetRows()} a FULL JOIN ${parquetRows(2)} b ON a.id = b.id`,
    shardFilesOfBoth(first, second),
  )
  return row!
}

/** Returns the grouping columns that both sides have. */
export const sharedColumns = (first: StoredEvaluation, second: StoredEvaluation): string[] =>
  first.shards[0]!.columns.filter(column => second.shards[0]!.columns.includes(column))

/**
 * Returns the paired counts by a grouping column of the first side, by class and by household; `label` groups by class. A column
 * of numbers with more than twelve values is cut into the quarters of all images of the first side.
 */
export async function pairedCounts(
  first: StoredEvaluation,
  second: StoredEvaluation,
  column: string,
): Promise<PairedCounts[]> {
  const rows = await query<
    PairCounts & { value: GroupValue; label: string; cluster: string | null }
  >(
    `SELECT a.${quoteIdentifier(column)} AS value, a.label AS label, ${householdSql(first)} AS cluster, ${pairedOutcomesSql}
     FROM ${joinedRowsSql} WHERE a.correct1 IS NOT NULL AND b.correct1 IS NOT NULL AND a.${quoteIdentifier(column)} IS NOT NULL
     GROUP BY ALL ORDER BY ALL`,
    shardFilesOfBoth(first, second),
  )
  const nameOf = await groupNamer(first, column)
  return rows.map(({ value, ...cell }) => ({ ...cell, group: nameOf(value) }))
}

/** Two evaluations of one data set. */
interface Sides {
  first: StoredEvaluation
  second: StoredEvaluation
}

/** The outcomes of all images of two evaluations and of each group, by household, and the numbers of images that are not paired. */
export interface PairedSides extends Pick<PairCoverage, 'relabelled' | 'regrouped'> {
  all: ClusterOutcomes[]
  /** Null if a side lacks the column. */
  groups: ClusterOutcomes[] | null
  inOneRun: number
  unscoredFirst: number
  unscoredSecond: number
}

/**
 * Counts pairs of evaluations by a grouping column of the first side and by household; one query reads several pairs of one data set.
 */
export async function countPairs<Pair extends Sides>(
  pairs: readonly Pair[],
  column: string,
): Promise<Map<Pair, PairedSides>> {
  const holds = ({ first, second }: Sides): boolean =>
    column === 'label' || sharedColumns(first, second).includes(column)
  const alike = groupByKey(
    pairs,
    pair => `${holds(pair)} ${hasEqualClasses(pair)} ${columnSetKey(pair.first)}`,
  )
  const counted = new Map<Pair, PairedSides>()
  for (const members of alike.values()) {
    const [{ first }] = members as [Pair]
    const grouped = holds(members[0]!)
    const nameOf = grouped ? await groupNamer(first, column) : String
    for (const some of queryBatches(members)) {
      const rows = groupByKey(await queryPairs(some, grouped ? column : null), row => row.pair)
      for (const [i, pair] of some.entries())
        counted.set(pair, pairedSides(rows.get(i + 1) ?? [], grouped ? nameOf : null))
    }
  }
  return counted
}

/** SQL of the columns of `PairedSides` that count images which are not paired. */
const unpairedSql = { inOneRun: 'count_if(a.id IS NULL OR b.id IS NULL)', ...unscoredSql }

type PairRow = PairCounts &
  Record<keyof typeof unpairedSql | 'relabelled' | 'regrouped', number> & {
    pair: number
    value: GroupValue
    cluster: string | null
  }

function queryPairs(pairs: readonly Sides[], column: string | null): Promise<PairRow[]> {
  const sides = [pairs.map(({ first }) => first), pairs.map(({ second }) => second)]
  const rows = (n: number): string =>
    `(SELECT *, list_position($${n + 2}, ${entryFolderSql}) AS pair FROM ${namedRows(n)})`
  const changed = changedRowsSql(pairs[0]!, column === null || column === 'label' ? [] : [column])
  const unpaired = Object.entries({ ...unpairedSql, ...changed }).map(
    ([name, sql]) => `${sql}::DOUBLE AS "${name}"`,
  )
  return query<PairRow>(
    `SELECT coalesce(a.pair, b.pair)::DOUBLE AS pair, ${column === null ? 'NULL' : `a.${quoteIdentifier(column)}`} AS value,
       ${householdSql(pairs[0]!.first)} AS cluster, ${pairedOutcomesSql}, ${unpaired.join(', ')}
     FROM ${rows(1)} a FULL JOIN ${rows(2)} b ON a.pair = b.pair AND a.id = b.id GROUP BY 1, 2, 3 ORDER BY ALL`,
    [
      ...sides.map(entries => entries.flatMap(shardPaths)),
      ...sides.map(entries => entries.map(({ folder }) => basename(folder))),
    ],
  )
}

function pairedSides(
  rows: readonly PairRow[],
  nameOf: ((value: GroupValue) => string) | null,
): PairedSides {
  const total = (
    name: Exclude<(keyof PairRow & keyof PairCoverage) | 'inOneRun', keyof PairCounts>,
  ): number => sum(rows.map(row => row[name]))
  const paired = rows.filter(row => pairedImageCount(row) > 0)
  return {
    all: paired.map(row => ({ ...row, group: 'all images' })),
    groups:
      nameOf &&
      paired
        .filter(({ value }) => value !== null)
        .map(row => ({ ...row, group: nameOf(row.value) })),
    inOneRun: total('inOneRun'),
    unscoredFirst: total('unscoredFirst'),
    unscoredSecond: total('unscoredSecond'),
    relabelled: total('relabelled'),
    regrouped: total('regrouped'),
  }
}

/** Returns a function from the value of a column to its group: a quarter of the images for a column of many numbers. */
async function groupNamer(
  first: StoredEvaluation,
  column: string,
): Promise<(value: GroupValue) => string> {
  const quarters = column === 'label' ? null : await columnQuarters(first, column)
  return value => quarters?.find(({ high }) => Number(value) <= high)?.name ?? String(value)
}

/** Sums over the images of one group and household of what they count for on both sides. */
export interface PairedValues {
  group: string
  /** The household; the image if none is known. */
  cluster: string
  n: number
  first: number
  second: number
  /** Sum of the squared differences. */
  squares: number
}

/** Returns the paired sums by a grouping column of the first side and by household; null groups all images together. */
export async function pairedValues(
  first: StoredEvaluation,
  second: StoredEvaluation,
  column: string | null,
): Promise<PairedValues[]> {
  const value = column === null ? `'all'` : `a.${quoteIdentifier(column)}`
  const rows = await query<Omit<PairedValues, 'group'> & { value: GroupValue }>(
    `SELECT ${value} AS value, coalesce(${householdSql(first)}, 'image ' || id) AS cluster, count(*)::DOUBLE AS n,
       sum(a.correct1::DOUBLE) AS first, sum(b.correct1::DOUBLE) AS second,
       sum((b.correct1::DOUBLE - a.correct1::DOUBLE) ** 2) AS squares
     FROM ${joinedRowsSql} WHERE a.correct1 IS NOT NULL AND b.correct1 IS NOT NULL AND ${value} IS NOT NULL
     GROUP BY ALL ORDER BY ALL`,
    shardFilesOfBoth(first, second),
  )
  const nameOf = column === null ? String : await groupNamer(first, column)
  return rows.map(({ value, ...sums }) => ({ ...sums, group: nameOf(value) }))
}

/** Returns the SQL of the household in a row of the first side; NULL if the data set names none. */
export const householdSql = (first: StoredEvaluation): string =>
  hasHouseholds(first) ? 'a.household::VARCHAR' : 'NULL::VARCHAR'

/** SQL of the columns of `PairCounts`. */
const pairedOutcomesSql = [
  ['both', 'a.correct1 AND b.correct1'],
  ['onlyFirst', 'a.correct1 AND NOT b.correct1'],
  ['onlySecond', 'b.correct1 AND NOT a.correct1'],
  ['neither', 'NOT a.correct1 AND NOT b.correct1'],
]
  .map(([name, condition]) => `count_if(${condition})::DOUBLE AS "${name}"`)
  .join(', ')

/** An image that only one side classified correctly. */
export interface FlippedImage {
  id: string
  label: string
  change: 'gained' | 'lost'
  /** Index of the first class of each side. */
  first: number | null
  second: number | null
  firstProbability: number | null
  secondProbability: number | null
  groups: Record<string, GroupValue>
}

/** Returns the images that only one side classified correctly, in the order of their ids. */
export async function readFlippedImages(
  first: StoredEvaluation,
  second: StoredEvaluation,
): Promise<FlippedImage[]> {
  const columns = sharedColumns(first, second)
  const groups = columns.map((column, i) => `a.${quoteIdentifier(column)} AS g${i}`)
  const rows = await query<
    Omit<FlippedImage, 'groups' | 'change'> & { gained: boolean } & Record<string, unknown>
  >(
    `SELECT ${[
      'id, a.label AS label, b.correct1 AS gained',
      'a.top5[1] AS first, b.top5[1] AS second',
      'a.probabilities[1]::DOUBLE AS "firstProbability", b.probabilities[1]::DOUBLE AS "secondProbability"',
      ...groups,
    ].join(', ')} FROM ${joinedRowsSql} WHERE a.correct1 <> b.correct1 ORDER BY id`,
    shardFilesOfBoth(first, second),
  )
  return rows.map(({ gained, ...row }) => ({
    id: row.id,
    label: row.label,
    change: gained ? 'gained' : 'lost',
    first: row.first,
    second: row.second,
    firstProbability: row.firstProbability,
    secondProbability: row.secondProbability,
    groups: Object.fromEntries(columns.map((column, i) => [column, row[`g${i}`] as GroupValue])),
  }))
}

/** Two evaluations of the same images, brought together image by image. */
import { type GroupValue } from '../datasets/dataset.ts'
import { incomeQuartiles, maxIncomeLevels, quartileNames } from '../metrics/incomeControlled.ts'
import { pairedImageCount, type PairCounts } from '../metrics/pairedTests.ts'
import { type StoredEvaluation, shardPaths } from '../results/store.ts'
import { quoteIdentifier, parquetRows, query } from '../lib/sql.ts'

/** Outcomes of the images of one group, class and household that both sides predicted. */
export interface PairedCounts extends PairCounts {
  group: string
  label: string
  /** The household, whose images are not independent; null where none is known. */
  cluster?: string | null
}

export interface PairCoverage {
  /** Images that both sides have. */
  common: number
  onlyFirst: number
  onlySecond: number
  /** Of the common ones, images with an outcome on one side alone (the other could not read or could not score them). */
  unscoredFirst: number
  unscoredSecond: number
}

/** Both sides' rows, one for each image that both have. */
const joinedRowsSql = `${parquetRows()} a JOIN ${parquetRows(2)} b USING (id)`
const shardFilesOfBoth = (first: StoredEvaluation, second: StoredEvaluation) => [
  shardPaths(first),
  shardPaths(second),
]

/** How far the two sides speak of the same images. */
export async function pairCoverage(
  first: StoredEvaluation,
  second: StoredEvaluation,
): Promise<PairCoverage> {
  const [row] = await query<PairCoverage>(
    `SELECT count_if(a.id IS NOT NULL AND b.id IS NOT NULL)::DOUBLE AS common,
       count_if(b.id IS NULL)::DOUBLE AS "onlyFirst", count_if(a.id IS NULL)::DOUBLE AS "onlySecond",
       count_if(a.id IS NOT NULL AND a.correct1 IS NULL AND b.correct1 IS NOT NULL)::DOUBLE AS "unscoredFirst",
       count_if(b.id IS NOT NULL AND b.correct1 IS NULL AND a.correct1 IS NOT NULL)::DOUBLE AS "unscoredSecond"
     FROM ${parquetRows()} a FULL JOIN ${parquetRows(2)} b ON a.id = b.id`,
    shardFilesOfBoth(first, second),
  )
  return row!
}

/** Grouping columns that both sides have. */
export const sharedColumns = (first: StoredEvaluation, second: StoredEvaluation): string[] =>
  first.shards[0]!.columns.filter(column => second.shards[0]!.columns.includes(column))

/**
 * Paired counts by a grouping column of the first side, class and household; by class and household alone for `label`. A
 * column of numbers with more than twelve values is cut into quarters of the images.
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
  const name = groupValueNames(rows)
  return rows.map(({ value, ...cell }) => ({ ...cell, group: name(value) }))
}

/** The household of the first side's row, null where the data set names none. */
export const householdSql = (first: StoredEvaluation): string =>
  first.shards[0]!.columns.includes('household') ? 'a.household::VARCHAR' : 'NULL::VARCHAR'

/** The columns of `PairCounts`. */
const pairedOutcomesSql = [
  ['both', 'a.correct1 AND b.correct1'],
  ['onlyFirst', 'a.correct1 AND NOT b.correct1'],
  ['onlySecond', 'b.correct1 AND NOT a.correct1'],
  ['neither', 'NOT a.correct1 AND NOT b.correct1'],
]
  .map(([name, condition]) => `count_if(${condition})::DOUBLE AS "${name}"`)
  .join(', ')

/** Numbers above `low`, up to `high`. */
export interface IncomeQuarter {
  name: string
  low: number
  high: number
}

/** A column of numbers in quarters of the images, Q1 the highest as in the paper; null where so few differ that each number stands for itself. */
export function incomeQuarters(each: readonly number[]): IncomeQuarter[] | null {
  if (new Set(each).size <= maxIncomeLevels) return null
  const { bounds } = incomeQuartiles(each)!
  const ends = [-Infinity, ...bounds, Infinity]
  return quartileNames(bounds).map((name, i) => ({ name, low: ends[i]!, high: ends[i + 1]! }))
}

function groupValueNames(
  rows: readonly (PairCounts & { value: GroupValue })[],
): (value: GroupValue) => string {
  const each = rows.flatMap(row =>
    typeof row.value === 'number' ? new Array<number>(pairedImageCount(row)).fill(row.value) : [],
  )
  const parts = incomeQuarters(each)
  return parts === null ? String : value => parts.find(({ high }) => Number(value) <= high)!.name
}

export interface FlippedImage {
  id: string
  label: string
  change: 'gained' | 'lost'
  /** Class index that each side gave first, and its probability. */
  first: number | null
  second: number | null
  firstProbability: number | null
  secondProbability: number | null
  groups: Record<string, GroupValue>
}

/** The images that one side had right and the other wrong, in the order of their ids. */
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
  return rows.map(
    ({ id, label, gained, first, second, firstProbability, secondProbability, ...rest }) => ({
      ...{
        id,
        label,
        change: gained ? 'gained' : 'lost',
        first,
        second,
        firstProbability,
        secondProbability,
      },
      groups: Object.fromEntries(columns.map((column, i) => [column, rest[`g${i}`] as GroupValue])),
    }),
  )
}

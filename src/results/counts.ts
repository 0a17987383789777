import { basename } from 'node:path'
import { groupByKey } from '../lib/tally.ts'
import { maxIncomeLevels, quartileNames } from '../metrics/incomeControlled.ts'
import { queryColumns, quoteIdentifier, parquetRows, query } from '../lib/sql.ts'
import { type CountsRow } from '../metrics/accuracy.ts'
import { failedSql, type ResultKey } from './schema.ts'
import { type StoredEvaluation, shardPaths } from './store.ts'

/*
 * Every table is made from counts by class and group values. 98 models on eight benchmarks have millions of them, so they
 * are read column by column, and all models of a data set share the objects that hold their group values.
 */

/** A cell of the counts cube: one model and benchmark, one combination of group values, one class. */
export interface CountsCell extends CountsRow {
  model: string
  dataset: string
  preprocessing: ResultKey['preprocessing']
  /** Empty if the class is not known. */
  label: string
  errors: number
  /** Images whose class the model cannot name; in no accuracy. */
  unscored: number
}

/** Columns with more distinct values have no counts; `countByColumns` counts by them from the predictions. */
const maxColumnValues = 300

/** A grouping column that is computed. */
interface ComputedColumn {
  name: string
  sql: string
}

/** Evaluations counted by one query. One query for each evaluation takes three times as long. */
export const evaluationsPerQuery = 16

/** A SELECT term for the folder name of the evaluation that a row of `namedRows` is from. */
export const entryNameSql = `regexp_extract("read from", '([^/\\\\]+)[/\\\\][^/\\\\]+$', 1) AS entry`

/** Returns the rows of the Parquet files of the first parameter, with the column "read from". */
export const namedRows = (): string => parquetRows(1, "filename = 'read from'")

/**
 * Reads the counts of all evaluations, in their order. If every name in `by` is `label` or a column of some evaluation, cells
 * are split by those columns alone, which is faster; the `label` of such cells is empty unless `by` has it.
 */
export async function readCounts(
  entries: readonly StoredEvaluation[],
  by?: readonly string[],
): Promise<CountsCell[]> {
  const alike = groupByKey(entries, columnSetKey)
  const splits = new Map<StoredEvaluation[], SplitColumn[]>()
  for (const members of alike.values())
    splits.set(members, by?.length === 0 ? [] : await splitColumnsOf(members[0]!))
  const held = new Set([...splits.values()].flatMap(split => split.map(splitColumnName)))
  const asked = by?.every(column => held.has(column)) ? by : undefined
  const groups = new Map<string, CountsCell['groups']>()
  const cells = new Map<StoredEvaluation, CountsCell[]>()
  for (const [members, all] of splits) {
    const split = all.filter(column => !asked || asked.includes(splitColumnName(column)))
    for (let first = 0; first < members.length; first += evaluationsPerQuery) {
      const some = members.slice(first, first + evaluationsPerQuery)
      for (const [i, counted] of (await countEvaluations(some, split, groups)).entries())
        cells.set(some[i]!, counted)
    }
  }
  return entries.flatMap(entry => cells.get(entry)!)
}

/** Evaluations with equal keys are split by the same columns, which the first of them decides. */
const columnSetKey = ({ identity, shards }: StoredEvaluation): string =>
  JSON.stringify([identity.content, shards[0]!.columns])

/** Returns the SQL of a stored or computed grouping column; undefined if the evaluation has no such column. */
export async function groupSql(
  entry: StoredEvaluation,
  name: string,
  entries: readonly StoredEvaluation[],
): Promise<string | undefined> {
  if (name === 'label' || entry.shards[0]!.columns.includes(name)) return quoteIdentifier(name)
  const first = entries.find(other => columnSetKey(other) === columnSetKey(entry)) ?? entry
  return (await incomeGroupColumns(first)).find(computed => computed.name === name)?.sql
}

/** A column that cells are split by: `label`, a grouping column, or a computed one. */
type SplitColumn = string | ComputedColumn

const splitColumnName = (split: SplitColumn): string =>
  typeof split === 'string' ? split : split.name

const splitColumnsOf = async (entry: StoredEvaluation): Promise<SplitColumn[]> => [
  'label',
  ...(await groupColumnsOf(entry)),
  ...(await incomeGroupColumns(entry)),
]

/** Returns the grouping columns of an evaluation with few enough values to be counted. */
async function groupColumnsOf(entry: StoredEvaluation): Promise<string[]> {
  const columns = entry.shards[0]!.columns
  if (columns.length === 0) return []
  const counts = columns.map(
    (column, i) => `approx_count_distinct(${quoteIdentifier(column)}) AS c${i}`,
  )
  const [row] = await query<Record<string, bigint>>(
    `SELECT ${counts.join(', ')} FROM ${parquetRows()}`,
    [shardPaths(entry)],
  )
  return columns.filter((_, i) => Number(row![`c${i}`]) <= maxColumnValues)
}

/** A quarter of the images by a column of numbers: values up to `high` that are in no quarter before. */
export interface ColumnQuarter {
  name: string
  high: number
}

/**
 * Returns the quarters of all images of an evaluation by a column of numbers, from the lowest (Q4) to the highest (Q1, as in the
 * paper); null for a column of texts or of at most twelve different values. Tables, comparisons and the dashboard use these.
 */
export async function columnQuarters(
  entry: StoredEvaluation,
  column: string,
): Promise<ColumnQuarter[] | null> {
  const name = quoteIdentifier(column)
  const [found] = await query<{ type: string; n: number; bounds: number[] | null }>(
    `SELECT any_value(typeof(${name})) AS type, count(DISTINCT ${name})::DOUBLE AS n,
       [CAST(b AS DOUBLE) FOR b IN quantile_cont(TRY_CAST(${name} AS DOUBLE), [0.25, 0.5, 0.75])] AS bounds
     FROM ${parquetRows()} WHERE ${name} IS NOT NULL`,
    [shardPaths(entry)],
  )
  if (!found?.bounds || found.type === 'VARCHAR' || found.n <= maxIncomeLevels) return null
  const bounds = found.bounds as [number, number, number]
  return quartileNames(bounds).map((name, i) => ({ name, high: bounds[i] ?? Infinity }))
}

/** Returns a computed column `income_group` of quarters of a numeric `income`, unless the data set names income groups itself. */
async function incomeGroupColumns(entry: StoredEvaluation): Promise<ComputedColumn[]> {
  const { columns } = entry.shards[0]!
  if (!columns.includes('income') || columns.includes('income_group')) return []
  const quarters = await columnQuarters(entry, 'income')
  if (!quarters) return []
  const cases = quarters.map(({ name, high }) => `WHEN income <= '${high}'::DOUBLE THEN '${name}'`)
  return [{ name: 'income_group', sql: `CASE ${cases.join(' ')} END` }]
}

/** Counts one evaluation by class and `columns`. */
export const countByColumns = async (
  entry: StoredEvaluation,
  columns: readonly string[],
): Promise<CountsCell[]> => (await countEvaluations([entry], ['label', ...columns], new Map()))[0]!

/** Counts evaluations that have equal columns; cells with equal group values share one object of `shared`. */
async function countEvaluations(
  entries: readonly StoredEvaluation[],
  splits: readonly SplitColumn[],
  shared: Map<string, CountsCell['groups']>,
): Promise<CountsCell[][]> {
  const held = entries[0]!.shards[0]!.columns
  const present = splits.flatMap(column => {
    if (typeof column !== 'string') return column
    return held.includes(column) ? { name: column, sql: quoteIdentifier(column) } : []
  })
  const selected = [
    splits.includes('label') ? 'label' : "''",
    ...present.map(({ name, sql }) => `${sql} AS ${quoteIdentifier(name)}`),
  ]
  const found = await queryColumns(
    `SELECT ${entryNameSql}, ${selected.join(', ')},
       count(correct1)::DOUBLE, count_if(correct1)::DOUBLE,
       CASE WHEN count(correct5) = count(correct1) THEN count_if(correct5)::DOUBLE END,
       count_if(len(labels) > 0 AND status <> 'ok')::DOUBLE, count_if(len(labels) = 0)::DOUBLE
     FROM ${namedRows()} GROUP BY ALL ORDER BY ALL`,
    [entries.flatMap(shardPaths)],
  )
  const [names, labels] = found as [string[], (string | null)[]]
  const values = found.slice(2, 2 + present.length) as (string | number | null)[][]
  const [n, top1, top5, errors, unscored] = found.slice(2 + present.length) as number[][]
  const cells = new Map(
    entries.map(({ folder, identity }) => [
      basename(folder),
      { identity, cells: [] as CountsCell[] },
    ]),
  )
  for (const [i, label] of labels.entries()) {
    const key = JSON.stringify(present.map(({ name }, c) => [name, values[c]![i]]))
    const groups =
      shared.get(key) ??
      Object.fromEntries(present.map(({ name }, c) => [name, values[c]![i]!] as const))
    shared.set(key, groups)
    const within5 = top5![i] as number | null
    const counts = {
      n: n![i]!,
      top1: top1![i]!,
      ...(within5 === null ? {} : { top5: within5 }),
      errors: errors![i]!,
      unscored: unscored![i]!,
    }
    const entry = cells.get(names[i]!)!
    const { model, dataset, preprocessing } = entry.identity
    entry.cells.push({ model, dataset, preprocessing, label: label ?? '', groups, ...counts })
  }
  return [...cells.values()].map(entry => entry.cells)
}

/** Images without a prediction by entry and status; reads only entries whose manifests count some. */
export async function countStatuses(
  entries: readonly StoredEvaluation[],
): Promise<{ model: string; dataset: string; status: string; images: number }[]> {
  const rows = await Promise.all(
    entries
      .filter(({ shards }) => shards.some(({ errors }) => errors > 0))
      .map(async entry => {
        const counts = await query<{ status: string; images: number }>(
          `SELECT status, count(*)::DOUBLE AS images FROM ${parquetRows()} WHERE ${failedSql} GROUP BY ALL ORDER BY ALL`,
          [shardPaths(entry)],
        )
        return counts.map(row => ({
          model: entry.identity.model,
          dataset: entry.identity.dataset,
          ...row,
        }))
      }),
  )
  return rows.flat()
}

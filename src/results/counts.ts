import { basename } from 'node:path'
import { fileColumn } from '../datasets/build.ts'
import { type GroupValue } from '../datasets/dataset.ts'
import { memoize } from '../lib/memoize.ts'
import { groupByKey } from '../lib/tally.ts'
import { maxIncomeLevels, quartileNames } from '../metrics/incomeControlled.ts'
import { queryColumns, queryListColumn, quoteIdentifier, parquetRows, query } from '../lib/sql.ts'
import { type CountsRow } from '../metrics/accuracy.ts'
import { answerFromKept, type SumTable } from './keptCounts.ts'
import { failedSql, type ResultKey } from './schema.ts'
import { type StoredEvaluation, shardPaths } from './storedEvaluations.ts'

/*
 * Every table is made from counts by class and group values. 98 models on eight benchmarks have millions of them, so they
 * are read column by column, and all models of a data set share the objects that hold their group values.
 */

/** The counts of one model on one data set for one class and one combination of group values. */
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

/** SQL of the counts of a cell. */
const countSql = {
  n: 'count(correct1)',
  top1: 'coalesce(sum(correct1::DOUBLE), 0)',
  top5: 'CASE WHEN count(correct5) = count(correct1) THEN count_if(correct5) END',
  errors: "count_if(len(labels) > 0 AND status <> 'ok')",
  unscored: 'count_if(len(labels) = 0)',
}

/** Names of the sums of `countTables`, in order. */
export const countNames = Object.keys(countSql) as (keyof typeof countSql)[]

/** Columns with more distinct values have no counts; `countByColumns` counts by them from the predictions. */
export const maxColumnValues = 300

/** A grouping column that SQL computes from the stored ones. */
export interface ComputedColumn {
  name: string
  sql: string
}

/** Evaluations counted by one query. One query for each evaluation takes three times as long, one for 16 takes 100 MB more memory. */
const evaluationsPerQuery = 8

/** Splits evaluations, or pairs of them, into the batches that are read by one query each. */
export const queryBatches = <T>(entries: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(entries.length / evaluationsPerQuery) }, (_, i) =>
    entries.slice(i * evaluationsPerQuery, (i + 1) * evaluationsPerQuery),
  )

/** The SQL of the folder name of the evaluation that a row of `namedRows` is from. */
export const entryFolderSql = `regexp_extract("${fileColumn}", '([^/\\\\]+)[/\\\\][^/\\\\]+$', 1)`

/** Returns the rows of the Parquet files of parameter `n`, each with its file. */
export const namedRows = (n = 1): string => parquetRows(n, `filename = '${fileColumn}'`)

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
  if (asked)
    for (const [members, all] of splits)
      splits.set(
        members,
        all.filter(column => asked.includes(splitColumnName(column))),
      )
  const cells = await countInBatches(splits)
  return entries.flatMap(entry => cells.get(entry)!)
}

/** Evaluations with equal keys are split by the same columns, which the first of them decides. */
export const columnSetKey = ({ identity, shards }: StoredEvaluation): string =>
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

/** Returns the SQL of several grouping columns; undefined if the evaluation lacks one. */
export async function groupColumnsSql(
  entry: StoredEvaluation,
  names: readonly string[],
  entries: readonly StoredEvaluation[],
): Promise<string[] | undefined> {
  const columns: string[] = []
  for (const name of names) {
    const sql = await groupSql(entry, name, entries)
    if (sql === undefined) return undefined
    columns.push(sql)
  }
  return columns
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
  const countsBy = async (start: string, some: readonly string[]): Promise<Map<string, number>> => {
    const counts = some.map(column => `${start}${quoteIdentifier(column)})::DOUBLE`)
    const sql = `SELECT ${counts.join(', ')} FROM ${parquetRows()}`
    const found = some.length === 0 ? [] : await queryNumbers(entry, sql)
    return new Map(some.map((column, i) => [column, found[i]!]))
  }
  const estimated = await countsBy('approx_count_distinct(', columns)
  // The estimate may be off by a third, so that only columns far from the limit are decided by it.
  const isNear = (column: string): boolean =>
    Math.abs(Math.log2(Math.max(1, estimated.get(column)!) / maxColumnValues)) < 1
  const counted = await countsBy('count(DISTINCT ', columns.filter(isNear))
  return columns.filter(
    column => (counted.get(column) ?? estimated.get(column)!) <= maxColumnValues,
  )
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
  const [isText, n, ...bounds] = await queryNumbers(
    entry,
    `SELECT is_text::INTEGER::DOUBLE, n, bounds[1], bounds[2], bounds[3]
     FROM (SELECT any_value(typeof(${name})) = 'VARCHAR' AS is_text, count(DISTINCT ${name})::DOUBLE AS n,
         [CAST(b AS DOUBLE) FOR b IN quantile_cont(TRY_CAST(${name} AS DOUBLE), [0.25, 0.5, 0.75])] AS bounds
       FROM ${parquetRows()} WHERE ${name} IS NOT NULL)`,
  )
  if (isText !== 0 || n! <= maxIncomeLevels || bounds.includes(null)) return null
  const known = bounds as [number, number, number]
  return quartileNames(known).map((name, i) => ({ name, high: known[i] ?? Infinity }))
}

/** Returns the one row of numbers that a query has of an evaluation's rows. */
async function queryNumbers(entry: StoredEvaluation, sql: string): Promise<(number | null)[]> {
  const [[table]] = (await answerFromKept([entry], [sql], async () => [
    [{ keys: [], sums: (await queryColumns(sql, [shardPaths(entry)])) as number[][] }],
  ])) as [[SumTable]]
  return table.sums.map(([value]) => value ?? null)
}

/** Returns the SQL of the quarter of a value. */
export const quarterSql = (quarters: readonly ColumnQuarter[], column: string): string =>
  `CASE ${quarters.map(({ name, high }) => `WHEN ${column} <= '${high}'::DOUBLE THEN '${name}'`).join(' ')} END`

/** Returns a computed column `income_group` of quarters of a numeric `income`, unless the data set names income groups itself. */
async function incomeGroupColumns(entry: StoredEvaluation): Promise<ComputedColumn[]> {
  const { columns } = entry.shards[0]!
  if (!columns.includes('income') || columns.includes('income_group')) return []
  const quarters = await columnQuarters(entry, 'income')
  if (!quarters) return []
  return [{ name: 'income_group', sql: quarterSql(quarters, 'income') }]
}

/**
 * Counts evaluations, in their order, by `columns`: `label`, stored or computed ones. A column that an evaluation lacks is in none of
 * its cells.
 */
export async function countByColumns(
  entries: readonly StoredEvaluation[],
  columns: readonly string[],
): Promise<CountsCell[][]> {
  const splits = new Map<StoredEvaluation[], SplitColumn[]>()
  for (const members of groupByKey(entries, columnSetKey).values()) {
    const computed = columns.includes('income_group') ? await incomeGroupColumns(members[0]!) : []
    const split = columns.map(name => computed.find(column => column.name === name) ?? name)
    splits.set(members, split)
  }
  const cells = await countInBatches(splits)
  return entries.map(entry => cells.get(entry)!)
}

/** Counts evaluations that have equal columns by the columns given for them. */
async function countInBatches(
  splits: ReadonlyMap<readonly StoredEvaluation[], readonly SplitColumn[]>,
): Promise<Map<StoredEvaluation, CountsCell[]>> {
  const shared = emptySharedGroups()
  const cells = new Map<StoredEvaluation, CountsCell[]>()
  for (const [members, split] of splits)
    for (const some of queryBatches(members)) {
      const counted = await countEvaluations(some, split, shared)
      for (const [i, entry] of some.entries()) cells.set(entry, counted[i]!)
    }
  return cells
}

/** Group values that cells share: by their JSON, and of the rows of a table by its lists of values. */
interface SharedGroups {
  byText: Map<string, CountsCell['groups']>
  ofRows: Map<SumTable['keys'], CountsCell['groups'][]>
}

const emptySharedGroups = (): SharedGroups => ({ byText: new Map(), ofRows: new Map() })

/** Counts evaluations that have equal columns; cells with equal group values share one object. */
async function countEvaluations(
  entries: readonly StoredEvaluation[],
  splits: readonly SplitColumn[],
  shared: SharedGroups,
): Promise<CountsCell[][]> {
  const held = entries[0]!.shards[0]!.columns
  const present = splits.flatMap((column): ComputedColumn[] => {
    if (typeof column !== 'string') return [column]
    return held.includes(column) ? [{ name: column, sql: quoteIdentifier(column) }] : []
  })
  const label = { name: 'label', sql: splits.includes('label') ? 'label' : "''" }
  const tables = await countTables(entries, [label, ...present])
  const names = present.map(({ name }) => name)
  return entries.map((entry, i) => cellsOf(entry, { names, table: tables[i]!, shared }))
}

/** Returns for each of evaluations that have equal columns the sums of `countNames` by the values of columns. */
export async function countTables(
  entries: readonly StoredEvaluation[],
  columns: readonly ComputedColumn[],
): Promise<SumTable[]> {
  const sql = countsQuery(columns)
  const tables = await answerFromKept(entries, [sql], async open =>
    (await queryCounts(open, { sql, width: columns.length })).map(table => [table]),
  )
  return tables.map(([table]) => table!)
}

/**
 * Returns the SQL of the counts by columns. One row has the counts of one class and combination of group values in all evaluations:
 * texts are decoded once.
 */
function countsQuery(columns: readonly ComputedColumn[]): string {
  const selected = columns.map(({ sql }, i) => `${sql} AS g${i}`)
  const groupColumns = columns.map((_, i) => `g${i}`)
  const counts = Object.values(countSql).map((sql, i) => `${sql}::DOUBLE AS c${i}`)
  const countColumns = counts.map((_, i) => `c${i}`)
  return `SELECT ${groupColumns.join(', ')}, flatten(list([${['entry', ...countColumns].join(', ')}]))
     FROM (SELECT ${selected.join(', ')}, list_position($2, ${entryFolderSql})::DOUBLE AS entry, ${counts.join(', ')}
       FROM ${namedRows()} GROUP BY ${[...groupColumns, 'entry'].map((_, i) => i + 1).join(', ')})
     GROUP BY ALL ORDER BY ALL`
}

/** Returns a value unchanged. V8 boxes numbers that it reads as doubles, 16 bytes each, and keeps results of `|` without a box. */
const smallInteger = (value: number | null): number | null =>
  value !== null && (value | 0) === value ? value | 0 : value

/** Counts evaluations by the SQL of `countsQuery` for `width` columns. */
async function queryCounts(
  entries: readonly StoredEvaluation[],
  { sql, width }: { sql: string; width: number },
): Promise<SumTable[]> {
  const rows = entries.map((): number[] => [])
  const sums = entries.map(() => countNames.map((): (number | null)[] => []))
  const params = [entries.flatMap(shardPaths), entries.map(({ folder }) => basename(folder))]
  const values = (await queryListColumn(sql, params, (row, list) => {
    for (let at = 0; at < list.length; at += 1 + countNames.length) {
      const position = list[at]! - 1
      rows[position]!.push(row)
      for (const [c, column] of sums[position]!.entries())
        column.push(smallInteger(list[at + 1 + c]!))
    }
  })) as GroupValue[][]
  const keysOf = memoize((key: string) => {
    const own = key === '' ? [] : key.split(' ').map(Number)
    return Array.from({ length: width }, (_, c) => own.map(row => values[c]![row]!))
  })
  return entries.map((_, i) => ({ keys: keysOf(rows[i]!.join(' ')), sums: sums[i]! }))
}

type Sums = readonly number[]

function cellsOf(
  { identity: { model, dataset, preprocessing } }: StoredEvaluation,
  {
    names,
    table: { keys, sums },
    shared,
  }: { names: readonly string[]; table: SumTable; shared: SharedGroups },
): CountsCell[] {
  const labels = keys[0]!
  const groups = shared.ofRows.get(keys) ?? groupsOfRows(keys, names, shared.byText)
  shared.ofRows.set(keys, groups)
  const [n, top1, top5, errors, unscored] = sums as [Sums, Sums, SumTable['sums'][0], Sums, Sums]
  return labels.map((label, row) => ({
    model,
    dataset,
    preprocessing,
    label: (label as string | null) ?? '',
    groups: groups[row]!,
    n: n[row]!,
    top1: top1[row]!,
    top5: top5[row] ?? undefined,
    errors: errors[row]!,
    unscored: unscored[row]!,
  }))
}

function groupsOfRows(
  keys: SumTable['keys'],
  names: readonly string[],
  shared: SharedGroups['byText'],
): CountsCell['groups'][] {
  return keys[0]!.map((_, row) => {
    const combination = names.map((name, c) => [name, keys[c + 1]![row]!] as const)
    const key = JSON.stringify(combination)
    const groups = shared.get(key) ?? Object.fromEntries(combination)
    shared.set(key, groups)
    return groups
  })
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

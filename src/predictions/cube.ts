import { identifier, columnsOf, query } from '../sql.ts'
import { type Cell, type Entry, shardFiles } from './store.ts'

/*
 * Every table is answered from counts by class and group values. 98 models on eight benchmarks have millions of them, so
 * they are read column by column, and all models of a data set share the objects that hold their group values.
 */

/** Columns with more distinct values than this stay out of the cube and are counted from the predictions. */
const cubeValues = 300

/** A grouping column that is computed: its name and SQL. */
interface Computed {
  name: string
  sql: string
}

/** The cells of all entries, entry by entry. */
export async function loadCells(entries: readonly Entry[]): Promise<Cell[]> {
  const columns = new Map<string, (string | Computed)[]>()
  const groups = new Map<string, Cell['groups']>()
  const cells: Cell[] = []
  for (const entry of entries) {
    const { content } = entry.identity
    const known = columns.get(content) ?? [...(await cubeColumns(entry)), ...(await incomeGroups(entry))]
    columns.set(content, known)
    for (const cell of await countCells(entry, known, groups)) cells.push(cell)
  }
  return cells
}

/** Grouping columns of an entry that its cube holds. */
async function cubeColumns(entry: Entry): Promise<string[]> {
  const columns = entry.shards[0]!.columns
  if (columns.length === 0) return []
  const counts = columns.map((column, i) => `approx_count_distinct(${identifier(column)}) AS c${i}`)
  const [row] = await query<Record<string, bigint>>(`SELECT ${counts.join(', ')} FROM read_parquet($1)`, [
    shardFiles(entry),
  ])
  return columns.filter((_, i) => Number(row![`c${i}`]) <= cubeValues)
}

/** Incomes of more different values are cut into quarters. */
const mostIncomes = 8

/**
 * Quarters of the images by an `income` in numbers, as the paper has them (Q1 the highest), where the data set names no
 * `income_group` itself.
 */
async function incomeGroups(entry: Entry): Promise<Computed[]> {
  const { columns } = entry.shards[0]!
  if (!columns.includes('income') || columns.includes('income_group')) return []
  const [found] = await query<{ type: string; n: number; bounds: number[] | null }>(
    `SELECT any_value(typeof(income)) AS type, count(DISTINCT income)::DOUBLE AS n,
       [CAST(b AS DOUBLE) FOR b IN quantile_cont(TRY_CAST(income AS DOUBLE), [0.25, 0.5, 0.75])] AS bounds
     FROM read_parquet($1) WHERE income IS NOT NULL`,
    [shardFiles(entry)],
  )
  if (!found || found.type === 'VARCHAR' || found.n <= mostIncomes || !found.bounds) return []
  const [low, middle, high] = found.bounds as [number, number, number]
  const text = (bound: number): string => bound.toLocaleString('en-US', { maximumFractionDigits: 1 })
  const sql = `CASE WHEN income <= ${low} THEN 'Q4 (to ${text(low)})' WHEN income <= ${middle} THEN 'Q3 (to ${text(middle)})'
    WHEN income <= ${high} THEN 'Q2 (to ${text(high)})' WHEN income > ${high} THEN 'Q1 (above ${text(high)})' END`
  return [{ name: 'income_group', sql }]
}

/** Counts of one entry by `columns` and class; equal group values are one object of `shared`. */
export async function countCells(
  entry: Entry,
  columns: readonly (string | Computed)[],
  shared = new Map<string, Cell['groups']>(),
): Promise<Cell[]> {
  const held = entry.shards[0]!.columns
  const present = columns.flatMap(column => {
    if (typeof column !== 'string') return column
    return held.includes(column) ? { name: column, sql: identifier(column) } : []
  })
  const selected = ['label', ...present.map(({ name, sql }) => `${sql} AS ${identifier(name)}`)]
  const found = await columnsOf(
    `SELECT ${selected.join(', ')},
       count(correct1)::DOUBLE, count_if(correct1)::DOUBLE, count_if(correct5)::DOUBLE,
       count_if(status NOT IN ('ok', 'no-accepted-class'))::DOUBLE, count_if(status = 'no-accepted-class')::DOUBLE
     FROM read_parquet($1) GROUP BY ALL ORDER BY ALL`,
    [shardFiles(entry)],
  )
  const labels = found[0] as string[]
  const values = found.slice(1, 1 + present.length) as (string | number | null)[][]
  const [n, top1, top5, errors, unscored] = found.slice(1 + present.length) as number[][]
  const { model, dataset, preprocessing } = entry.identity
  return labels.map((label, i) => {
    const key = JSON.stringify(present.map(({ name }, c) => [name, values[c]![i]]))
    const groups = shared.get(key) ?? Object.fromEntries(present.map(({ name }, c) => [name, values[c]![i]!] as const))
    shared.set(key, groups)
    const counts = { n: n![i]!, top1: top1![i]!, top5: top5![i]!, errors: errors![i]!, unscored: unscored![i]! }
    return { model, dataset, preprocessing, label, groups, ...counts }
  })
}

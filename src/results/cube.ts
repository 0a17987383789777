import { basename } from 'node:path'
import { mostIncomes, quartileNames } from '../metrics/incomeControlled.ts'
import { columnsOf, identifier, parquetRows, query } from '../lib/sql.ts'
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

/** Entries that one query counts: a query of its own for each costs three times the time. */
const entriesAtOnce = 16

/**
 * The cells of all entries, entry by entry. Where all of `by` are columns that some entry's cube has, or `label`, cells are split by
 * those alone, which is faster: their `label` is empty unless it is asked for.
 */
export async function loadCells(entries: readonly Entry[], by?: readonly string[]): Promise<Cell[]> {
  const alike = new Map<string, Entry[]>()
  for (const entry of entries) alike.set(kindOf(entry), [...(alike.get(kindOf(entry)) ?? []), entry])
  const splits = new Map<Entry[], Split[]>()
  for (const members of alike.values()) splits.set(members, by?.length === 0 ? [] : await splitsOf(members[0]!))
  const held = new Set([...splits.values()].flatMap(split => split.map(nameOf)))
  const asked = by?.every(column => held.has(column)) ? by : undefined
  const groups = new Map<string, Cell['groups']>()
  const cells = new Map<Entry, Cell[]>()
  for (const [members, all] of splits) {
    const split = all.filter(column => !asked || asked.includes(nameOf(column)))
    for (let first = 0; first < members.length; first += entriesAtOnce) {
      const some = members.slice(first, first + entriesAtOnce)
      for (const [i, counted] of (await countEntries(some, split, groups)).entries()) cells.set(some[i]!, counted)
    }
  }
  return entries.flatMap(entry => cells.get(entry)!)
}

/** Entries of one kind are split alike: by the first of them. */
const kindOf = ({ identity, shards }: Entry): string => JSON.stringify([identity.content, shards[0]!.columns])

/** SQL of a grouping column, or of one that the cube of `entries` computes; undefined where the entry has neither. */
export async function groupSql(entry: Entry, name: string, entries: readonly Entry[]): Promise<string | undefined> {
  if (name === 'label' || entry.shards[0]!.columns.includes(name)) return identifier(name)
  const first = entries.find(other => kindOf(other) === kindOf(entry)) ?? entry
  return (await incomeGroups(first)).find(computed => computed.name === name)?.sql
}

/** What cells are split by: `label`, a grouping column, or a computed one. */
type Split = string | Computed

const nameOf = (split: Split): string => (typeof split === 'string' ? split : split.name)

const splitsOf = async (entry: Entry): Promise<Split[]> => [
  'label',
  ...(await cubeColumns(entry)),
  ...(await incomeGroups(entry)),
]

/** Grouping columns of an entry that its cube holds. */
async function cubeColumns(entry: Entry): Promise<string[]> {
  const columns = entry.shards[0]!.columns
  if (columns.length === 0) return []
  const counts = columns.map((column, i) => `approx_count_distinct(${identifier(column)}) AS c${i}`)
  const [row] = await query<Record<string, bigint>>(`SELECT ${counts.join(', ')} FROM ${parquetRows()}`, [
    shardFiles(entry),
  ])
  return columns.filter((_, i) => Number(row![`c${i}`]) <= cubeValues)
}

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
     FROM ${parquetRows()} WHERE income IS NOT NULL`,
    [shardFiles(entry)],
  )
  if (!found || found.type === 'VARCHAR' || found.n <= mostIncomes || !found.bounds) return []
  const bounds = found.bounds as [number, number, number]
  const names = quartileNames(bounds)
  const cases = bounds.map((bound, i) => `WHEN income <= '${bound}'::DOUBLE THEN '${names[i]!}'`).join(' ')
  return [{ name: 'income_group', sql: `CASE ${cases} WHEN income > '${bounds[2]}'::DOUBLE THEN '${names[3]!}' END` }]
}

/** Counts of one entry by `columns` and class. */
export const countCells = async (entry: Entry, columns: readonly string[]): Promise<Cell[]> =>
  (await countEntries([entry], ['label', ...columns], new Map()))[0]!

/** Counts of entries with the same columns; equal group values are one object of `shared`. */
async function countEntries(
  entries: readonly Entry[],
  splits: readonly Split[],
  shared: Map<string, Cell['groups']>,
): Promise<Cell[][]> {
  const held = entries[0]!.shards[0]!.columns
  const present = splits.flatMap(column => {
    if (typeof column !== 'string') return column
    return held.includes(column) ? { name: column, sql: identifier(column) } : []
  })
  const selected = [
    splits.includes('label') ? 'label' : "''",
    ...present.map(({ name, sql }) => `${sql} AS ${identifier(name)}`),
  ]
  const found = await columnsOf(
    `SELECT regexp_extract("read from", '([^/\\\\]+)[/\\\\][^/\\\\]+$', 1) AS entry, ${selected.join(', ')},
       count(correct1)::DOUBLE, count_if(correct1)::DOUBLE, count_if(correct5)::DOUBLE,
       count_if(len(labels) > 0 AND status <> 'ok')::DOUBLE, count_if(len(labels) = 0)::DOUBLE
     FROM ${parquetRows(1, "filename = 'read from'")} GROUP BY ALL ORDER BY ALL`,
    [entries.flatMap(shardFiles)],
  )
  const [names, labels] = found as [string[], string[]]
  const values = found.slice(2, 2 + present.length) as (string | number | null)[][]
  const [n, top1, top5, errors, unscored] = found.slice(2 + present.length) as number[][]
  const cells = new Map(entries.map(({ folder, identity }) => [basename(folder), { identity, cells: [] as Cell[] }]))
  for (const [i, label] of labels.entries()) {
    const key = JSON.stringify(present.map(({ name }, c) => [name, values[c]![i]]))
    const groups = shared.get(key) ?? Object.fromEntries(present.map(({ name }, c) => [name, values[c]![i]!] as const))
    shared.set(key, groups)
    const counts = { n: n![i]!, top1: top1![i]!, top5: top5![i]!, errors: errors![i]!, unscored: unscored![i]! }
    const entry = cells.get(names[i]!)!
    const { model, dataset, preprocessing } = entry.identity
    entry.cells.push({ model, dataset, preprocessing, label, groups, ...counts })
  }
  return [...cells.values()].map(entry => entry.cells)
}

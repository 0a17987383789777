/** Images with what models said about them, read page by page from the shards of one or two evaluations. */
import { type GroupValue } from '../datasets/dataset.ts'
import { joined, outcomes as pairOutcomes } from '../decide/pairs.ts'
import { type PairCounts } from '../metrics/pairedTests.ts'
import { noAcceptedClass } from '../predictions/schema.ts'
import { type Entry, shardFiles } from '../predictions/store.ts'
import { type Bound, identifier, query } from '../sql.ts'
import { type Dimension, dimensions, type Filter } from './cube.ts'
import { type GrowingCube, incomeName, textOf } from './load.ts'
import { type Store } from './store.ts'
import {
  type Answer,
  type Change,
  type GalleryItem,
  type GalleryPage,
  type Outcome,
  pageSize,
  type PairRow,
} from './views.ts'

interface Place {
  dataset: string
  filter: Filter
}

/** The stored column of a dimension; undefined where the data set has none. */
function columnOf(cube: GrowingCube, entry: Entry, dimension: Dimension): string | undefined {
  if (dimension === 'label') return 'label'
  const column = dimension === 'income' ? cube.income?.column : dimension
  return column !== undefined && entry.shards[0]!.columns.includes(column) ? column : undefined
}

/** SQL that finds a filter's rows, its values bound from `$first` on; `false` for a value that the data set lacks. */
function conditions(cube: GrowingCube, entry: Entry, filter: Filter, first: number): { sql: string[]; bound: Bound[] } {
  const [sql, bound]: [string[], Bound[]] = [[], []]
  for (const dimension of dimensions) {
    const value = filter[dimension]
    if (value === undefined) continue
    const column = columnOf(cube, entry, dimension)
    const quarters = dimension === 'income' ? cube.income?.quarters : undefined
    const quarter = quarters?.find(({ name }) => name === value)
    const name = `a.${identifier(column ?? '')}`
    const at = first + bound.length
    if (column === undefined || (quarters && !quarter)) sql.push('false')
    else if (quarter) {
      sql.push(`${name} > $${at} AND ${name} <= $${at + 1}`)
      bound.push(quarter.low, quarter.high)
    } else {
      sql.push(`${name}::VARCHAR = $${at}`)
      bound.push(value)
    }
  }
  return { sql, bound }
}

const outcomeSql: Record<Outcome, string> = {
  ...{ wrong: 'NOT a.correct1', right: 'a.correct1', all: 'true' },
  failed: `a.status NOT IN ('ok', '${noAcceptedClass}')`,
}

/** The most confident answers first. */
export async function galleryPage(
  store: Store,
  { dataset, filter, model, outcome, page }: Place & { model: string; outcome: Outcome; page: number },
): Promise<GalleryPage> {
  const [cube, entry] = [store.cube(dataset), store.entry(dataset, model)]
  const { sql, bound } = conditions(cube, entry, filter, 2)
  return pageOf(store, cube, [entry], 'read_parquet($1) a', [shardFiles(entry), ...bound], page, [
    outcomeSql[outcome],
    ...sql,
  ])
}

/** Images that one of two models has right and the other wrong. */
export async function flipsPage(
  store: Store,
  {
    dataset,
    filter,
    first,
    second,
    change,
    page,
  }: Place & { first: string; second: string; change: Change; page: number },
): Promise<GalleryPage> {
  const cube = store.cube(dataset)
  const entries = [store.entry(dataset, first), store.entry(dataset, second)] as const
  const { sql, bound } = conditions(cube, entries[0], filter, 3)
  const flip = change === 'gained' ? 'b.correct1 AND NOT a.correct1' : 'a.correct1 AND NOT b.correct1'
  return pageOf(store, cube, entries, joined, [...entries.map(shardFiles), ...bound], page, [flip, ...sql])
}

type Row = Record<string, unknown> & { id: string; label: string; labels: number[]; status: string }

async function pageOf(
  store: Store,
  cube: GrowingCube,
  entries: readonly Entry[],
  from: string,
  bound: readonly Bound[],
  page: number,
  where: readonly string[],
): Promise<GalleryPage> {
  const [entry] = entries
  const places = (['region', 'country', 'income'] as const).map(dimension => {
    const column = columnOf(cube, entry!, dimension)
    return `${column === undefined ? 'NULL' : `a.${identifier(column)}`} AS ${dimension}`
  })
  const answers = entries.map((_, i) => {
    const side = 'ab'[i]!
    return `${side}.top5 AS top${i}, ${side}.probabilities AS p${i}, ${side}.correct1 AS correct${i}`
  })
  const source = `FROM ${from} WHERE ${where.join(' AND ')}`
  const [[count], rows] = await Promise.all([
    query<{ total: number }>(`SELECT count(*)::DOUBLE AS total ${source}`, bound),
    query<Row>(
      `SELECT a.id AS id, a.label AS label, a.labels AS labels, a.status AS status, ${[...places, ...answers].join(', ')}
       ${source} ORDER BY a.probabilities[1] DESC NULLS LAST, a.id LIMIT ${pageSize} OFFSET $${bound.length + 1}`,
      [...bound, page * pageSize],
    ),
  ])
  return { total: count!.total, items: rows.map(row => itemOf(store, cube, entries, row)) }
}

function itemOf(store: Store, cube: GrowingCube, entries: readonly Entry[], row: Row): GalleryItem {
  const notes = entries.map(({ identity }) => store.notes().get(identity.content))
  const className = (index: number, side: number): string => notes[side]?.classes[index] ?? `class ${index}`
  const text = (name: string): string | null => textOf(row[name] as GroupValue)
  const address = new URLSearchParams({ content: entries[0]!.identity.content, id: row.id })
  return {
    ...{ id: row.id, label: row.label, status: row.status },
    accepted: row.labels.map(index => className(index, 0)),
    ...{ region: text('region'), country: text('country'), income: incomeName(cube, row['income'] as GroupValue) },
    image: notes[0]?.imageFolders ? `thumb?${address.toString()}` : null,
    answers: entries.map(({ identity }, side): Answer => {
      const p = row[`p${side}`] as number[]
      const top = (row[`top${side}`] as number[]).map((index, k) => ({ label: className(index, side), p: p[k] ?? 0 }))
      return { model: identity.model, correct: row[`correct${side}`] as boolean | null, top }
    }),
  }
}

/** Paired outcomes of two models in every cell. */
export async function pairRows(store: Store, dataset: string, first: string, second: string): Promise<PairRow[]> {
  const cube = store.cube(dataset)
  const sides = [store.entry(dataset, first), store.entry(dataset, second)] as const
  const columns = dimensions.map(dimension => {
    const column = columnOf(cube, sides[0], dimension)
    return `${column === undefined ? 'NULL' : `a.${identifier(column)}`} AS ${dimension}`
  })
  const rows = await query<PairCounts & Record<Dimension, GroupValue>>(
    `SELECT ${columns.join(', ')}, ${pairOutcomes} FROM ${joined}
     WHERE a.correct1 IS NOT NULL AND b.correct1 IS NOT NULL GROUP BY ALL`,
    sides.map(shardFiles),
  )
  return rows.map(({ region, country, income, label, ...counts }) => ({
    ...counts,
    ...{ region: textOf(region), country: textOf(country), income: incomeName(cube, income), label: textOf(label) },
  }))
}

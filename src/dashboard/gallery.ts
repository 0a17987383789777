/** Images with what models said about them, read page by page from the shards of one or two evaluations. */
import { type GroupValue } from '../datasets/dataset.ts'
import { clusterSql, joined, outcomes as pairOutcomes } from '../analysis/pairs.ts'
import { type PairCounts } from '../metrics/pairedTests.ts'
import { failedSql } from '../results/schema.ts'
import { type Entry, shardFiles } from '../results/store.ts'
import { type Bound, identifier, parquetRows, query } from '../lib/sql.ts'
import { cellsOf, type Dimension, dimensions, type Filter, filterOf, total } from '../analysis/counts.ts'
import { type GrowingCube, incomeName, textOf } from './load.ts'
import { type Store } from './store.ts'
import {
  type Answer,
  type Change,
  flipped,
  type GalleryItem,
  type GalleryPage,
  type Outcome,
  pageSize,
  type PairRow,
} from './views.ts'

/** Names of a data set and of the values that its images are filtered by. */
type Place = Readonly<Partial<Record<Dimension, string | undefined>>> & { dataset: string }

/** The stored column of a dimension; undefined where the data set has none. */
function columnOf(cube: GrowingCube, entry: Entry, dimension: Dimension): string | undefined {
  if (dimension === 'label') return 'label'
  const column = dimension === 'income' ? cube.income?.column : dimension
  return column !== undefined && entry.shards[0]!.columns.includes(column) ? column : undefined
}

/** The stored values of all dimensions of `a`, as columns of their names. */
export const dimensionSql = (cube: GrowingCube, entry: Entry): string =>
  dimensions
    .map(dimension => {
      const column = columnOf(cube, entry, dimension)
      return `${column === undefined ? 'NULL' : `a.${identifier(column)}`} AS ${dimension}`
    })
    .join(', ')

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
  failed: `a.${failedSql}`,
}

type GalleryQuery = Place & { model: string; outcome: Outcome; page: number }

/** The most confident answers first. */
export async function galleryPage(
  store: Store,
  { dataset, model, outcome, page, ...rest }: GalleryQuery,
): Promise<GalleryPage> {
  const [cube, entry, filter] = [store.cube(dataset), store.entry(dataset, model), filterOf(rest)]
  const { sql, bound } = conditions(cube, entry, filter, 2)
  const where = [outcomeSql[outcome], ...sql].join(' AND ')
  const from = `FROM ${parquetRows()} a WHERE ${where}`
  const values = [shardFiles(entry), ...bound]
  const { n, top1, errors } = total(cube.models.get(model)!, cellsOf(cube, filter))
  const right = Math.round(n * (top1 ?? 0))
  const counted = { right, wrong: n - right, failed: errors, all: null }[outcome]
  return {
    total: counted ?? (await query<{ n: number }>(`SELECT count(*)::DOUBLE AS n ${from}`, values))[0]!.n,
    items: await itemsOf(store, cube, [entry], from, values, page),
  }
}

type FlipsQuery = Place & { first: string; second: string; change: Change; page: number }

/** Images that one of two models has right and the other wrong; `pairs` are those of the two models. */
export async function flipsPage(
  store: Store,
  { dataset, first, second, change, page, ...rest }: FlipsQuery,
  pairs: readonly PairRow[],
): Promise<GalleryPage> {
  const [cube, filter] = [store.cube(dataset), filterOf(rest)]
  const entries = [store.entry(dataset, first), store.entry(dataset, second)] as const
  const { sql, bound } = conditions(cube, entries[0], filter, 3)
  const flip = change === 'gained' ? 'b.correct1 AND NOT a.correct1' : 'a.correct1 AND NOT b.correct1'
  const from = `FROM ${joined} WHERE ${[flip, ...sql].join(' AND ')}`
  return {
    total: flipped(pairs, change, filter),
    items: await itemsOf(store, cube, entries, from, [...entries.map(shardFiles), ...bound], page),
  }
}

type Row = Record<string, unknown> & { id: string; label: string; labels0: number[]; status: string }

async function itemsOf(
  store: Store,
  cube: GrowingCube,
  entries: readonly Entry[],
  from: string,
  bound: readonly Bound[],
  page: number,
): Promise<GalleryItem[]> {
  const [entry] = entries
  const answers = entries.map((_, i) => {
    const side = 'ab'[i]!
    return ['top5', 'probabilities', 'correct1', 'labels'].map(name => `${side}.${name} AS ${name}${i}`).join(', ')
  })
  const rows = await query<Row>(
    `SELECT a.id AS id, a.status AS status, ${dimensionSql(cube, entry!)}, ${answers.join(', ')}
     ${from} ORDER BY a.probabilities[1] DESC NULLS LAST, a.id LIMIT ${pageSize} OFFSET $${bound.length + 1}`,
    [...bound, page * pageSize],
  )
  return rows.map(row => itemOf(store, cube, entries, row))
}

function itemOf(store: Store, cube: GrowingCube, entries: readonly Entry[], row: Row): GalleryItem {
  const notes = entries.map(({ identity }) => store.notes().get(identity.content))
  const className = (index: number, side: number): string => notes[side]?.classes[index] ?? `class ${index}`
  const text = (name: string): string | null => textOf(row[name] as GroupValue)
  const address = new URLSearchParams({ content: entries[0]!.identity.content, id: row.id })
  return {
    ...{ id: row.id, label: row.label, status: row.status },
    accepted: row.labels0.map(index => className(index, 0)),
    ...{ region: text('region'), country: text('country'), income: incomeName(cube, row['income'] as GroupValue) },
    image: notes[0]?.imageFolders ? `thumb?${address.toString()}` : null,
    answers: entries.map(({ identity }, side): Answer => {
      const [p, labels] = [row[`probabilities${side}`] as number[], row[`labels${side}`] as number[]]
      const top = (row[`top5${side}`] as number[]).map((index, k) => ({
        ...{ label: className(index, side), p: p[k] ?? 0, accepted: labels.includes(index) },
      }))
      return { model: identity.model, correct: row[`correct1${side}`] as boolean | null, top }
    }),
  }
}

/** Paired outcomes of two models in every cell. */
export async function pairRows(store: Store, dataset: string, first: string, second: string): Promise<PairRow[]> {
  const cube = store.cube(dataset)
  const sides = [store.entry(dataset, first), store.entry(dataset, second)] as const
  const rows = await query<PairCounts & Record<Dimension, GroupValue> & { cluster: string | null }>(
    `SELECT ${dimensionSql(cube, sides[0])}, ${clusterSql(sides[0])} AS cluster, ${pairOutcomes} FROM ${joined}
     WHERE a.correct1 IS NOT NULL AND b.correct1 IS NOT NULL GROUP BY ALL`,
    sides.map(shardFiles),
  )
  return rows.map(({ region, country, income, label, ...outcome }) => ({
    ...outcome,
    ...{ region: textOf(region), country: textOf(country), income: incomeName(cube, income), label: textOf(label) },
  }))
}

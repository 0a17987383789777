/** Images with what models said about them, read page by page from the shards of one or two evaluations. */
import { type GroupValue } from '../datasets/dataset.ts'
import {
  householdSql,
  joinedRowsSql,
  pairedOutcomesSql as pairOutcomes,
} from '../analysis/imagePairs.ts'
import { type PairCounts } from '../metrics/pairedTests.ts'
import { failedSql } from '../results/schema.ts'
import { type StoredEvaluation, shardPaths } from '../results/store.ts'
import { type SqlParameter, quoteIdentifier, parquetRows, query } from '../lib/sql.ts'
import {
  filterCells,
  type Dimension,
  dimensions,
  type GroupFilter,
  groupFilter,
  totalAccuracy,
} from '../analysis/datasetCounts.ts'
import { type GrowingCounts, incomeName, textOf } from './load.ts'
import { type DashboardStore } from './store.ts'
import {
  type ModelAnswer,
  type Change,
  countFlips,
  type GalleryItem,
  type GalleryPage,
  type Outcome,
  pageSize,
  type PairRow,
} from './views.ts'

/** Names of a data set and of the values that its images are filtered by. */
type DatasetFilter = Readonly<Partial<Record<Dimension, string | undefined>>> & { dataset: string }

/** The stored column of a dimension; undefined where the data set has none. */
function columnOf(
  cube: GrowingCounts,
  entry: StoredEvaluation,
  dimension: Dimension,
): string | undefined {
  if (dimension === 'label') return 'label'
  const column = dimension === 'income' ? cube.income?.column : dimension
  return column !== undefined && entry.shards[0]!.columns.includes(column) ? column : undefined
}

/** The stored values of all dimensions of `a`, as columns of their names. */
export const dimensionSql = (cube: GrowingCounts, entry: StoredEvaluation): string =>
  dimensions
    .map(dimension => {
      const column = columnOf(cube, entry, dimension)
      return `${column === undefined ? 'NULL' : `a.${quoteIdentifier(column)}`} AS ${dimension}`
    })
    .join(', ')

/** SQL that finds a filter's rows, its values bound from `$first` on; `false` for a value that the data set lacks. */
function filterSql(
  cube: GrowingCounts,
  entry: StoredEvaluation,
  filter: GroupFilter,
  first: number,
): { sql: string[]; bound: SqlParameter[] } {
  const [sql, bound]: [string[], SqlParameter[]] = [[], []]
  for (const dimension of dimensions) {
    const value = filter[dimension]
    if (value === undefined) continue
    const column = columnOf(cube, entry, dimension)
    const quarters = dimension === 'income' ? cube.income?.quarters : undefined
    const quarter = quarters?.find(({ name }) => name === value)
    const name = `a.${quoteIdentifier(column ?? '')}`
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

type GalleryQuery = DatasetFilter & { model: string; outcome: Outcome; page: number }

/** The most confident answers first. */
export async function readGalleryPage(
  store: DashboardStore,
  { dataset, model, outcome, page, ...rest }: GalleryQuery,
): Promise<GalleryPage> {
  const [cube, entry, filter] = [
    store.counts(dataset),
    store.evaluation(dataset, model),
    groupFilter(rest),
  ]
  const { sql, bound } = filterSql(cube, entry, filter, 2)
  const where = [outcomeSql[outcome], ...sql].join(' AND ')
  const from = `FROM ${parquetRows()} a WHERE ${where}`
  const values = [shardPaths(entry), ...bound]
  const { n, top1, errors } = totalAccuracy(cube.models.get(model)!, filterCells(cube, filter))
  const right = Math.round(n * (top1 ?? 0))
  const counted = { right, wrong: n - right, failed: errors, all: null }[outcome]
  return {
    total:
      counted ?? (await query<{ n: number }>(`SELECT count(*)::DOUBLE AS n ${from}`, values))[0]!.n,
    items: await readGalleryItems(store, cube, [entry], from, values, page),
  }
}

type FlipsQuery = DatasetFilter & { first: string; second: string; change: Change; page: number }

/** Images that one of two models has right and the other wrong; `pairs` are those of the two models. */
export async function readFlipsPage(
  store: DashboardStore,
  { dataset, first, second, change, page, ...rest }: FlipsQuery,
  pairs: readonly PairRow[],
): Promise<GalleryPage> {
  const [cube, filter] = [store.counts(dataset), groupFilter(rest)]
  const entries = [store.evaluation(dataset, first), store.evaluation(dataset, second)] as const
  const { sql, bound } = filterSql(cube, entries[0], filter, 3)
  const flip =
    change === 'gained' ? 'b.correct1 AND NOT a.correct1' : 'a.correct1 AND NOT b.correct1'
  const from = `FROM ${joinedRowsSql} WHERE ${[flip, ...sql].join(' AND ')}`
  return {
    total: countFlips(pairs, change, filter),
    items: await readGalleryItems(
      store,
      cube,
      entries,
      from,
      [...entries.map(shardPaths), ...bound],
      page,
    ),
  }
}

type GalleryRow = Record<string, unknown> & {
  id: string
  label: string
  labels0: number[]
  status: string
}

async function readGalleryItems(
  store: DashboardStore,
  cube: GrowingCounts,
  entries: readonly StoredEvaluation[],
  from: string,
  bound: readonly SqlParameter[],
  page: number,
): Promise<GalleryItem[]> {
  const [entry] = entries
  const answers = entries.map((_, i) => {
    const side = 'ab'[i]!
    return ['top5', 'probabilities', 'correct1', 'labels']
      .map(name => `${side}.${name} AS ${name}${i}`)
      .join(', ')
  })
  const rows = await query<GalleryRow>(
    `SELECT a.id AS id, a.status AS status, ${dimensionSql(cube, entry!)}, ${answers.join(', ')}
     ${from} ORDER BY a.probabilities[1] DESC NULLS LAST, a.id LIMIT ${pageSize} OFFSET $${bound.length + 1}`,
    [...bound, page * pageSize],
  )
  return rows.map(row => galleryItemOf(store, cube, entries, row))
}

function galleryItemOf(
  store: DashboardStore,
  cube: GrowingCounts,
  entries: readonly StoredEvaluation[],
  row: GalleryRow,
): GalleryItem {
  const notes = entries.map(({ identity }) => store.notes().get(identity.content))
  const className = (index: number, side: number): string =>
    notes[side]?.classes[index] ?? `class ${index}`
  const text = (name: string): string | null => textOf(row[name] as GroupValue)
  const address = new URLSearchParams({ content: entries[0]!.identity.content, id: row.id })
  return {
    ...{ id: row.id, label: row.label, status: row.status },
    accepted: row.labels0.map(index => className(index, 0)),
    ...{
      region: text('region'),
      country: text('country'),
      income: incomeName(cube, row['income'] as GroupValue),
    },
    image: notes[0]?.imageFolders ? `thumb?${address.toString()}` : null,
    answers: entries.map(({ identity }, side): ModelAnswer => {
      const [p, labels] = [
        row[`probabilities${side}`] as number[],
        row[`labels${side}`] as number[],
      ]
      const top = (row[`top5${side}`] as number[]).map((index, k) => ({
        ...{ label: className(index, side), p: p[k] ?? 0, accepted: labels.includes(index) },
      }))
      return { model: identity.model, correct: row[`correct1${side}`] as boolean | null, top }
    }),
  }
}

/** Paired outcomes of two models in every cell. */
export async function readPairRows(
  store: DashboardStore,
  dataset: string,
  first: string,
  second: string,
): Promise<PairRow[]> {
  const cube = store.counts(dataset)
  const sides = [store.evaluation(dataset, first), store.evaluation(dataset, second)] as const
  const rows = await query<PairCounts & Record<Dimension, GroupValue> & { cluster: string | null }>(
    `SELECT ${dimensionSql(cube, sides[0])}, ${householdSql(sides[0])} AS cluster, ${pairOutcomes} FROM ${joinedRowsSql}
     WHERE a.correct1 IS NOT NULL AND b.correct1 IS NOT NULL GROUP BY ALL`,
    sides.map(shardPaths),
  )
  return rows.map(({ region, country, income, label, ...outcome }) => ({
    ...outcome,
    ...{
      region: textOf(region),
      country: textOf(country),
      income: incomeName(cube, income),
      label: textOf(label),
    },
  }))
}

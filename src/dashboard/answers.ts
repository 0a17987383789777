/** Reads the images of a data set, and what each model answered for them, from stored predictions. */
import { type GroupValue } from '../datasets/dataset.ts'
import { byDimension, dimensions } from '../analysis/datasetCounts.ts'
import { householdSql } from '../analysis/imagePairs.ts'
import { sha256 } from '../lib/hash.ts'
import { parquetRows, query, queryColumns, quoteIdentifier } from '../lib/sql.ts'
import { isComplete } from '../results/completeness.ts'
import { failedSql, isOfCounts } from '../results/schema.ts'
import { type StoredEvaluation, shardPaths } from '../results/storedEvaluations.ts'
import { cellOf, dimensionColumn, evaluationStateOf, type GrowingCounts } from './growingCounts.ts'
import { type DashboardStore } from './store.ts'

/** The images that one or several models were evaluated on, in the order of their ids. */
export interface ImageList {
  /** Hash of the data set's content. */
  content: string
  id: string[]
  /** Position of each image's cell in the data set's counts. */
  cell: number[]
  /** Class indices that count as right. */
  accepted: number[][]
  classes: readonly string[]
  /** Null if the data set names no households. */
  household: (string | null)[] | null
  /** Whether there are thumbnails. */
  pictures: boolean
}

/** A model's outcomes in the order of an image list. */
export interface ModelOutcomes {
  /** Name of the file of the image list. */
  images: string
  /** One character per image: 1 right, 0 wrong, f failed, u unscored, - not evaluated. */
  outcome: string
  /** Highest probability, in ten-thousandths. */
  confidence: (number | null)[]
}

/** A model's answer for one image. */
export interface AnswerRow {
  /** `ok`, or the reason why there is no prediction. */
  status: string
  /** The five most probable classes, and their probabilities in thousandths. */
  top: number[]
  p: number[]
}

/** Answers as columns; null for images that the model lacks. */
export type AnswerColumns = { [Name in keyof AnswerRow]: (AnswerRow[Name] | null)[] }

/** Returns the evaluations that name all images: a complete one if there is any, otherwise all of them. */
function imageSources(store: DashboardStore, dataset: string, content: string): StoredEvaluation[] {
  const all = [...store.evaluations(dataset).values()].filter(
    ({ identity }) => identity.content === content,
  )
  const complete = all.find(isComplete)
  return complete ? [complete] : all
}

/** Returns the name of the file of an image list; it changes with the evaluations that the list is read from. */
export function imageListName(store: DashboardStore, dataset: string, content: string): string {
  const states = imageSources(store, dataset, content).map(evaluationStateOf)
  return `images-${sha256(JSON.stringify([content, ...states]), 12)}`
}

/** Returns SQL for the stored values of all dimensions of `a`, in their order. */
function dimensionSql(counts: GrowingCounts, { shards }: StoredEvaluation): string {
  const stored = ['label', ...shards[0]!.columns]
  const columns = byDimension(name => dimensionColumn(counts, name))
  return Object.values(columns)
    .map(column => (stored.includes(column) ? `a.${quoteIdentifier(column)}` : 'NULL'))
    .join(', ')
}

/** The image list of counts by group, whose rows are no images. */
const noImages = (content: string): ImageList => ({
  content,
  id: [],
  cell: [],
  accepted: [],
  classes: [],
  household: null,
  pictures: false,
})

/** Reads the images of a data set. */
export async function readImageList(
  store: DashboardStore,
  dataset: string,
  content: string,
): Promise<ImageList> {
  const counts = store.counts(dataset)
  const sources = imageSources(store, dataset, content)
  if (sources.some(({ identity }) => isOfCounts(identity))) return noImages(content)
  const distinct = sources.every(isComplete) ? '' : 'DISTINCT ON (id)'
  const columns = `${householdSql(sources[0]!)} AS household, ${dimensionSql(counts, sources[0]!)}`
  const [id, accepted, household, ...values] = await queryColumns(
    `SELECT ${distinct} id, labels, ${columns} FROM ${parquetRows(1, 'union_by_name = true')} a ORDER BY id`,
    [sources.flatMap(shardPaths)],
  )
  const groups = values as GroupValue[][]
  const note = store.notes().get(content)
  const ids = (id ?? []) as string[]
  return {
    content,
    id: ids,
    cell: ids.map((_, i) =>
      cellOf(counts, dimension => groups[dimensions.indexOf(dimension)]![i]!),
    ),
    accepted: (accepted ?? []) as number[][],
    classes: note?.classes ?? [],
    household: household?.some(name => name !== null) ? (household as (string | null)[]) : null,
    pictures: (await store.imageFolders(content)).length > 0,
  }
}

/** Reads a model's outcomes in the order of its data set's image list. */
export async function readOutcomes(
  store: DashboardStore,
  dataset: string,
  model: string,
): Promise<ModelOutcomes> {
  const entry = store.evaluation(dataset, model)
  const { content } = entry.identity
  if (isOfCounts(entry.identity))
    return { images: imageListName(store, dataset, content), outcome: '', confidence: [] }
  const isWhole = isComplete(entry)
  const source = isWhole
    ? `${parquetRows()} a`
    : `(SELECT DISTINCT id FROM ${parquetRows(2)}) i LEFT JOIN ${parquetRows()} a ON a.id = i.id`
  const parameters = [shardPaths(entry)]
  if (!isWhole) parameters.push(imageSources(store, dataset, content).flatMap(shardPaths))
  const [outcome, confidence] = await queryColumns(
    `SELECT CASE WHEN a.id IS NULL THEN '-' WHEN a.correct1 THEN '1' WHEN NOT a.correct1 THEN '0' WHEN a.${failedSql} THEN 'f' ELSE 'u' END,
       round(10000 * a.probabilities[1])::INTEGER
     FROM ${source} ORDER BY ${isWhole ? 'a' : 'i'}.id`,
    parameters,
  )
  return {
    images: imageListName(store, dataset, content),
    outcome: (outcome ?? []).join(''),
    confidence: (confidence ?? []) as (number | null)[],
  }
}

type StoredAnswer = { id: string; status: string; top5: number[]; probabilities: number[] }

/** Reads a model's answers for the images with these ids. */
export async function readAnswers(
  entry: StoredEvaluation,
  ids: readonly string[],
): Promise<AnswerColumns> {
  const rows = await query<StoredAnswer>(
    `SELECT id, status, top5, probabilities FROM ${parquetRows()} WHERE id IN (SELECT unnest($2))`,
    [shardPaths(entry), ids],
  )
  const byId = new Map(rows.map(row => [row.id, row]))
  const column = <T>(value: (row: StoredAnswer) => T): (T | null)[] =>
    ids.map(id => {
      const row = byId.get(id)
      return row ? value(row) : null
    })
  return {
    status: column(({ status }) => status),
    top: column(({ top5 }) => top5),
    p: column(({ probabilities }) => probabilities.map(p => Math.round(1000 * p))),
  }
}

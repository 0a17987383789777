/** Metrics that are a mean over images: what each image counts for, from its stored row or its kept logits. */
import { targetProbabilityColumn } from '../datasets/build.ts'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { inputError } from '../lib/errors.ts'
import {
  copyQueryToParquet,
  literalPath,
  numberColumn,
  parquetRows,
  query,
  queryColumns,
  textColumn,
  writeParquet,
} from '../lib/sql.ts'
import { tempDir } from '../lib/tempDir.ts'
import { type OutcomeMetricName } from './metricNames.ts'
import { type Failure } from './records.ts'
import { openKeptOutputs } from './keptOutputReader.ts'
import { isOfCounts, isUnscaled, type ResultKey } from './schema.ts'
import { shardPaths, type StoredEvaluation } from './storedEvaluations.ts'

/** A metric that is a mean over images, in 0 … 1. */
export interface OutcomeMetric {
  name: OutcomeMetricName
  title: string
  /** What has to be stored for an image, and how to get it. */
  needs: string
  /** Whether an image counts for 0 or 1 alone, so that exact tests apply. */
  isBinary: boolean
  /** SQL of what an image counts for; NULL if that is not stored. */
  sql: string
  /** What an image counts for by its probabilities, for rows whose SQL value is NULL; absent if logits do not tell more. */
  ofProbabilities?: (probabilities: Float64Array, labels: readonly number[]) => number
}

const outcomeMetrics: readonly OutcomeMetric[] = [
  {
    name: 'top1',
    title: 'top-1 accuracy',
    needs: 'the first class of each image, which every evaluation stores',
    isBinary: true,
    sql: 'correct1',
  },
  {
    name: 'top5',
    title: 'top-5 accuracy',
    needs: 'the first five classes of each image, which every evaluation stores',
    isBinary: true,
    sql: 'correct5',
  },
  {
    name: 'mrr',
    title: 'mean reciprocal rank',
    needs:
      'the rank of the right class, which evaluations store; imported predictions of five classes have it up to 5',
    isBinary: false,
    sql: '1.0::DOUBLE / rank',
  },
  {
    name: 'probability',
    title: 'probability of the right class',
    needs:
      'the probability of the right class, which evaluations store; those of earlier versions and imports without it have it of the first five classes alone: evaluate into another folder, or rescore kept logits',
    isBinary: false,
    // Without the column an accepted class among the first five is known; of several, another may lie beyond them.
    sql: `CASE WHEN ${targetProbabilityColumn} IS NOT NULL THEN least(1, ${targetProbabilityColumn}::DOUBLE) WHEN len(list_filter(labels, l -> NOT list_contains(top5, l))) = 0 AND len(probabilities) = len(top5)
      THEN list_sum([CASE WHEN list_contains(labels, top5[i]) THEN probabilities[i]::DOUBLE ELSE 0 END FOR i IN range(1, len(top5) + 1)]) END`,
    ofProbabilities: (probabilities, labels) =>
      labels.reduce((sum, index) => sum + (probabilities[index] ?? 0), 0),
  },
]

/** Returns a metric by its name. */
export const outcomeMetric = (name: OutcomeMetricName): OutcomeMetric =>
  outcomeMetrics.find(metric => metric.name === name)!

/** Whether an evaluation's images count for values between 0 and 1, and not for right or wrong alone. */
export const hasFractions = ({ identity }: Pick<StoredEvaluation, 'identity'>): boolean =>
  identity.metric !== undefined && !outcomeMetric(identity.metric).isBinary

/** Code of the failure of an evaluation that lacks what a metric needs. */
export const metricNotStored = 'metric-not-stored'

/**
 * Returns the evaluations with what each image counts for under a metric in place of whether its first class is right. If that is
 * not known for every image of an evaluation, no image of it has a value, and a failure says why.
 */
export async function withMetric(
  entries: readonly StoredEvaluation[],
  name: OutcomeMetricName,
): Promise<{ entries: StoredEvaluation[]; failures: Failure[] }> {
  if (name === 'top1') return { entries: [...entries], failures: [] }
  const folder = tempDir()
  const failures: Failure[] = []
  const changed: StoredEvaluation[] = []
  for (const [i, entry] of entries.entries()) {
    const found = await measureEvaluation(entry, name, join(folder, String(i)))
    changed.push(found.entry)
    if (found.reason !== null) {
      const { model, dataset } = entry.identity
      failures.push({ model, dataset, code: metricNotStored, message: found.reason })
    }
  }
  return { entries: changed, failures }
}

/** The rows of the Parquet files of the first parameter; shards of earlier versions have NULL for the column that they lack. */
export const rowsWithTarget = `(FROM ${parquetRows(1, 'union_by_name = true')}
  UNION ALL BY NAME SELECT NULL::FLOAT AS ${targetProbabilityColumn} WHERE false)`

async function measureEvaluation(
  entry: StoredEvaluation,
  name: Exclude<OutcomeMetricName, 'top1'>,
  folder: string,
): Promise<{ entry: StoredEvaluation; reason: string | null }> {
  await mkdir(folder)
  const metric = outcomeMetric(name)
  const paths = shardPaths(entry)
  const file = 'rows.parquet'
  const copyRows = (value: string, joined = '', files: readonly string[] = []): Promise<void> =>
    copyQueryToParquet(
      join(folder, file),
      `SELECT a.* REPLACE (CASE WHEN correct1 IS NOT NULL THEN ${value} END AS correct1, NULL::BOOLEAN AS correct5)
       FROM ${rowsWithTarget} a ${joined}`,
      [paths, ...files],
    )
  const [unknown] = await query<{ n: number; of: number }>(
    `SELECT count(*)::DOUBLE AS n, (SELECT count(correct1)::DOUBLE FROM ${parquetRows()}) AS "of"
     FROM ${rowsWithTarget} WHERE correct1 IS NOT NULL AND (${metric.sql}) IS NULL`,
    [paths],
  )
  const identity: ResultKey = { ...entry.identity, metric: name }
  const shard = { ...entry.shards[0]!, start: 0, end: entry.rows, file }
  const copied: StoredEvaluation = { ...entry, identity, folder, shards: [shard] }
  if (unknown!.n === 0) {
    await copyRows(metric.sql)
    return { entry: copied, reason: null }
  }
  const unscaled = isUnscaled(entry.identity)
  const values =
    metric.ofProbabilities && !unscaled && (await valuesFromLogits(entry, metric, folder))
  if (values) {
    const named = `(SELECT id AS value_id, value FROM ${parquetRows(2)}) v`
    await copyRows('v.value', `LEFT JOIN ${named} ON a.id = v.value_id`, [literalPath(values)])
    return { entry: copied, reason: null }
  }
  await copyRows('NULL::DOUBLE')
  const what = isOfCounts(entry.identity)
    ? 'counts by group have no single images'
    : `not known for ${unknown!.n} of ${unknown!.of} images${unscaled ? ', as the trained logit scale of the model is not' : ''}`
  return { entry: copied, reason: `${metric.title}: ${what}; it needs ${metric.needs}` }
}

/** Writes what each image counts for by its kept logits, and returns the file; undefined if not all images have logits. */
async function valuesFromLogits(
  entry: StoredEvaluation,
  { ofProbabilities }: OutcomeMetric,
  folder: string,
): Promise<string | undefined> {
  if (!entry.shards.every(({ kept }) => kept?.output === 'logits')) return undefined
  const kept = await openKeptOutputs(entry, 'logits')
  const { choices } = entry.identity
  const candidates = choices === 'all' ? null : choices.split(' ').map(Number)
  const [ids, accepted] = await queryColumns(
    `SELECT id, array_to_string(labels, ',') FROM ${parquetRows()} WHERE correct1 IS NOT NULL`,
    [shardPaths(entry)],
  )
  const values: number[] = []
  for (const [i, id] of ids!.entries()) {
    const logits = await kept.row(String(id))
    if (typeof logits !== 'object') return undefined
    const labels = String(accepted![i]).split(',').map(Number)
    values.push(ofProbabilities!(softmax(logits, candidates), labels))
  }
  const file = join(folder, 'values.parquet')
  await writeParquet(file, [
    textColumn('id', ids!, String),
    numberColumn('value', values, value => value),
  ])
  return file
}

/** Returns the probabilities of all classes; those that do not compete have 0. */
function softmax(logits: Float32Array, candidates: readonly number[] | null): Float64Array {
  const competing = candidates ?? Array.from(logits, (_, i) => i)
  const largest = competing.reduce((most, i) => Math.max(most, logits[i]!), -Infinity)
  const probabilities = new Float64Array(logits.length)
  let total = 0
  for (const i of competing) total += probabilities[i] = Math.exp(logits[i]! - largest)
  return probabilities.map(value => value / total)
}

/** Checks that a metric counts right and wrong answers alone, as exact tests need. Errors: metric-not-exact. */
export function checkBinaryMetric(name: OutcomeMetricName, what: string): void {
  const { title, isBinary } = outcomeMetric(name)
  if (isBinary) return
  const exact = outcomeMetrics.filter(metric => metric.isBinary).map(metric => metric.name)
  throw inputError(
    'metric-not-exact',
    `${what} tests right and wrong answers exactly, which ${title} is not made of: --metric ${exact.join(' or ')}`,
  )
}

import { type Dataset } from '../datasets/dataset.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { datasetKeyFields } from '../results/schema.ts'
import {
  distinctFieldValues,
  type StoredEvaluation,
  shardPaths,
} from '../results/storedEvaluations.ts'

/** Bins of images that completed models find about equally hard, with the names of those models. */
export interface ControlBins {
  bins: Uint8Array
  models: string[]
}

const binCount = 12

/**
 * Bins of a data set's images by how well other models do on them: the mean, over the complete entries for the same images
 * and labels, of being right and of the probability of the accepted classes. Without such models, all images are in one bin.
 * `without`: keys of the entries to be estimated.
 */
export async function computeControlBins(
  dataset: Dataset,
  entries: readonly StoredEvaluation[],
  without: readonly string[],
): Promise<ControlBins> {
  const { content, labelMap } = datasetKeyFields(dataset)
  const done = entries.filter(
    ({ identity, key, rows }) =>
      identity.content === content &&
      identity.labelMap === labelMap &&
      rows === identity.images &&
      !without.includes(key),
  )
  const bins = new Uint8Array(dataset.samples.length)
  if (done.length === 0) return { bins, models: [] }
  const rows = await query<{ id: string; score: number }>(
    `SELECT id, avg(correct1::INTEGER + list_sum([CASE WHEN list_contains(labels, top5[i]) THEN probabilities[i] ELSE 0 END
       FOR i IN range(1, len(top5) + 1)]))::DOUBLE AS score
     FROM ${parquetRows()} WHERE correct1 IS NOT NULL GROUP BY id`,
    [done.flatMap(shardPaths)],
  )
  const scores = new Map(rows.map(({ id, score }) => [id, score]))
  const sorted = Float64Array.from(scores.values()).sort()
  const edges = Array.from(
    { length: binCount - 1 },
    (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / binCount)]!,
  )
  dataset.samples.forEach(({ id }, i) => {
    const score = scores.get(id)
    bins[i] = score === undefined ? binCount : edges.filter(edge => edge <= score).length
  })
  return { bins, models: distinctFieldValues(done, 'model').sort() }
}

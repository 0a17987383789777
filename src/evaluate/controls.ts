import { type Dataset } from '../datasets/dataset.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { datasetIdentity } from '../results/schema.ts'
import { distinct, type Entry, shardFiles } from '../results/store.ts'

/** What models that are done tell about each image: bins of like images, and the models' names. */
export interface Controls {
  bins: Uint8Array
  models: string[]
}

const quantiles = 12

/**
 * Bins of a data set's images by how well other models do on them: the mean, over the complete entries for the same images
 * and labels, of being right and of the probability of the accepted classes. All in one bin where there is none.
 * `without`: keys of the entries to be estimated.
 */
export async function controlBins(
  dataset: Dataset,
  entries: readonly Entry[],
  without: readonly string[],
): Promise<Controls> {
  const { content, labelMap } = datasetIdentity(dataset)
  const done = entries.filter(
    ({ identity, key, rows }) =>
      identity.content === content &&
      identity.labelMap === labelMap &&
      rows === identity.images &&
      !without.includes(key),
  )
  const bins = new Uint8Array(dataset.items.length)
  if (done.length === 0) return { bins, models: [] }
  const rows = await query<{ id: string; score: number }>(
    `SELECT id, avg(correct1::INTEGER + list_sum([CASE WHEN list_contains(labels, top5[i]) THEN probabilities[i] ELSE 0 END
       FOR i IN range(1, len(top5) + 1)]))::DOUBLE AS score
     FROM ${parquetRows()} WHERE correct1 IS NOT NULL GROUP BY id`,
    [done.flatMap(shardFiles)],
  )
  const scores = new Map(rows.map(({ id, score }) => [id, score]))
  const sorted = Float64Array.from(scores.values()).sort()
  const edges = Array.from(
    { length: quantiles - 1 },
    (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / quantiles)]!,
  )
  dataset.items.forEach(({ id }, i) => {
    const score = scores.get(id)
    bins[i] = score === undefined ? quantiles : edges.filter(edge => edge <= score).length
  })
  return { bins, models: distinct(done, 'model').sort() }
}

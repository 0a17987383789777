/** Reads and writes the estimates for all images from evaluations that stopped early, one file each in `estimates/`. */
import { join } from 'node:path'
import { z } from 'zod'
import { readRecords, writeJson } from './records.ts'
import { type ResultKey } from './schema.ts'
import { type StoredEvaluation, hashResultKey } from './storedEvaluations.ts'

const groupEstimate = z.object({
  group: z.string(),
  /** Images of the group with a class to score, of which so many were read in order and so many of those failed. */
  images: z.number().int(),
  read: z.number().int(),
  failed: z.number().int(),
  /** Top-1 accuracy that all images would give, with a 95 % interval that is valid at any stopping time. */
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  /** Share of the outcomes' variance that the other models' outcomes explain. */
  explained: z.number(),
})
export type GroupEstimate = z.infer<typeof groupEstimate>

const estimatesRecord = z.object({
  schema: z.literal(1),
  key: z.string(),
  until: z.string(),
  by: z.string().nullable(),
  /** Models whose outcomes on the same images served as control variates. */
  controls: z.array(z.string()),
  /** Images with a row when this was written. */
  rows: z.number().int(),
  groups: z.array(groupEstimate),
})
export const estimatesKind = { what: 'an estimate', schema: estimatesRecord }
type Estimates = z.infer<typeof estimatesRecord>

const estimatesFolder = (dir: string): string => join(dir, 'estimates')

/** Keeps what an evaluation that stopped early says. */
export const recordEstimates = (
  dir: string,
  identity: ResultKey,
  estimates: Omit<Estimates, 'schema' | 'key'>,
): Promise<void> =>
  writeJson(join(estimatesFolder(dir), `${hashResultKey(identity)}.json`), {
    schema: 1,
    key: hashResultKey(identity),
    ...estimates,
  })

/** One group of one model on one data set, as its evaluation stopped. */
export interface EstimateRow extends GroupEstimate {
  model: string
  dataset: string
  preprocessing: string
  until: string
  by: string | null
  /** How many other models' outcomes served as control variates. */
  controls: number
}

/** The estimates of entries that are as far as they were when estimated, and not complete. */
export async function readEstimates(
  dir: string,
  entries: readonly StoredEvaluation[],
): Promise<EstimateRow[]> {
  const records = await readRecords(estimatesFolder(dir), estimatesKind)
  return entries.flatMap(entry => {
    const found = records.get(`${entry.key}.json`)
    if (found?.rows !== entry.rows || entry.rows === entry.identity.images) return []
    const { model, dataset, preprocessing } = entry.identity
    const { until, by, controls, groups } = found
    return groups.map(group => ({
      model,
      dataset,
      preprocessing,
      until,
      by,
      controls: controls.length,
      ...group,
    }))
  })
}

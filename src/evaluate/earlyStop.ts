import { join } from 'node:path'
import { type Dataset } from '../datasets/dataset.ts'
import { computeControlBins } from './controlVariates.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { recordEstimates } from '../results/estimates.ts'
import { type ResultKey } from '../results/schema.ts'
import {
  type StoredEvaluation,
  evaluationPath,
  readStoredEvaluations,
  readStoredEvaluation,
} from '../results/storedEvaluations.ts'
import { literalPath, parquetRows, query } from '../lib/sql.ts'
import { parseStoppingRule, createStoppingMonitor, type StoppingMonitor } from './stoppingRule.ts'

export interface EarlyStop extends Pick<StoppingMonitor, 'addPredictions' | 'isNeeded'> {
  /** Stores what the predictions so far say about all images. */
  recordEstimates(): Promise<void>
}

/** Models that are evaluated together on a data set, and the folder of their results. */
export interface StoppableEvaluation {
  dataset: Dataset
  identities: readonly ResultKey[]
  place: Storage
}

/** Starts the rule `until` for models, with their stored predictions taken in. */
export async function startEarlyStop(
  { dataset, identities, place }: StoppableEvaluation,
  until: string,
): Promise<EarlyStop> {
  const rule = parseStoppingRule(until)
  const stored = await Promise.all(
    identities.map(identity => readStoredEvaluation(place, evaluationPath(identity))),
  )
  const own = stored.filter(entry => entry !== undefined)
  const all = await readStoredEvaluations(place.url).catch(() => [])
  const controls = await computeControlBins(
    dataset,
    all,
    own.map(({ key }) => key),
  )
  const models = identities.map(({ model }) => model)
  const monitor = createStoppingMonitor(dataset, rule, { models, bins: controls.bins })
  for (const entry of own) await replayEvaluation(entry, monitor)
  return {
    addPredictions: monitor.addPredictions,
    isNeeded: monitor.isNeeded,
    async recordEstimates() {
      for (const identity of identities) {
        const rows = (await readStoredEvaluation(place, evaluationPath(identity)))?.rows ?? 0
        await recordEstimates(place.url, identity, {
          until,
          by: rule.by,
          controls: controls.models,
          rows,
          groups: monitor.estimates(identity.model),
        })
      }
    },
  }
}

async function replayEvaluation(
  { identity, folder, shards }: StoredEvaluation,
  { addPredictions }: Pick<StoppingMonitor, 'addPredictions'>,
): Promise<void> {
  for (const { file, start } of shards) {
    const rows = await query<{ rank: number | null; status: string }>(
      `SELECT rank, status FROM ${parquetRows()}`,
      [literalPath(join(folder, file))],
    )
    const rank = Int32Array.from(rows, row => row.rank ?? 0)
    addPredictions({ model: identity.model, rank, status: rows.map(row => row.status) }, start)
  }
}

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
} from '../results/store.ts'
import { literalPath, parquetRows, query } from '../lib/sql.ts'
import { parseStoppingRule, createStoppingMonitor, type StoppingMonitor } from './stoppingRule.ts'

export interface EarlyStop extends Pick<StoppingMonitor, 'addPredictions' | 'isNeeded'> {
  /** Keeps what the outcomes so far say about all images. */
  recordEstimates(): Promise<void>
}

/** The rule of `until` for models that are evaluated together, with what is stored of them already taken in. */
export async function startEarlyStop(
  dataset: Dataset,
  identities: readonly ResultKey[],
  until: string,
  place: Storage,
): Promise<EarlyStop> {
  const rule = parseStoppingRule(until)
  const stored = await Promise.all(
    identities.map(identity => readStoredEvaluation(place, evaluationPath(identity))),
  )
  const own = stored.filter(entry => entry !== undefined)
  const all = await readStoredEvaluations(place.url).catch(() => [])
  const { bins, models } = await computeControlBins(
    dataset,
    all,
    own.map(({ key }) => key),
  )
  const names = identities.map(({ model }) => model)
  const {
    addPredictions: take,
    isNeeded: wanted,
    estimates,
  } = createStoppingMonitor(dataset, rule, names, bins)
  for (const entry of own) await replayEvaluation(entry, take)
  return {
    addPredictions: take,
    isNeeded: wanted,
    async recordEstimates() {
      for (const identity of identities) {
        const rows = (await readStoredEvaluation(place, evaluationPath(identity)))?.rows ?? 0
        const found = {
          until,
          by: rule.by,
          controls: models,
          rows,
          groups: estimates(identity.model),
        }
        await recordEstimates(place.url, identity, found)
      }
    },
  }
}

async function replayEvaluation(
  { identity, folder, shards }: StoredEvaluation,
  take: StoppingMonitor['addPredictions'],
): Promise<void> {
  for (const { file, start } of shards) {
    const rows = await query<{ rank: number | null; status: string }>(
      `SELECT rank, status FROM ${parquetRows()}`,
      [literalPath(join(folder, file))],
    )
    const rank = Int32Array.from(rows, row => row.rank ?? 0)
    take({ model: identity.model, rank, status: rows.map(row => row.status) }, start)
  }
}

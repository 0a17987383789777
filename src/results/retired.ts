/** Results of preprocessing modes that earlier versions had: listed as stale and left out of every answer. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { orIfMissing } from '../lib/files.ts'
import { type Failure } from './records.ts'
import { type ResultKey, retiredModes } from './schema.ts'
import { isRetiredFolder, readEvaluationFolders, type StoredEvaluation } from './store.ts'

/** The `code` of a retired evaluation among a run's failures. */
export const retiredCode = 'retired-preprocessing'

/** Reads the retired evaluations below `dir`, oldest first. */
export async function readRetiredEvaluations(dir: string): Promise<StoredEvaluation[]> {
  const names = await orIfMissing(readdir(join(dir, 'predictions')), [])
  return readEvaluationFolders(dir, names.filter(isRetiredFolder))
}

export const isRetired = ({ preprocessing }: Pick<ResultKey, 'preprocessing'>): boolean =>
  (retiredModes as readonly string[]).includes(preprocessing)

/** Returns why a retired evaluation is left out, in the form of a failed one. */
export const retiredFailure = (identity: ResultKey): Failure => ({
  model: identity.model,
  dataset: identity.dataset,
  code: retiredCode,
  message: retiredText(identity),
})

export const retiredText = ({ preprocessing }: Pick<ResultKey, 'preprocessing'>): string =>
  `stored with preprocessing ${preprocessing}, which this version does not have: evaluate again`

/** Reads why the retired evaluations below `dir` are left out. */
export const readRetiredFailures = async (dir: string): Promise<Failure[]> =>
  (await readRetiredEvaluations(dir)).map(({ identity }) => retiredFailure(identity))

/** What a folder of results holds of what was asked for. Reads records and manifests only, no data set and no model. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { orIfMissing } from '../lib/files.ts'
import { pullResults } from './sync.ts'
import { type Failure, readFailures } from './records.ts'
import { isRetired, readRetiredEvaluations, retiredText } from './retired.ts'
import { lastAskedTimes, type RecordedRun, readRunRecords } from './runRecords.ts'
import { type ResultKey } from './schema.ts'
import {
  currentEvaluations,
  differingFields,
  type StoredEvaluation,
  evaluationFolder,
  readStoredEvaluations,
  evaluationIdText,
} from './store.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/**
 * The state of a result.
 * - `complete`: a row for every image.
 * - `running`: not complete, and an evaluation that asked for it is at work.
 * - `incomplete`: not complete, and nobody is at work: the same command again goes on.
 * - `failed`: the model could not be evaluated; `message` says why.
 * - `damaged`: a file that a manifest names is missing or has another size; `message` names it.
 * - `stale`: something of its identity is not what was asked for last, or not what this installation would use.
 */
export type ResultState = 'complete' | 'running' | 'incomplete' | 'failed' | 'damaged' | 'stale'

/** The state of one model on one data set with one preprocessing. */
export interface ResultStatus {
  model: string
  dataset: string
  /** Null, as `key`, where the model failed before anything could be planned. */
  preprocessing: ResultKey['preprocessing'] | null
  /** Content key of the results. */
  key: string | null
  state: ResultState
  /** Images with a row, of `images`; null where that is not known. */
  rows: number
  images: number | null
  /** Rows without a prediction. */
  errors: number
  /** What makes results stale: `weights`, `content`, `version` … */
  differs: (keyof ResultKey)[]
  message: string | null
  /** When it was last asked for and last written, ISO times. */
  asked: string | null
  written: string | null
}

/** The state of every evaluation in a folder of results. */
export interface RunStatus {
  dir: string
  results: ResultStatus[]
  /** Evaluations on record, oldest first. */
  runs: RecordedRun[]
}

/**
 * Returns the state of every model × data set × preprocessing that was requested or is stored at `place`, by name; stale results follow
 * their replacements. Data sets and weights are not opened, so changed content shows at the next evaluation.
 * Errors: `no-results` if nothing is stored or requested.
 *
 * @example
 * const { results } = await runStatus('results')
 * console.table(results)
 */
export async function runStatus(place: string): Promise<RunStatus> {
  const dir = await pullResults(place)
  const runs = await readRunRecords(dir)
  const failures = await readFailures(dir)
  const stored = await readStoredEvaluations(dir).catch((error: unknown) => {
    if (runs.length + failures.length === 0) throw error
    return []
  })
  const entries = [...stored, ...(await readRetiredEvaluations(dir))]
  const all = [...entries, ...evaluationsNotBegun(dir, runs, entries)]
  const asked = lastAskedTimes(runs)
  const current = new Map(
    currentEvaluations(all, asked).map(entry => [evaluationIdText(entry.identity), entry]),
  )
  const shown = all.filter(
    entry => entry.rows > 0 || current.get(evaluationIdText(entry.identity)) === entry,
  )
  const busy = new Set(
    runs.filter(({ state }) => state === 'running').flatMap(run => run.asked.map(({ key }) => key)),
  )
  const results = await Promise.all(
    shown.map(async entry => {
      const { identity, key, rows, shards, created } = entry
      const differs = stalenessFields(identity, current.get(evaluationIdText(identity))!.identity)
      const failure = failures.find(
        ({ model, dataset }) => model === identity.model && dataset === identity.dataset,
      )
      const damage = await findDamage(entry)
      const state = stateOf(entry, { differs, damage, busy: busy.has(key), failure })
      return {
        model: identity.model,
        dataset: identity.dataset,
        preprocessing: identity.preprocessing,
        key,
        state,
        rows,
        images: identity.images,
        errors: shards.reduce((sum, { errors }) => sum + errors, 0),
        differs,
        message: messageOf(identity, state, { damage, failure }),
        asked: asked.get(key) ?? null,
        written: created || null,
      }
    }),
  )
  const failed = failures.filter(
    ({ model, dataset }) => !results.some(r => r.model === model && r.dataset === dataset),
  )
  return { dir, results: [...results, ...failed.map(failedStatus)].sort(compareByName), runs }
}

/** What was asked for and has no row yet. */
function evaluationsNotBegun(
  dir: string,
  runs: readonly RecordedRun[],
  entries: readonly StoredEvaluation[],
): StoredEvaluation[] {
  const stored = new Set(entries.map(({ key }) => key))
  const planned = new Map(
    runs.flatMap(({ asked }) => asked).map(({ key, identity }) => [key, identity]),
  )
  return [...planned]
    .filter(([key, identity]) => !stored.has(key) && !isRetired(identity))
    .map(([key, identity]) => ({
      identity,
      key,
      folder: evaluationFolder(dir, identity),
      shards: [],
      rows: 0,
      created: '',
    }))
}

/** Fields that differ from what was asked for last and, but for imports, versions that differ from this installation's. */
function stalenessFields(found: ResultKey, wanted: ResultKey): (keyof ResultKey)[] {
  const differs = isRetired(found) ? ['preprocessing' as const] : differingFields(found, wanted)
  if (differs.length > 0 || found.source) return differs
  const sameRuntime = `${found.runtime} `.startsWith(`${runtimeVersion()} `)
  return [
    ...(found.version === version ? [] : ['version' as const]),
    ...(sameRuntime ? [] : ['runtime' as const]),
  ]
}

/** The first file of an entry that is not as its manifest says. */
async function findDamage({ folder, shards }: StoredEvaluation): Promise<string | null> {
  for (const { file, bytes } of shards.flatMap(({ kept, ...shard }) => [
    shard,
    ...(kept ? [kept] : []),
  ])) {
    const size = (await orIfMissing(stat(join(folder, file)), undefined))?.size
    if (size === undefined) return `missing: ${join(folder, file)}`
    if (size !== bytes) return `${size} bytes in place of ${bytes}: ${join(folder, file)}`
  }
  return null
}

function messageOf(
  identity: ResultKey,
  state: ResultState,
  { damage, failure }: { damage: string | null; failure: Failure | undefined },
): string | null {
  if (isRetired(identity)) return retiredText(identity)
  if (state === 'damaged') return damage
  return state === 'failed' ? failure!.message : null
}

function stateOf(
  { rows, identity }: StoredEvaluation,
  about: {
    differs: readonly string[]
    damage: string | null
    busy: boolean
    failure: Failure | undefined
  },
): ResultState {
  if (about.differs.length > 0) return 'stale'
  if (about.damage !== null) return 'damaged'
  if (rows === identity.images) return 'complete'
  if (about.busy) return 'running'
  return about.failure ? 'failed' : 'incomplete'
}

const failedStatus = ({ model, dataset, message }: Failure): ResultStatus => ({
  model,
  dataset,
  preprocessing: null,
  key: null,
  state: 'failed',
  rows: 0,
  images: null,
  errors: 0,
  differs: [],
  message,
  asked: null,
  written: null,
})

function compareByName(a: ResultStatus, b: ResultStatus): number {
  const order = ({ model, dataset, preprocessing, state, written }: ResultStatus) =>
    [dataset, model, preprocessing ?? '', state === 'stale' ? '1' : '0', written ?? ''].join('\0')
  return order(a) < order(b) ? -1 : 1
}

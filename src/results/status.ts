/** Compares the contents of a results folder with what was requested, by its records and manifests alone. */
import { type Failure, readFailures } from './records.ts'
import { isComplete } from './completeness.ts'
import { nameByRequests } from './currentResults.ts'
import { damagedRecordFailures, damageText, retiredText } from './unusableResults.ts'
import {
  currentEvaluations,
  lastRequests,
  type RecordedRun,
  readRunRecords,
  requestedIdentities,
} from './runRecords.ts'
import { type ResultKey } from './schema.ts'
import {
  differingFields,
  evaluationFolder,
  evaluationIdText,
  isKnown,
  isRetired,
  readEvaluationFolders,
  type StoredEvaluation,
  mayAnswer,
} from './storedEvaluations.ts'
import { pullResults } from './sync.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/**
 * The state of a result.
 * - `complete`: a row for every image.
 * - `running`: not complete, and an evaluation that asked for it is at work.
 * - `incomplete`: not complete, and nobody is at work: the same command again goes on.
 * - `failed`: the model could not be evaluated; `message` says why.
 * - `damaged`: a record or a manifest cannot be read, or a file that one names is missing or has another size; `message` names it, and the images
 *   count as missing: the same command again computes them.
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
  const stored = await readEvaluationFolders(dir).catch(async (error: unknown) => {
    const recorded = [...(await readRunRecords(dir)), ...(await readFailures(dir))]
    if (recorded.length === 0) throw error
    return []
  })
  return statusOfEvaluations(dir, stored)
}

/** Returns the state of what was requested, and of the evaluations below `dir` as `readEvaluationFolders` has them. */
export async function statusOfEvaluations(
  dir: string,
  stored: readonly StoredEvaluation[],
): Promise<RunStatus> {
  const runs = await readRunRecords(dir)
  const failures = await readFailures(dir)
  const entries = nameByRequests(stored, runs)
  const all = [...entries, ...evaluationsNotBegun(dir, runs, entries)]
  const current = new Map(
    currentEvaluations(all.filter(mayAnswer), runs).map(entry => [
      evaluationIdText(entry.identity),
      entry,
    ]),
  )
  const requests = lastRequests(runs)
  const busy = new Set(lastRequests(runs.filter(({ state }) => state === 'running')).keys())
  const results = all.flatMap(entry => {
    const latest = current.get(evaluationIdText(entry.identity)) ?? entry
    const isShown = entry.rows > 0 || entry.damaged.length > 0 || entry === latest
    const context = {
      latest,
      request: requests.get(entry.key),
      isBusy: busy.has(entry.key),
      failures,
    }
    return isShown ? statusOf(entry, context) : []
  })
  const failed = failures.filter(
    ({ model, dataset }) => !results.some(r => r.model === model && r.dataset === dataset),
  )
  const unmeasured = [...failed, ...(await damagedRecordFailures(dir, runs))].map(failedStatus)
  return { dir, results: [...results, ...unmeasured].sort(compareByName), runs }
}

/** What the state of an evaluation depends on besides itself. */
interface StatusContext {
  /** The evaluation that was asked for last for the model, data set and preprocessing. */
  latest: StoredEvaluation
  /** The last recorded evaluation that asked for it. */
  request: RecordedRun | undefined
  /** Whether a running evaluation asked for it. */
  isBusy: boolean
  failures: readonly Failure[]
}

function statusOf(
  entry: StoredEvaluation,
  { latest, request, isBusy, failures }: StatusContext,
): ResultStatus {
  const { identity, key, rows, shards, created } = entry
  const { model, dataset, preprocessing, images } = identity
  const differs = stalenessFields(identity, latest.identity)
  const failure = failures.find(one => one.model === model && one.dataset === dataset)
  const state = stateOf(entry, { differs, isBusy, failure })
  return {
    model,
    dataset,
    preprocessing,
    key,
    state,
    rows,
    images,
    errors: shards.reduce((sum, { errors }) => sum + errors, 0),
    differs,
    message: messageOf(entry, state, failure),
    asked: request?.started ?? null,
    written: created || null,
  }
}

/** Returns what was asked for and has no row yet. */
function evaluationsNotBegun(
  dir: string,
  runs: readonly RecordedRun[],
  entries: readonly StoredEvaluation[],
): StoredEvaluation[] {
  const stored = new Set(entries.map(({ key }) => key))
  return [...requestedIdentities(runs)]
    .filter(([key, identity]) => !stored.has(key) && !isRetired(identity))
    .map(([key, identity]) => ({
      identity,
      key,
      folder: evaluationFolder(dir, identity),
      shards: [],
      damaged: [],
      rows: 0,
      created: '',
    }))
}

/**
 * Returns the fields that differ from what was asked for last. If none do, it returns the versions that differ from this
 * installation's, except for imports.
 */
function stalenessFields(found: ResultKey, wanted: ResultKey): (keyof ResultKey)[] {
  if (!isKnown(found)) return []
  const differs = isRetired(found) ? ['preprocessing' as const] : differingFields(found, wanted)
  if (differs.length > 0 || found.source) return differs
  const sameRuntime = `${found.runtime} `.startsWith(`${runtimeVersion()} `)
  return [
    ...(found.version === version ? [] : ['version' as const]),
    ...(sameRuntime ? [] : ['runtime' as const]),
  ]
}

function messageOf(
  entry: StoredEvaluation,
  state: ResultState,
  failure: Failure | undefined,
): string | null {
  if (isRetired(entry.identity)) return retiredText(entry.identity)
  if (state === 'damaged') return damageText(entry)
  return state === 'failed' ? failure!.message : null
}

function stateOf(
  evaluation: StoredEvaluation,
  about: { differs: readonly string[]; isBusy: boolean; failure: Failure | undefined },
): ResultState {
  if (about.differs.length > 0) return 'stale'
  if (evaluation.damaged.length > 0) return 'damaged'
  if (isComplete(evaluation)) return 'complete'
  if (about.isBusy) return 'running'
  return about.failure ? 'failed' : 'incomplete'
}

const failedStatus = ({ model, dataset, code, message }: Failure): ResultStatus => ({
  model,
  dataset,
  preprocessing: null,
  key: null,
  state: code === 'damaged' ? 'damaged' : 'failed',
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

import { type Dataset } from '../datasets/dataset.ts'
import { selectHubSplit, totalSize } from '../datasets/hub/download.ts'
import { isHubDatasetName } from '../datasets/hub/splits.ts'
import { inputError } from '../lib/errors.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'
import { openStorage } from '../lib/storage/open.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { version } from '../lib/version.ts'
import { evaluationNote } from '../models/headClasses.ts'
import { checkDevice } from '../models/runtime/installedDevices.ts'
import { recordOwnImageFolders } from '../results/imageSources.ts'
import { recordDataset, recordFailures } from '../results/records.ts'
import { recordModelNotes } from '../results/modelNotes.ts'
import { openRun, type Run } from '../results/run.ts'
import { findIncomplete } from '../results/completeness.ts'
import { removeDamagedShards } from '../results/removeDamaged.ts'
import { withRunRecord } from '../results/runRecords.ts'
import { datasetKeyFields, type ResultKey } from '../results/schema.ts'
import { readStoredEvaluations, type StoredEvaluation } from '../results/storedEvaluations.ts'
import { openResultsFolder, pushRecords } from '../results/sync.ts'
import {
  type DatasetEvaluation,
  planDatasetEvaluation,
  runDatasetEvaluation,
} from './evaluateDataset.ts'
import { planEvaluation, planParts } from './evaluationPlan.ts'
import { type Forecast, type PendingDataset } from './forecast.ts'
import {
  type OnDownload,
  preparationFailures,
  prepareModels,
  unusableFailures,
} from './prepareModels.ts'
import { completeSettings, type EvaluationSettings, type ExecutionOptions } from './settings.ts'
import { parseStoppingRule } from './stoppingRule.ts'
import { type EvaluationRequest, resolveModels } from './targets.ts'
import { type WorkShare } from './units.ts'

/** Options of `evaluate`: models, data sets, where results go, and how models run. */
export interface EvaluateOptions
  extends EvaluationRequest, Partial<EvaluationSettings>, ExecutionOptions {
  /** Where results go; `./geogap-results` by default. */
  out?: string
  /** What this run is called in `history`, such as `{commit: '3fa9c1'}`; part of no key. */
  tags?: Readonly<Record<string, string>>
  /** Only this share of the work, for one of several machines that write to the same place. */
  shard?: WorkShare
  /** Receives the downloaded bytes of a model's weights and, where it is known, their total. */
  onDownload?: OnDownload
}

const defaultOut = 'geogap-results'

/**
 * Evaluates every model on every data set and stores one row per image. Results that are stored for these weights, images, labels
 * and settings are not computed again, so an interrupted run resumes. Rejects with the reason of `signal` after the finished work is stored.
 *
 * @example
 * const run = await evaluate({ models: ['resnet50'], datasets: ['geode'], data: './data' })
 */
export async function evaluate(options: EvaluateOptions): Promise<Run> {
  const { out = defaultOut, shard, signal, tags, keep, replace } = options
  if (options.device) await checkDevice(options.device)
  if (options.until !== undefined) checkStoppingRule(options)
  const plan = await planEvaluation(options)
  const dir = await openResultsFolder(out)
  const parts = planParts(plan, shard)
  const specs = [...new Set(parts.flatMap(({ specs }) => specs))]
  const { prepared, failed } = await prepareModels(specs, options)
  if (specs.length === 1 && failed[0]) throw failed[0].error
  const unusable = unusableFailures(plan)
  const failures = [...unusable, ...preparationFailures(failed, parts)]
  await recordModelNotes(
    dir,
    prepared.map(({ spec }) => ({ name: spec.name, note: evaluationNote(spec) })),
  )
  const work: DatasetEvaluation[] = []
  const place = await openStorage(out)
  const stored = await readStoredLocally(dir)
  for (const { dataset, opened, specs, part } of parts) {
    const models = prepared.filter(({ spec }) => specs.includes(spec))
    if (models.length === 0) continue
    await recordDataset(dir, withStaleNote(dataset, stored), opened)
    await recordOwnImageFolders(dataset)
    work.push(await planDatasetEvaluation(dataset, models, { settings: plan.settings, part }))
  }
  const asked = work.flatMap(({ models, part }) =>
    models.map(({ identity }) => ({ identity, spans: part?.spans })),
  )
  await removeDamagedShards(place, { asked, keep, replace })
  const record = { asked: asked.map(({ identity }) => identity), tags, signal }
  const evaluating = withRunRecord(dir, record, async generation => {
    for (const one of work)
      failures.push(...(await runDatasetEvaluation(one, place, { ...options, generation })))
    const unfailed = asked.filter(
      ({ identity }) =>
        !failures.some(one => one.model === identity.model && one.dataset === identity.dataset),
    )
    const incomplete =
      signal?.aborted || options.until !== undefined
        ? []
        : await findIncomplete(place, { asked: unfailed, keep })
    const attempted = parts.flatMap(({ specs, dataset }) =>
      specs.map(({ name }) => ({ model: name, dataset: dataset.name })),
    )
    const share = shard && `-${shard.index}-of-${shard.count}`
    await recordFailures(dir, {
      failures: [...failures, ...incomplete],
      attempted: [...attempted, ...unusable],
      share,
    })
    return incomplete
  })
  try {
    await evaluating
  } finally {
    await pushRecords(out, dir)
  }
  return openRun(out)
}

/** Adds a note on results that an earlier version stored for this data set without the bytes of its images. */
function withStaleNote(dataset: Dataset, stored: readonly StoredEvaluation[]): Dataset {
  const isStale = stored.some(
    ({ identity }) => identity.dataset === dataset.name && identity.content === dataset.sizesHash,
  )
  const note = 'results stored before the bytes of images were hashed are stale: computed again'
  return isStale ? { ...dataset, notes: [...(dataset.notes ?? []), note] } : dataset
}

function checkStoppingRule({ until = '', shard, out = defaultOut }: EvaluateOptions): void {
  parseStoppingRule(until)
  if (isObjectStoreUrl(out))
    throw inputError('bad-option', `until ${until} looks at results in a folder, not at ${out}`)
  if (shard)
    throw inputError(
      'bad-option',
      `until ${until} looks at the whole run: it cannot be one share of several`,
    )
}

/**
 * Returns the work that `evaluate` would do with these options, without downloading or computing anything. Weights are not read:
 * stored results in a folder are found by the model's name.
 *
 * @example
 * const forecasts = await dryRun({ models: ['resnet50'], datasets: ['geode'], data: './data' })
 */
export async function dryRun(options: EvaluateOptions): Promise<Forecast[]> {
  const { forecast, forecastPending, unusableForecast } = await import('./forecast.ts')
  const datasets: EvaluateOptions['datasets'][number][] = []
  const pending: PendingDataset[] = []
  for (const given of options.datasets) {
    const found = await findPending(given)
    if (found) pending.push(found)
    else datasets.push(given)
  }
  const { specs, unusable } = await resolveModels(options)
  const later = [
    ...(await forecastPending(pending, specs, completeSettings(options))),
    ...unusable.map(({ name, error }) => unusableForecast(name, error.message)),
  ]
  if (datasets.length === 0 && later.length > 0) return later
  const plan = await planEvaluation({ ...options, models: specs, weights: undefined, datasets })
  const { settings } = plan
  const stored = await readStoredLocally(options.out ?? defaultOut)
  const planned = planParts(plan, options.shard).flatMap(({ specs, dataset, part }) => {
    const known = {
      ...datasetKeyFields(dataset),
      preprocessing: settings.preprocessing,
      version,
      runtime: runtimeVersion(settings),
    }
    return specs.map(spec => ({
      spec,
      dataset,
      part,
      entry: stored.find(matchesKey({ ...known, model: spec.name })),
    }))
  })
  return [...(await forecast(planned, settings, options.keep)), ...later]
}

/** Returns what has to be downloaded of a data set first; undefined for a data set on this machine. */
async function findPending(
  given: EvaluateOptions['datasets'][number],
): Promise<PendingDataset | undefined> {
  const spec = typeof given === 'string' ? { name: given } : given
  if ('samples' in spec || !isHubDatasetName(spec.name)) return undefined
  const { missing, split } = await selectHubSplit(spec.name, spec.hub, spec.map)
  const bytes = totalSize(missing)
  if (bytes === 0) return undefined
  const images = split.rows === undefined ? null : Math.min(spec.limit ?? Infinity, split.rows)
  return { name: spec.name, bytes, images }
}

const readStoredLocally = async (out: string): Promise<StoredEvaluation[]> =>
  isObjectStoreUrl(out) ? [] : readStoredEvaluations(out).catch(() => [])

const matchesKey =
  (wanted: Partial<ResultKey>) =>
  ({ identity }: StoredEvaluation): boolean =>
    Object.entries(wanted).every(([name, value]) => identity[name as keyof ResultKey] === value)

import { freemem } from 'node:os'
import { type Dataset } from '../datasets/dataset.ts'
import { regionRanges, shuffleWithinRegions } from '../datasets/evaluationOrder.ts'
import { availableCores } from '../lib/cores.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'
import { describeSteps, type PreprocessingStep } from '../lib/pixels/steps.ts'
import { type IndexRange, intersectRanges } from '../lib/ranges.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { hashPrompts, hasUnknownTexts } from '../models/zeroShot/zeroShotHead.ts'
import { toZeroShotModel } from '../models/zeroShot/zeroShotModel.ts'
import { type LocalModel } from '../models/spec.ts'
import { type Failure } from '../results/records.ts'
import {
  createResultKey,
  type KeptOutput,
  type ModelKeyFields,
  type ResultKey,
} from '../results/schema.ts'
import {
  evaluationPath,
  readMissingRanges,
  readStoredEvaluation,
  unfinishedRanges,
} from '../results/storedEvaluations.ts'
import { commitShard } from '../results/writeShard.ts'
import { loadCosts, recordCosts } from './imageCost.ts'
import { type EarlyStop, startEarlyStop } from './earlyStop.ts'
import { type EvaluationJob, type ModelTask, planJobs, stepsFor } from './jobs.ts'
import { createProfiler, type InferenceProfile } from './profile.ts'
import { startProgress } from './progress.ts'
import { type DatasetExecutionOptions, type EvaluationSettings } from './settings.ts'
import {
  loadOnce,
  ModelFailure,
  runShards,
  type ShardResult,
  type WorkerPoolOptions,
} from './workers/pool.ts'

/** Models on one data set, each with the key of its results. */
export interface DatasetEvaluation {
  dataset: Dataset
  settings: EvaluationSettings
  models: readonly (Omit<ModelTask, 'missing'> & { identity: ResultKey })[]
  /** The part to evaluate; all of the data set by default. */
  part?: DatasetShare | undefined
}

/** Index ranges of a data set that one of several machines evaluates, in shards of `size` images. */
export interface DatasetShare {
  spans: readonly IndexRange[]
  size: number
}

interface DatasetPlanOptions {
  settings: EvaluationSettings
  part?: DatasetShare | undefined
  /** Folder that keeps embeddings of texts, of the cache by default. */
  embeddings?: string | undefined
}

/** Plans the evaluation of models on a data set. No image is read. */
export async function planDatasetEvaluation(
  opened: Dataset,
  models: readonly PreparedModel[],
  { settings, part, embeddings }: DatasetPlanOptions,
): Promise<DatasetEvaluation> {
  const dataset = shuffleWithinRegions(opened)
  const { preprocessing, prompts } = settings
  const planned = models.map(async prepared => {
    const { bytes, spec, multiplyAdds } = prepared
    const model =
      spec.classes === 'zero-shot'
        ? await toZeroShotModel(prepared, { classNames: dataset.classes, prompts, embeddings })
        : prepared.model
    const steps = stepsFor(spec.recipe, preprocessing, dataset.imageFixes)
    const origin = keyFieldsOf(prepared, model, { steps, settings })
    return { model, bytes, multiplyAdds, steps, identity: createResultKey(origin, dataset) }
  })
  return { dataset, settings, models: await Promise.all(planned), part }
}

/**
 * Plans the features of one model on a data set. Nothing is scored, so the model may have other classes than the data set, or
 * none. Run it with `keep: 'features'`.
 */
export function planFeatureEvaluation(
  opened: Dataset,
  prepared: PreparedModel,
  settings: EvaluationSettings,
): DatasetEvaluation {
  const { model, bytes, spec, multiplyAdds } = prepared
  const dataset = shuffleWithinRegions(opened)
  const steps = stepsFor(spec.recipe, settings.preprocessing, dataset.imageFixes)
  const origin = keyFieldsOf(prepared, model, { steps, settings })
  const identity = createResultKey({ ...origin, source: 'features' }, dataset)
  return { dataset, settings, models: [{ model, bytes, multiplyAdds, steps, identity }] }
}

/** Returns the fields of a result's key that a model, its steps and the settings give. */
const keyFieldsOf = (
  { hashes }: PreparedModel,
  { name, zeroShot }: LocalModel,
  { steps, settings }: { steps: readonly PreprocessingStep[]; settings: EvaluationSettings },
): ModelKeyFields => ({
  runtime: runtimeVersion(settings),
  model: name,
  weights: hashes,
  preprocessing: settings.preprocessing,
  steps: describeSteps(steps),
  prompts: zeroShot ? hashPrompts(zeroShot) : '',
})

/** State shared by the jobs of one evaluation. */
interface JobContext {
  dataset: Dataset
  /** Keys of the results by model name. */
  keys: ReadonlyMap<string, ResultKey>
  place: Storage
  options: DatasetExecutionOptions
}

/** Evaluates what is not stored yet. Returns the models that could not be loaded. */
export async function runDatasetEvaluation(
  { dataset, settings, models, part }: DatasetEvaluation,
  place: Storage,
  options: DatasetExecutionOptions = {},
): Promise<Failure[]> {
  const { keep } = options
  const keys = new Map(models.map(({ model, identity }) => [model.name, identity]))
  const costOf = await loadCosts(settings)
  const counted = models.map(({ model: { name }, multiplyAdds }) => ({ name, multiplyAdds }))
  const tasks: ModelTask[] = []
  for (const [i, { identity, ...task }] of models.entries()) {
    const missing = intersectRanges(
      await readRangesToDo(place, identity, keep),
      regionRanges(dataset),
    )
    tasks.push({
      ...task,
      cost: costOf(counted[i]!),
      missing: part ? intersectRanges(missing, part.spans) : missing,
    })
  }
  const isScored = models.every(({ identity }) => identity.source !== 'features')
  const jobs = planJobs(tasks, isScored ? dataset.choices : 'none', {
    ...settings,
    cores: availableCores(),
    memoryBytes: Math.min(freemem(), process.constrainedMemory() || Infinity),
    batch: options.batch,
    keep,
    shardSize: part?.size,
    maxShardSize: options.until === undefined ? undefined : imagesPerLook(dataset),
  })
  const failures: Failure[] = []
  const profiles: InferenceProfile[] = []
  const onProfile = (profile: InferenceProfile): void => {
    profiles.push(profile)
    options.onProfile?.(profile)
  }
  const context: JobContext = { dataset, keys, place, options: { ...options, onProfile } }
  for (const job of jobs) {
    if (options.signal?.aborted) break
    failures.push(...(await runJob(job, context)))
  }
  await recordCosts(profiles, counted, settings)
  return failures
}

/** Returns the ranges to evaluate. Manifests' names tell the stored ranges; only manifests themselves tell of kept outputs. */
async function readRangesToDo(
  place: Storage,
  identity: ResultKey,
  keep: KeptOutput | undefined,
): Promise<IndexRange[]> {
  return keep
    ? unfinishedRanges(
        await readStoredEvaluation(place, evaluationPath(identity), keep),
        identity.images,
        keep,
      )
    : readMissingRanges(place, identity)
}

/** Returns the number of images between two checks of the stopping rule: a sixteenth of the smallest region, at least 32. */
const imagesPerLook = (dataset: Dataset): number =>
  Math.max(
    32,
    Math.floor(Math.min(...regionRanges(dataset).map(({ start, end }) => end - start)) / 16),
  )

/** Runs a job. When a model of its group cannot be loaded, the others go on without it. */
async function runJob(job: EvaluationJob, context: JobContext): Promise<Failure[]> {
  const { dataset, keys, place, options } = context
  const { models } = job.group
  const pool: WorkerPoolOptions = {
    processes: job.processes,
    onImages: startProgress(job, dataset, options.onProgress),
    signal: options.signal,
    pool: options.pool,
  }
  const pending = new Set(job.shards)
  const shards = job.shards.map(range => ({
    range,
    items: dataset.samples.slice(range.start, range.end),
  }))
  const identities = models.map(({ name }) => keys.get(name)!)
  const stop =
    options.until === undefined
      ? undefined
      : await startEarlyStop({ dataset, identities, place }, options.until)
  const profiler = createProfiler(job, dataset.name)
  try {
    const loaded = (await isTextUnknown(models)) ? await loadOnce(job.group, pool) : undefined
    await runShards(job.group, shards, {
      ...pool,
      loaded,
      isNeeded: stop && (({ range }) => stop.isNeeded(range)),
      onResult: async ({ range }, result) => {
        const returned = performance.now()
        profiler.addShard(result.timings, result.outcomes[0]!.rank.length)
        await commitResult(range, result, { context, stop })
        profiler.addWriteMs(performance.now() - returned)
        pending.delete(range)
      },
    })
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    return runWithoutFailed(error, { ...job, shards: [...pending] }, context)
  }
  await stop?.recordEstimates()
  options.onProfile?.(profiler.profile())
  return []
}

/** Stores the predictions of each model for a shard, or for its beginning when the run was aborted; early stopping counts them. */
async function commitResult(
  { start, end }: IndexRange,
  { outcomes, timings }: ShardResult,
  { context, stop }: { context: JobContext; stop: EarlyStop | undefined },
): Promise<void> {
  const { dataset, keys, place, options } = context
  const { keep, replace, generation } = options
  for (const [m, predictions] of outcomes.entries()) {
    const images = predictions.rank.length
    // Don't write a partial shard: it would mask the complete one it replaces.
    if (keep && images < end - start) continue
    await commitShard(place, {
      identity: keys.get(predictions.model)!,
      start,
      end: start + images,
      dataset,
      predictions,
      seconds: (timings.decode + timings.prepare + timings.infer[m]!) / 1000,
      keep,
      replace,
      generation,
    })
    stop?.addPredictions(predictions, start)
  }
}

async function runWithoutFailed(
  error: ModelFailure,
  job: EvaluationJob,
  context: JobContext,
): Promise<Failure[]> {
  const { models } = job.group
  const model = error.model ?? models[0]!.name
  const failure: Failure = {
    model,
    dataset: context.dataset.name,
    code: error.code,
    message: error.message,
  }
  const others = models.filter(({ name }) => name !== model)
  if (others.length === 0) return [failure]
  const rest = await runJob({ ...job, group: { ...job.group, models: others } }, context)
  return [failure, ...rest]
}

/** Returns whether texts must be embedded first. One process does that, so that the others read them. */
async function isTextUnknown(models: readonly LocalModel[]): Promise<boolean> {
  for (const { zeroShot } of models) if (zeroShot && (await hasUnknownTexts(zeroShot))) return true
  return false
}

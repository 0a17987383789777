import { stat } from 'node:fs/promises'
import { availableParallelism, freemem } from 'node:os'
import { recordCosts, loadCosts, secondsPerImage } from './cost.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { nonDefaultEngine } from '../lib/onnx/engine.ts'
import { type Engine } from '../lib/onnx/engine.ts'
import { shuffleWithinRegions, regionRanges } from '../datasets/evaluationOrder.ts'
import { orIfMissing } from '../lib/files.ts'
import {
  type WorkerPool,
  loadOnce,
  ModelFailure,
  type WorkerPoolOptions,
  runShards,
} from './workers/pool.ts'
import { hashPrompts } from '../models/runtime/zeroShotHead.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { type LocalModel } from '../models/spec.ts'
import { toZeroShotModel } from '../models/runtime/zeroShotModel.ts'
import { type EvaluationJob, planJobs, stepsFor, type ModelTask } from './plan.ts'
import { intersectRanges } from '../lib/ranges.ts'
import { totalLength } from '../lib/ranges.ts'
import { type IndexRange } from '../lib/ranges.ts'
import { type Failure } from '../results/records.ts'
import { type Storage } from '../lib/storage/storage.ts'
import {
  datasetKeyFields,
  type ResultKey,
  type KeptOutput,
  schemaVersion,
} from '../results/schema.ts'
import {
  evaluationPath,
  readMissingRanges,
  readStoredEvaluation,
  removeReplacedShards,
  unfinishedRanges,
} from '../results/store.ts'
import { commitShard } from '../results/write.ts'
import { describeSteps, type PreprocessingMode } from '../lib/pixels/steps.ts'
import { startEarlyStop } from './earlyStop.ts'
import { createProfiler } from './profile.ts'
import { type InferenceProfile } from './inferenceProfile.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/** A step of an evaluation, as `onProgress` receives it. */
export interface EvaluationProgress {
  models: readonly string[]
  dataset: string
  /** Images to do in this step, and done so far. */
  total: number
  done: number
  /** How the planner has the models run, and the seconds that this takes by figures measured here or estimated. */
  plan?: ExecutionPlan
}

export interface ExecutionPlan {
  processes: number
  threads: number
  batch: number
  seconds: number
  measured: boolean
}

/** Settings of one evaluation of models on a data set. */
export interface EvaluationSettings extends Engine {
  preprocessing?: PreprocessingMode
  prompts?: string
  batch?: number
  /** An output to keep beside the predictions; it is no part of any key. */
  keep?: KeptOutput
  /** Stops when the interval of every group is this narrow: `region ±1`, in points. */
  until?: string
  signal?: AbortSignal
  onProgress?: (progress: EvaluationProgress) => void
  /** Keeps models loaded for the next call. */
  pool?: WorkerPool
  /** Where the time of models that went through the images together was spent. */
  onProfile?: (profile: InferenceProfile) => void
}

/** Models on one data set, each with what its results are known by. */
export interface DatasetEvaluation {
  dataset: Dataset
  models: readonly (Omit<ModelTask, 'missing'> & { identity: ResultKey })[]
  /** The part of the data set that is to be done, in shards of this size: a share of a run on many machines. */
  part?: { spans: readonly IndexRange[]; size: number }
}

/** What is to be evaluated on a data set, before anything is computed; `heads` is the folder that keeps class embeddings. */
export async function planDatasetEvaluation(
  opened: Dataset,
  models: readonly PreparedModel[],
  options: EvaluationSettings,
  heads: string,
): Promise<DatasetEvaluation> {
  const mode = options.preprocessing ?? 'native'
  const dataset = shuffleWithinRegions(opened)
  return {
    dataset,
    models: await Promise.all(
      models.map(async prepared => {
        const { hashes, bytes, spec, multiplyAdds } = prepared
        const model =
          spec.classes === 'zero-shot'
            ? await toZeroShotModel(prepared, {
                classNames: dataset.classes,
                prompts: options.prompts ?? 'paper',
                heads,
              })
            : prepared.model
        const steps = stepsFor(spec.recipe, mode, dataset.imageFixes)
        const identity = resultKeyOf(model, hashes, dataset, mode, describeSteps(steps), options)
        return { model, bytes, multiplyAdds, steps, identity }
      }),
    ),
  }
}

/**
 * Plans the features of one model on a data set. Nothing is scored, so the model may have other classes than the data set, or
 * none. To be run with `keep: 'features'`.
 */
export function planFeatureEvaluation(
  opened: Dataset,
  prepared: PreparedModel,
  options: EvaluationSettings,
): DatasetEvaluation {
  const { model, hashes, bytes, spec, multiplyAdds } = prepared
  const mode = options.preprocessing ?? 'native'
  const dataset = shuffleWithinRegions(opened)
  const steps = stepsFor(spec.recipe, mode, dataset.imageFixes)
  const identity: ResultKey = {
    ...resultKeyOf(model, hashes, dataset, mode, describeSteps(steps), options),
    source: 'features',
  }
  return { dataset, models: [{ model, bytes, multiplyAdds, steps, identity }] }
}

/** Does the work as far as it is not done; gives the models that could not be loaded. */
export async function runDatasetEvaluation(
  { dataset, models, part }: DatasetEvaluation,
  options: EvaluationSettings,
  place: Storage,
): Promise<Failure[]> {
  const identities = new Map(models.map(({ model, identity }) => [model.name, identity]))
  const costOf = await loadCosts(options)
  const counted = models.map(({ model: { name }, multiplyAdds }) => ({ name, multiplyAdds }))
  const tasks: ModelTask[] = []
  for (const [i, { identity, ...task }] of models.entries()) {
    const missing = intersectRanges(
      await readRangesToDo(place, identity, options.keep),
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
    cores: availableParallelism(),
    memoryBytes: Math.min(freemem(), process.constrainedMemory() || Infinity),
    ...nonDefaultEngine(options),
    ...(options.batch === undefined ? {} : { batch: options.batch }),
    ...(options.keep && { keep: options.keep }),
    ...(part && { shardSize: part.size }),
    ...(options.until !== undefined && { maxShardSize: imagesPerLook(dataset) }),
  })
  const [failures, profiles]: [Failure[], InferenceProfile[]] = [[], []]
  const onProfile = (profile: InferenceProfile): void => {
    profiles.push(profile)
    options.onProfile?.(profile)
  }
  for (const job of jobs) {
    if (options.signal?.aborted) break
    failures.push(...(await runJob(job, dataset, identities, { ...options, onProfile }, place)))
  }
  await recordCosts(profiles, counted, options)
  if (options.keep)
    for (const identity of identities.values())
      await removeReplacedShards(place, evaluationPath(identity), part?.spans)
  return failures
}

/** Manifests' names say what is covered; what is kept beside the predictions is inside. */
async function readRangesToDo(
  place: Storage,
  identity: ResultKey,
  keep: KeptOutput | undefined,
): Promise<IndexRange[]> {
  return keep
    ? unfinishedRanges(
        await readStoredEvaluation(place, evaluationPath(identity)),
        identity.images,
        keep,
      )
    : readMissingRanges(place, identity)
}

/** Images between two looks at the intervals: a sixteenth of the smallest region, and 32 at least. */
const imagesPerLook = (dataset: Dataset): number =>
  Math.max(
    32,
    Math.floor(Math.min(...regionRanges(dataset).map(({ start, end }) => end - start)) / 16),
  )

/** Tells `onProgress` that the job begins, and by the function that it gives of every batch. */
function startProgress(
  { group, shards, processes, cost }: EvaluationJob,
  dataset: Dataset,
  onProgress: EvaluationSettings['onProgress'],
): (images: number) => void {
  const { models, threads, batch } = group
  const total = totalLength(shards)
  const seconds = (total * secondsPerImage(cost)) / (processes * threads)
  const progress: EvaluationProgress = {
    ...{ models: models.map(({ name }) => name), dataset: dataset.name, done: 0, total },
    plan: { processes, threads, batch, seconds, measured: cost.measured },
  }
  onProgress?.({ ...progress })
  return images => {
    progress.done = Math.min(progress.total, progress.done + images)
    onProgress?.({ ...progress })
  }
}

/** Runs a job; when one model of its group cannot be loaded, the others go on without it. */
async function runJob(
  job: EvaluationJob,
  dataset: Dataset,
  identities: ReadonlyMap<string, ResultKey>,
  options: EvaluationSettings,
  place: Storage,
): Promise<Failure[]> {
  const onImages = startProgress(job, dataset, options.onProgress)
  const left = new Set(job.shards)
  const shards = job.shards.map(span => ({
    span,
    items: dataset.samples.slice(span.start, span.end),
  }))
  const { signal, until, pool: crew } = options
  const wanted = job.group.models.map(({ name }) => identities.get(name)!)
  const stop = until === undefined ? undefined : await startEarlyStop(dataset, wanted, until, place)
  const clock = createProfiler(job, dataset.name)
  const poolOptions: WorkerPoolOptions = {
    processes: job.processes,
    onImages,
    ...(signal && { signal }),
    ...(crew && { pool: crew }),
  }
  try {
    if (await isHeadMissing(job.group.models)) await loadOnce(job.group, poolOptions)
    await runShards(
      job.group,
      shards,
      async ({ span }, { outcomes, timings }) => {
        const returned = performance.now()
        clock.addShard(timings, outcomes[0]!.rank.length)
        for (const [m, outcome] of outcomes.entries()) {
          const identity = identities.get(outcome.model)!
          // Don't write a partial shard: it would mask the complete one it replaces.
          if (options.keep && outcome.rank.length < span.end - span.start) continue
          const done = { start: span.start, end: span.start + outcome.rank.length }
          const items = dataset.samples.slice(done.start, done.end)
          const seconds = (timings.decode + timings.prepare + timings.infer[m]!) / 1000
          await commitShard(
            place,
            { identity, ...done },
            items,
            dataset.columns,
            outcome,
            seconds,
            {
              ...job.group,
              all: dataset.samples,
            },
          )
          stop?.addPredictions(outcome, done.start)
        }
        clock.addWriteMs(performance.now() - returned)
        left.delete(span)
      },
      { ...poolOptions, ...(stop && { isNeeded: ({ span }) => stop.isNeeded(span) }) },
    )
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    return runWithoutFailed(
      error,
      { ...job, shards: [...left] },
      dataset,
      identities,
      options,
      place,
    )
  }
  await stop?.recordEstimates()
  options.onProfile?.(clock.profile())
  return []
}

async function runWithoutFailed(
  error: ModelFailure,
  job: EvaluationJob,
  ...rest: [Dataset, ReadonlyMap<string, ResultKey>, EvaluationSettings, Storage]
): Promise<Failure[]> {
  const [dataset] = rest
  const failed = error.model ?? job.group.models[0]!.name
  const failure: Failure = {
    model: failed,
    dataset: dataset.name,
    code: error.code,
    message: error.message,
  }
  const others = job.group.models.filter(({ name }) => name !== failed)
  if (others.length === 0) return [failure]
  return [failure, ...(await runJob({ ...job, group: { ...job.group, models: others } }, ...rest))]
}

function resultKeyOf(
  model: LocalModel,
  weights: string[],
  dataset: Dataset,
  preprocessing: PreprocessingMode,
  steps: string,
  engine: Engine,
): ResultKey {
  return {
    schema: schemaVersion,
    version,
    runtime: runtimeVersion(engine),
    model: model.name,
    weights,
    preprocessing,
    steps,
    ...datasetKeyFields(dataset),
    prompts: model.zeroShot ? hashPrompts(model.zeroShot) : '',
    ...(dataset.order !== undefined && { order: dataset.order }),
  }
}

/** Whether class embeddings have to be computed first; one child does that, so that several need not. */
async function isHeadMissing(models: readonly LocalModel[]): Promise<boolean> {
  for (const { zeroShot } of models) {
    if (
      zeroShot?.embeddingsFile !== undefined &&
      !(await orIfMissing(stat(zeroShot.embeddingsFile), undefined))
    )
      return true
  }
  return false
}

import { stat } from 'node:fs/promises'
import { availableParallelism, freemem } from 'node:os'
import { keepCosts, knownCosts, secondsOf } from './cost.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { unusual } from '../lib/onnx/engine.ts'
import { type Engine } from '../lib/onnx/engine.ts'
import { inVisitingOrder, strata } from '../datasets/visit.ts'
import { whereThere } from '../lib/files.ts'
import { type Crew, loadOnce, ModelFailure, type PoolOptions, runShards } from './workers/pool.ts'
import { type ZeroShot } from '../models/runtime/zeroshot.ts'
import { type Readied } from '../models/runtime/ready.ts'
import { type ModelSpec, type ReadyModel } from '../models/spec.ts'
import { zeroShotModel } from '../models/runtime/zeroShotModel.ts'
import { type Job, plan, stepsFor, type Task } from './plan.ts'
import { within } from '../lib/ranges.ts'
import { lengthOf } from '../lib/ranges.ts'
import { type Span } from '../lib/ranges.ts'
import { type Failure } from '../results/notes.ts'
import { type Place } from '../lib/storage/place.ts'
import { datasetIdentity, type Identity, type KeptOutput, schemaVersion } from '../results/schema.ts'
import { entryName, missingIn, readEntry, removeReplaced, unfinished } from '../results/store.ts'
import { commitShard } from '../results/write.ts'
import { describeSteps, type Mode } from '../lib/pixels/steps.ts'
import { earlyStop } from './earlyStop.ts'
import { profiler } from './profile.ts'
import { type Profile } from './measurement.ts'
import { sha256 } from '../lib/hash.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

export interface Progress {
  models: readonly string[]
  dataset: string
  /** Images to do in this step, and done so far. */
  total: number
  done: number
  /** How the planner has the models run, and the seconds that this takes by figures measured here or estimated. */
  way?: Way
}

export interface Way {
  processes: number
  threads: number
  batch: number
  seconds: number
  measured: boolean
}

export interface RunOptions extends Engine {
  preprocessing?: Mode
  prompts?: string
  batch?: number
  /** An output to keep beside the predictions; it is no part of any key. */
  keep?: KeptOutput
  /** Stops when the interval of every group is this narrow: `region ±1`, in points. */
  until?: string
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** Keeps models loaded for the next call. */
  crew?: Crew
  /** Where the time of models that went through the images together was spent. */
  onProfile?: (profile: Profile) => void
}

/** A model on this machine, with what planning goes by. */
export interface Prepared extends Readied {
  spec: ModelSpec
  multiplyAdds: number
}

/** Models on one data set, each with what its results are known by. */
export interface Work {
  dataset: Dataset
  models: readonly (Omit<Task, 'missing'> & { identity: Identity })[]
  /** The part of the data set that is to be done, in shards of this size: a share of a run on many machines. */
  part?: { spans: readonly Span[]; size: number }
}

/** What is to be evaluated on a data set, before anything is computed; `heads` is the folder that keeps class embeddings. */
export async function workOn(
  opened: Dataset,
  models: readonly Prepared[],
  options: RunOptions,
  heads: string,
): Promise<Work> {
  const mode = options.preprocessing ?? 'native'
  const dataset = inVisitingOrder(opened)
  return {
    dataset,
    models: await Promise.all(
      models.map(async prepared => {
        const { hashes, bytes, spec, multiplyAdds } = prepared
        const model = spec.classes === 'zero-shot' ? await withTexts(prepared, dataset, options, heads) : prepared.model
        const steps = stepsFor(spec.recipe, mode, dataset.prepare)
        const identity = identityOf(model, hashes, dataset, mode, describeSteps(steps), options)
        return { model, bytes, multiplyAdds, steps, identity }
      }),
    ),
  }
}

/** Does the work as far as it is not done; gives the models that could not be loaded. */
export async function evaluateOn(
  { dataset, models, part }: Work,
  options: RunOptions,
  place: Place,
): Promise<Failure[]> {
  const identities = new Map(models.map(({ model, identity }) => [model.name, identity]))
  const costOf = await knownCosts(options)
  const counted = models.map(({ model: { name }, multiplyAdds }) => ({ name, multiplyAdds }))
  const tasks: Task[] = []
  for (const [i, { identity, ...task }] of models.entries()) {
    const missing = within(await missingOf(place, identity, options.keep), strata(dataset))
    tasks.push({ ...task, cost: costOf(counted[i]!), missing: part ? within(missing, part.spans) : missing })
  }
  const jobs = plan(tasks, dataset.choices, {
    cores: availableParallelism(),
    memory: Math.min(freemem(), process.constrainedMemory() || Infinity),
    ...unusual(options),
    ...(options.batch === undefined ? {} : { batch: options.batch }),
    ...(options.keep && { keep: options.keep }),
    ...(part && { size: part.size }),
    ...(options.until !== undefined && { atMost: lookEvery(dataset) }),
  })
  const [failures, profiles]: [Failure[], Profile[]] = [[], []]
  const onProfile = (profile: Profile): void => {
    profiles.push(profile)
    options.onProfile?.(profile)
  }
  for (const job of jobs) {
    if (options.signal?.aborted) break
    failures.push(...(await runJob(job, dataset, identities, { ...options, onProfile }, place)))
  }
  await keepCosts(profiles, counted, options)
  if (options.keep)
    for (const identity of identities.values()) await removeReplaced(place, entryName(identity), part?.spans)
  return failures
}

/** Manifests' names say what is covered; what is kept beside the predictions is inside. */
async function missingOf(place: Place, identity: Identity, keep: KeptOutput | undefined): Promise<Span[]> {
  return keep
    ? unfinished(await readEntry(place, entryName(identity)), identity.images, keep)
    : missingIn(place, identity)
}

/** Images between two looks at the intervals: a sixteenth of the smallest region, and 32 at least. */
const lookEvery = (dataset: Dataset): number =>
  Math.max(32, Math.floor(Math.min(...strata(dataset).map(({ start, end }) => end - start)) / 16))

/** Tells `onProgress` that the job begins, and by the function that it gives of every batch. */
export function countedImages(
  { group, shards, processes, cost }: Job,
  dataset: Dataset,
  onProgress: RunOptions['onProgress'],
): (images: number) => void {
  const { models, threads, batch } = group
  const total = lengthOf(shards)
  const seconds = (total * secondsOf(cost)) / (processes * threads)
  const progress: Progress = {
    ...{ models: models.map(({ name }) => name), dataset: dataset.name, done: 0, total },
    way: { processes, threads, batch, seconds, measured: cost.measured },
  }
  onProgress?.({ ...progress })
  return images => {
    progress.done = Math.min(progress.total, progress.done + images)
    onProgress?.({ ...progress })
  }
}

/** Runs a job; when one model of its group cannot be loaded, the others go on without it. */
async function runJob(
  job: Job,
  dataset: Dataset,
  identities: ReadonlyMap<string, Identity>,
  options: RunOptions,
  place: Place,
): Promise<Failure[]> {
  const onImages = countedImages(job, dataset, options.onProgress)
  const left = new Set(job.shards)
  const shards = job.shards.map(span => ({ span, items: dataset.items.slice(span.start, span.end) }))
  const { signal, until, crew } = options
  const wanted = job.group.models.map(({ name }) => identities.get(name)!)
  const stop = until === undefined ? undefined : await earlyStop(dataset, wanted, until, place)
  const clock = profiler(job, dataset.name)
  const pool: PoolOptions = { processes: job.processes, onImages, ...(signal && { signal }), ...(crew && { crew }) }
  try {
    if (await lacksHead(job.group.models)) await loadOnce(job.group, pool)
    await runShards(
      job.group,
      shards,
      async ({ span }, { outcomes, timings }) => {
        const returned = performance.now()
        clock.shard(timings, outcomes[0]!.rank.length)
        for (const [m, outcome] of outcomes.entries()) {
          const identity = identities.get(outcome.model)!
          // What is cut would hide the whole shard that it replaces.
          if (options.keep && outcome.rank.length < span.end - span.start) continue
          const done = { start: span.start, end: span.start + outcome.rank.length }
          const items = dataset.items.slice(done.start, done.end)
          const seconds = (timings.decode + timings.prepare + timings.infer[m]!) / 1000
          await commitShard(place, { identity, ...done }, items, dataset.columns, outcome, seconds, {
            ...job.group,
            all: dataset.items,
          })
          stop?.take(outcome, done.start)
        }
        clock.wrote(performance.now() - returned)
        left.delete(span)
      },
      { ...pool, ...(stop && { wanted: ({ span }) => stop.wanted(span) }) },
    )
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    return withoutFailed(error, { ...job, shards: [...left] }, dataset, identities, options, place)
  }
  await stop?.record()
  options.onProfile?.(clock.profile())
  return []
}

async function withoutFailed(
  error: ModelFailure,
  job: Job,
  ...rest: [Dataset, ReadonlyMap<string, Identity>, RunOptions, Place]
): Promise<Failure[]> {
  const [dataset] = rest
  const failed = error.model ?? job.group.models[0]!.name
  const failure: Failure = { model: failed, dataset: dataset.name, code: error.code, message: error.message }
  const others = job.group.models.filter(({ name }) => name !== failed)
  if (others.length === 0) return [failure]
  return [failure, ...(await runJob({ ...job, group: { ...job.group, models: others } }, ...rest))]
}

function identityOf(
  model: ReadyModel,
  weights: string[],
  dataset: Dataset,
  preprocessing: Mode,
  steps: string,
  engine: Engine,
): Identity {
  return {
    schema: schemaVersion,
    version,
    runtime: runtimeVersion(engine),
    model: model.name,
    weights,
    preprocessing,
    steps,
    ...datasetIdentity(dataset),
    prompts: model.zeroShot ? textsHash(model.zeroShot) : '',
    ...(dataset.order !== undefined && { order: dataset.order }),
  }
}

/** A zero-shot model with the data set's class names as its texts; class embeddings are kept in `heads`. */
const withTexts = (prepared: Prepared, dataset: Dataset, { prompts = 'paper' }: RunOptions, heads: string) =>
  zeroShotModel(prepared.spec, prepared, dataset.classes, prompts, heads)

/** Hash of prompts and class names, as an identity has it. */
export const textsHash = ({ templates, classNames }: ZeroShot): string =>
  sha256(JSON.stringify([templates, classNames]), 16)

/** Whether class embeddings have to be computed first; one child does that, so that several need not. */
async function lacksHead(models: readonly ReadyModel[]): Promise<boolean> {
  for (const { zeroShot } of models) {
    if (zeroShot?.head !== undefined && !(await whereThere(stat(zeroShot.head), undefined))) return true
  }
  return false
}

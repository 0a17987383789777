import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { type Dataset } from './datasets/dataset.ts'
import { type DatasetSpec, openDataset } from './datasets/open.ts'
import { GeogapError, inputError } from './errors.ts'
import { multiplyAdds } from './graph/cost.ts'
import { ModelFailure, runShards } from './inference/pool.ts'
import { resolveModel } from './models/catalog.ts'
import { classifierGraph } from './models/load.ts'
import { readyModel, type Readied } from './models/ready.ts'
import { type ModelSpec } from './models/spec.ts'
import { type Job, plan, stepsFor, type Task } from './plan.ts'
import { type Identity, schemaVersion } from './predictions/schema.ts'
import { entryFolder, gaps, keyOf, readEntry } from './predictions/store.ts'
import { commitShard, storageError } from './predictions/write.ts'
import { describeSteps, type Mode } from './preprocessing/steps.ts'
import { recordDataset, type Failure, recordFailures } from './predictions/notes.ts'
import { openRun, type Run } from './run.ts'
import { runtimeVersion, version } from './version.ts'

export interface EvaluateOptions {
  /** Catalogue names or described models. */
  models: readonly (string | ModelSpec)[]
  /** Benchmark names, manifest files, folders, described or opened data sets. */
  datasets: readonly (string | DatasetSpec | Dataset)[]
  /** Folder that holds the benchmarks; `./data` by default. */
  data?: string
  /** Weights of the model, when there is only one. */
  weights?: string
  /** `native`: every model as it was trained (default); `paper`: one recipe for all, as the paper's tables use it. */
  preprocessing?: Mode
  batch?: number
  /** At most this many images of each data set, evenly spaced. */
  limit?: number
  /** Where results go; `./geogap-results` by default. */
  out?: string
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** Bytes of a model's weights that are here, of how many. */
  onDownload?: (model: string, done: number, total: number | undefined) => void
}

export interface Progress {
  models: readonly string[]
  dataset: string
  /** Images to do in this step, and done so far. */
  total: number
  done: number
}

export const defaultOut = 'geogap-results'

interface Prepared extends Readied {
  spec: ModelSpec
  multiplyAdds: number
}

/**
 * Evaluates every model on every data set and keeps one row per image. What is already stored for the same weights,
 * images, labels and settings is not computed again; an interrupted run goes on where it was.
 */
export async function evaluate(options: EvaluateOptions): Promise<Run> {
  const out = options.out ?? defaultOut
  const specs = resolveModels(options)
  const datasets: Dataset[] = []
  for (const dataset of options.datasets) datasets.push(await opened(dataset, options))
  if (datasets.length === 0) throw inputError('no-dataset', 'no data set given')
  for (const dataset of datasets) for (const spec of specs) checkClasses(spec, dataset)
  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw storageError(out, error)
  })
  const failures: Failure[] = []
  const models: Prepared[] = []
  for (const spec of specs) {
    const prepared = await prepareModel(spec, options)
    if (!(prepared instanceof GeogapError)) models.push(prepared)
    else
      failures.push(
        ...datasets.map(({ name }) => ({
          model: spec.name,
          dataset: name,
          code: prepared.code,
          message: prepared.message,
        })),
      )
    if (prepared instanceof GeogapError && specs.length === 1) throw prepared
  }
  for (const dataset of datasets) {
    await recordDataset(out, dataset)
    failures.push(...(await evaluateOn(dataset, models, options, out)))
  }
  await recordFailures(out, failures, {
    models: specs.map(({ name }) => name),
    datasets: datasets.map(({ name }) => name),
  })
  return openRun(out)
}

function resolveModels({ models, weights }: EvaluateOptions): ModelSpec[] {
  if (models.length === 0) throw inputError('no-model', 'no model given')
  const specs = models.map(model => (typeof model === 'string' ? resolveModel(model) : model))
  if (weights === undefined) return specs
  if (specs.length > 1) throw inputError('many-models', `one weights file for ${specs.length} models: ${weights}`)
  return [{ ...specs[0]!, weights: { from: 'files', files: [weights] } }]
}

function opened(dataset: string | DatasetSpec | Dataset, { data, limit }: EvaluateOptions): Promise<Dataset> | Dataset {
  if (typeof dataset !== 'string' && 'items' in dataset) return dataset
  const spec = typeof dataset === 'string' ? { name: dataset } : dataset
  return openDataset({ ...(data === undefined ? {} : { data }), ...(limit === undefined ? {} : { limit }), ...spec })
}

function checkClasses(spec: ModelSpec, dataset: Dataset): void {
  if (spec.classes === 'zero-shot') return
  const own = spec.classes === 'imagenet-1k' ? undefined : spec.classes
  const fits = own
    ? dataset.labelSpace === 'own' && own.join('\n') === dataset.classes.join('\n')
    : dataset.labelSpace === 'imagenet-1k'
  if (fits) return
  const model = own ? `${own.length} classes of its own` : "ImageNet's 1000 classes"
  const data = dataset.labelSpace === 'own' ? `${dataset.classes.length} classes of its own` : "ImageNet's classes"
  throw inputError('other-classes', `${spec.name} has ${model}, ${dataset.name} is labelled with ${data}`)
}

/** The model with its weights on this machine, or why they cannot be had. */
async function prepareModel(spec: ModelSpec, { onDownload }: EvaluateOptions): Promise<Prepared | GeogapError> {
  try {
    const readied = await readyModel(spec, (done, total) => onDownload?.(spec.name, done, total))
    const graph = classifierGraph(readied.model, stepsFor(spec.recipe, 'native', undefined))
    return { ...readied, spec, multiplyAdds: multiplyAdds(graph) }
  } catch (error) {
    if (error instanceof GeogapError && (error.kind === 'network' || error.kind === 'weights')) return error
    throw error
  }
}

async function evaluateOn(
  dataset: Dataset,
  models: readonly Prepared[],
  options: EvaluateOptions,
  out: string,
): Promise<Failure[]> {
  const mode = options.preprocessing ?? 'native'
  const identities = new Map<string, Identity>()
  const tasks: Task[] = []
  for (const { model, hashes, bytes, spec, multiplyAdds } of models) {
    const steps = stepsFor(spec.recipe, mode, dataset.prepare)
    const identity = identityOf(model.name, hashes, dataset, mode, describeSteps(steps))
    identities.set(model.name, identity)
    const missing = gaps(await readEntry(entryFolder(out, identity)), dataset.items.length)
    tasks.push({ model, bytes, multiplyAdds, steps, missing })
  }
  const jobs = plan(tasks, dataset.choices, {
    cores: availableParallelism(),
    ...(options.batch === undefined ? {} : { batch: options.batch }),
  })
  const failures: Failure[] = []
  for (const job of jobs) failures.push(...(await runJob(job, dataset, identities, options, out)))
  return failures
}

/** Runs a job; when one model of its group cannot be loaded, the others go on without it. */
async function runJob(
  job: Job,
  dataset: Dataset,
  identities: ReadonlyMap<string, Identity>,
  options: EvaluateOptions,
  out: string,
): Promise<Failure[]> {
  const models = job.group.models.map(({ name }) => name)
  const progress: Progress = {
    models,
    dataset: dataset.name,
    total: job.shards.reduce((sum, { start, end }) => sum + end - start, 0),
    done: 0,
  }
  options.onProgress?.({ ...progress })
  const left = new Set(job.shards)
  const shards = job.shards.map(span => ({ span, items: dataset.items.slice(span.start, span.end) }))
  const onImages = (images: number): void => {
    progress.done = Math.min(progress.total, progress.done + images)
    options.onProgress?.({ ...progress })
  }
  try {
    await runShards(
      job.group,
      shards,
      async ({ span }, { outcomes, timings }) => {
        for (const outcome of outcomes) {
          const identity = identities.get(outcome.model)!
          const shard = { identity, key: keyOf(identity), folder: entryFolder(out, identity), ...span }
          const items = dataset.items.slice(span.start, span.end)
          await commitShard(shard, items, dataset.columns, outcome, (timings.prepare + timings.infer) / 1000)
        }
        left.delete(span)
      },
      { processes: job.processes, onImages, ...(options.signal ? { signal: options.signal } : {}) },
    )
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error
    return withoutFailed(error, { ...job, shards: [...left] }, dataset, identities, options, out)
  }
  return []
}

async function withoutFailed(
  error: ModelFailure,
  job: Job,
  ...rest: [Dataset, ReadonlyMap<string, Identity>, EvaluateOptions, string]
): Promise<Failure[]> {
  const [dataset] = rest
  const failed = error.model ?? job.group.models[0]!.name
  const failure: Failure = { model: failed, dataset: dataset.name, code: error.code, message: error.message }
  const others = job.group.models.filter(({ name }) => name !== failed)
  if (others.length === 0) return [failure]
  return [failure, ...(await runJob({ ...job, group: { ...job.group, models: others } }, ...rest))]
}

function identityOf(model: string, weights: string[], dataset: Dataset, preprocessing: Mode, steps: string): Identity {
  return {
    schema: schemaVersion,
    version: version,
    runtime: runtimeVersion(),
    model,
    weights,
    preprocessing,
    steps,
    dataset: dataset.name,
    content: dataset.hash,
    images: dataset.items.length,
    labelMap: `${dataset.labelMap.name} ${dataset.labelMap.hash}`,
    choices: dataset.choices === 'all' ? 'all' : dataset.choices.join(' '),
  }
}

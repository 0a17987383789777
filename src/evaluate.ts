import { mkdir } from 'node:fs/promises'
import { type Dataset } from './datasets/dataset.ts'
import { absoluteSpec, type DatasetSpec, openDataset } from './datasets/open.ts'
import { type Forecast } from './dryRun.ts'
import { GeogapError, inputError } from './errors.ts'
import { modelCost } from './models/cost.ts'
import { checkDevice, type Device } from './inference/devices.ts'
import { namedModel } from './models/named.ts'
import { type Readied, readyModel } from './models/ready.ts'
import { type ModelSpec } from './models/spec.ts'
import { type Progress as Transfer } from './models/transfer/transfer.ts'
import { type Failure, recordDataset, recordFailures } from './predictions/notes.ts'
import { recorded } from './predictions/runs.ts'
import { type KeptOutput } from './predictions/schema.ts'
import { storageError } from './predictions/write.ts'
import { type Mode } from './preprocessing/steps.ts'
import { openRun, type Run } from './run.ts'
import { evaluateOn, type Prepared, type Progress, type Work, workOn } from './runDataset.ts'

export interface EvaluateOptions {
  /** Catalogue names, `hf:owner/repo`, `model.json` files, or described models. */
  models: readonly (string | ModelSpec)[]
  /** Benchmark names, manifest files, folders, described or opened data sets. */
  datasets: readonly (string | DatasetSpec | Dataset)[]
  /** Folder that holds the benchmarks; `./data` by default. */
  data?: string
  /** Weights of the model, when there is only one. */
  weights?: string
  /** `native`: every model as it was trained (default); `paper`: one recipe for all, as the paper's tables use it. */
  preprocessing?: Mode
  /** Prompts of zero-shot models: `paper` (default), `openai`, `simple`, or a file of templates. */
  prompts?: string
  batch?: number
  /** What models run on, cpu by default; a device that is not here is an error. */
  device?: Device
  /** An output to keep for every image, so that `rescore` needs no model. */
  keep?: KeptOutput
  /** At most this many images of each data set, evenly spaced. */
  limit?: number
  /** Where results go; `./geogap-results` by default. */
  out?: string
  /** Ends the evaluation after the running batches; what is done is kept. */
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** Bytes of a model's weights that are here, of how many. */
  onDownload?: (model: string, done: number, total: number | undefined) => void
}

const defaultOut = 'geogap-results'

/**
 * Evaluates every model on every data set and keeps one row per image. What is already stored for the same weights,
 * images, labels and settings is not computed again; an interrupted run goes on where it was. Rejects with `signal`'s
 * reason once it has come and what was done is stored.
 */
export async function evaluate(options: EvaluateOptions): Promise<Run> {
  const out = options.out ?? defaultOut
  if (options.device) await checkDevice(options.device)
  const { specs, targets } = await targetsOf(options)
  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw storageError(out, error)
  })
  const failures: Failure[] = []
  const models: Prepared[] = []
  for (const spec of specs) {
    const prepared = await unlessAborted(options.signal, prepareModel(spec, options))
    if (!(prepared instanceof GeogapError)) models.push(prepared)
    else if (specs.length === 1) throw prepared
    else
      for (const { dataset } of targets.filter(target => target.suits(spec)))
        failures.push(failureOf(spec, dataset, prepared))
  }
  const work: Work[] = []
  for (const { dataset, suits, opened } of targets) {
    const suited = models.filter(({ spec }) => suits(spec))
    if (suited.length === 0) continue
    await recordDataset(out, dataset, opened)
    work.push(await workOn(dataset, suited, options, out))
  }
  const asked = work.flatMap(({ models }) => models.map(({ identity }) => identity))
  await recorded(out, asked, options.signal, async () => {
    for (const one of work) failures.push(...(await evaluateOn(one, options, out)))
    const attempted = { models: specs.map(({ name }) => name), datasets: targets.map(({ dataset }) => dataset.name) }
    await recordFailures(out, failures, attempted)
  })
  return openRun(out)
}

/** What `evaluate` would do with the same options, without downloading or computing anything. */
export async function dryRun(options: EvaluateOptions): Promise<Forecast[]> {
  const { specs, targets } = await targetsOf(options)
  const { forecast } = await import('./dryRun.ts')
  return forecast(targets.flatMap(({ dataset, suits }) => specs.filter(suits).map(spec => ({ spec, dataset }))))
}

async function targetsOf(options: EvaluateOptions): Promise<{ specs: ModelSpec[]; targets: Target[] }> {
  const specs = await resolveModels(options)
  return { specs, targets: await openTargets(options, specs) }
}

const failureOf = ({ name }: ModelSpec, dataset: Dataset, { code, message }: GeogapError): Failure => ({
  model: name,
  dataset: dataset.name,
  code,
  message,
})

/** A data set as the models that it suits see it: classifiers need its map to ImageNet, zero-shot models its own labels. */
interface Target {
  dataset: Dataset
  opened?: DatasetSpec
  suits: (spec: ModelSpec) => boolean
}

const isZeroShot = ({ classes }: ModelSpec): boolean => classes === 'zero-shot'

async function openTargets(options: EvaluateOptions, specs: readonly ModelSpec[]): Promise<Target[]> {
  const targets: Target[] = []
  for (const given of options.datasets) {
    if (typeof given !== 'string' && 'items' in given) {
      targets.push({ dataset: given, suits: () => true })
      continue
    }
    const spec = datasetSpec(given, options)
    const separate = spec.labels === undefined && specs.some(isZeroShot)
    const add = async (opened: DatasetSpec, suits: Target['suits']): Promise<void> =>
      void targets.push({ dataset: await openDataset(opened), opened: absoluteSpec(opened), suits })
    if (separate) await add({ ...spec, labels: 'original' }, isZeroShot)
    if (!separate || !specs.every(isZeroShot)) await add(spec, model => !separate || !isZeroShot(model))
  }
  if (targets.length === 0) throw inputError('no-dataset', 'no data set given')
  for (const { dataset, suits } of targets) for (const spec of specs.filter(suits)) checkClasses(spec, dataset)
  return targets
}

async function resolveModels({ models, weights }: EvaluateOptions): Promise<ModelSpec[]> {
  if (models.length === 0) throw inputError('no-model', 'no model given')
  const specs: ModelSpec[] = []
  for (const model of models) specs.push(typeof model === 'string' ? await namedModel(model) : model)
  if (weights === undefined) return specs
  if (specs.length > 1) throw inputError('many-models', `one weights file for ${specs.length} models: ${weights}`)
  return [{ ...specs[0]!, weights: { from: 'files', files: [weights] } }]
}

function datasetSpec(dataset: string | DatasetSpec, { data, limit }: EvaluateOptions): DatasetSpec {
  const spec = typeof dataset === 'string' ? { name: dataset } : dataset
  return { ...(data === undefined ? {} : { data }), ...(limit === undefined ? {} : { limit }), ...spec }
}

function checkClasses(spec: ModelSpec, dataset: Dataset): void {
  if (spec.graph?.kind === 'embedding' && !spec.head)
    throw inputError('no-classes', `${spec.name} gives an embedding and no classes: it is good for features only`)
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

/** The model with its weights on this machine. */
export async function prepared(spec: ModelSpec, progress?: Transfer): Promise<Prepared> {
  const readied = await readyModel(spec, progress)
  return { ...readied, spec, multiplyAdds: costOf(spec, readied) }
}

/** The same, or why they cannot be had. */
async function prepareModel(spec: ModelSpec, { onDownload }: EvaluateOptions): Promise<Prepared | GeogapError> {
  try {
    return await prepared(spec, (done, total) => onDownload?.(spec.name, done, total))
  } catch (error) {
    if (error instanceof GeogapError && (error.kind === 'network' || error.kind === 'weights')) return error
    throw error
  }
}

/** `work`, or at once the signal's reason: a download that was left goes on from its part the next time. */
function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Graphs made elsewhere are not counted but guessed: 200 multiply-adds for each float32 weight, as of a ResNet-50. */
const costOf = (spec: ModelSpec, { bytes }: Readied): number => (spec.graph ? 50 * bytes : modelCost(spec).multiplyAdds)

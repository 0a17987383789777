import { planModelGroups, joinUnits, type WorkShare, takeShare, splitIntoUnits } from './units.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { type DatasetSpec } from '../datasets/open.ts'
import { type Forecast } from './forecast.ts'
import { GeogapError, inputError } from '../lib/errors.ts'
import { checkDevice } from '../models/runtime/devices.ts'
import { type Engine } from '../lib/onnx/engine.ts'
import { type ModelSpec } from '../models/spec.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { openResultsFolder, headsFolder, pushRecords } from '../results/sync.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { openStorage } from '../lib/storage/open.ts'
import { type Failure, failureOf, recordDataset, recordFailures } from '../results/records.ts'
import { withRunRecord } from '../results/runRecords.ts'
import { datasetKeyFields, type ResultKey, type KeptOutput } from '../results/schema.ts'
import { type StoredEvaluation, readStoredEvaluations } from '../results/store.ts'
import { type PreprocessingMode } from '../lib/pixels/steps.ts'
import { type InferenceProfile } from './inferenceProfile.ts'
import { openRun, type Run } from '../results/run.ts'
import {
  runDatasetEvaluation,
  type EvaluationProgress,
  type DatasetEvaluation,
  planDatasetEvaluation,
} from './evaluateDataset.ts'
import {
  appliesTo,
  resolveModels,
  type OpenedTarget,
  openTargets,
  tryPrepareModel,
  planTargets,
} from './targets.ts'
import { parseStoppingRule } from './stoppingRule.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/** Options of `evaluate`: models, data sets, where results go, and how models run. */
export interface EvaluateOptions extends Engine {
  /** Catalogue names, `hf:owner/repo`, `model.json` files, or described models. */
  models: readonly (string | ModelSpec)[]
  /** Benchmark names, manifest files, folders, described or opened data sets. */
  datasets: readonly (string | DatasetSpec | Dataset)[]
  /** Folder that holds the benchmarks; `./data` by default. */
  data?: string
  /** Weights of the model, when there is only one. */
  weights?: string
  /** `native`: every model as it was trained (default); `paper`: one recipe for all, as the paper's tables use it. */
  preprocessing?: PreprocessingMode
  /** Prompts of zero-shot models: `paper` (default), `openai`, `simple`, or a file of templates. */
  prompts?: string
  batch?: number
  /** An output to keep for every image, so that `rescore` needs no model. */
  keep?: KeptOutput
  /** At most this many images of each data set, evenly spaced. */
  limit?: number
  /** Where results go; `./geogap-results` by default. */
  out?: string
  /** What this run is called in `history`, such as `{commit: '3fa9c1'}`; part of no key. */
  tags?: Readonly<Record<string, string>>
  /** Only this share of the work, for one of several machines that write to the same place. */
  shard?: WorkShare
  /** Stops each model when the interval of every group is this narrow, in points: `region ±1`, `±0.5`. */
  until?: string
  /** Ends the evaluation after the running batches; what is done is kept. */
  signal?: AbortSignal
  onProgress?: (progress: EvaluationProgress) => void
  /** Where the time of models that went through the images together was spent. */
  onProfile?: (profile: InferenceProfile) => void
  /** Bytes of a model's weights that are here, of how many. */
  onDownload?: (model: string, done: number, total: number | undefined) => void
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
  const out = options.out ?? defaultOut
  if (options.device) await checkDevice(options.device)
  if (options.until !== undefined) checkStoppingRule(options)
  const specs = await resolveModels(options)
  const targets = await openTargets(planTargets(options, specs), specs)
  const dir = await openResultsFolder(out)
  const parts = options.shard
    ? sharedParts(targets, specs, options, options.shard)
    : wholeParts(targets, specs)
  const failures: Failure[] = []
  const models = await prepareModels(parts, options, failures)
  const [work, place] = [[] as DatasetEvaluation[], await openStorage(out)]
  for (const { dataset, opened, specs, part } of parts) {
    const suited = models.filter(({ spec }) => specs.includes(spec))
    if (suited.length === 0) continue
    await recordDataset(dir, dataset, opened)
    work.push({
      ...(await planDatasetEvaluation(dataset, suited, options, headsFolder(out))),
      ...(part && { part }),
    })
  }
  const asked = work.flatMap(({ models }) => models.map(({ identity }) => identity))
  const evaluating = withRunRecord(
    dir,
    { asked, tags: options.tags, signal: options.signal },
    async () => {
      for (const one of work) failures.push(...(await runDatasetEvaluation(one, options, place)))
      const attempted = parts.flatMap(({ specs, dataset }) =>
        specs.map(({ name }) => ({ model: name, dataset: dataset.name })),
      )
      await recordFailures(dir, failures, attempted, shareSuffix(options.shard))
    },
  )
  await evaluating.finally(() => pushRecords(out, dir))
  return openRun(out)
}

const shareSuffix = (share?: WorkShare): string =>
  share ? `-${share.index}-of-${share.count}` : ''

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
  const specs = await resolveModels(options)
  const { forecast } = await import('./forecast.ts')
  const targets = await openTargets(planTargets(options, specs), specs)
  const parts = options.shard
    ? sharedParts(targets, specs, options, options.shard)
    : wholeParts(targets, specs)
  const stored = await readStoredLocally(options.out ?? defaultOut)
  const planned = parts.flatMap(({ specs, dataset, part }) => {
    const wanted = datasetKeyFields(dataset)
    const { preprocessing = 'native' } = options
    const same = { ...wanted, preprocessing, version, runtime: runtimeVersion(options) }
    return specs.map(spec => ({
      spec,
      dataset,
      part,
      entry: stored.find(matchesKey({ ...same, model: spec.name })),
    }))
  })
  return forecast(planned, options)
}

const readStoredLocally = async (out: string): Promise<StoredEvaluation[]> =>
  isObjectStoreUrl(out) ? [] : readStoredEvaluations(out).catch(() => [])

const matchesKey =
  (wanted: Partial<ResultKey>) =>
  ({ identity }: StoredEvaluation): boolean =>
    Object.entries(wanted).every(([name, value]) => identity[name as keyof ResultKey] === value)

/** Models on a data set, or on a part of it. */
interface EvaluationPart extends Pick<OpenedTarget, 'dataset' | 'opened'> {
  specs: readonly ModelSpec[]
  part?: DatasetEvaluation['part']
}

const wholeParts = (
  targets: readonly OpenedTarget[],
  specs: readonly ModelSpec[],
): EvaluationPart[] =>
  targets.map(target => ({ ...target, specs: specs.filter(spec => appliesTo(target, spec)) }))

function sharedParts(
  targets: readonly OpenedTarget[],
  specs: readonly ModelSpec[],
  options: EvaluateOptions,
  share: WorkShare,
): EvaluationPart[] {
  const groups = planModelGroups(targets, specs, options.preprocessing ?? 'native')
  return joinUnits(takeShare(splitIntoUnits(groups), groups, share)).map(
    ({ group, start, end }) => {
      const { target, models, shard } = groups[group]!
      const part = { spans: [{ start, end }], size: shard }
      return { ...targets[target]!, specs: specs.filter(({ name }) => models.includes(name)), part }
    },
  )
}

/** The models that some part needs; those that cannot be had are failures, unless there is no other. */
async function prepareModels(
  parts: readonly EvaluationPart[],
  options: EvaluateOptions,
  failures: Failure[],
): Promise<PreparedModel[]> {
  const specs = [...new Set(parts.flatMap(({ specs }) => specs))]
  const models: PreparedModel[] = []
  for (const spec of specs) {
    const prepared = await rejectOnAbort(options.signal, tryPrepareModel(spec, options.onDownload))
    if (!(prepared instanceof GeogapError)) models.push(prepared)
    else if (specs.length === 1) throw prepared
    else
      for (const { dataset } of parts.filter(({ specs }) => specs.includes(spec)))
        failures.push(failureOf(spec, dataset, prepared))
  }
  return models
}

/** `work`, or at once the signal's reason: a download that was left goes on from its part the next time. */
function rejectOnAbort<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

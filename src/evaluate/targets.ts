/*
 * Resolves the models and data sets of an evaluation. A data set is opened twice if classifiers and zero-shot models need different
 * labels.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Dataset } from '../datasets/dataset.ts'
import { absoluteSpec, type DatasetSpec, openDataset, pinRevision } from '../datasets/open.ts'
import { GeogapError, inputError } from '../lib/errors.ts'
import { modelCost } from '../models/modelCost.ts'
import { loadModelWithWeights } from '../models/loadModelSpec.ts'
import { type ModelSpec, withWeights } from '../models/spec.ts'

/** Models and data sets to evaluate, as a user names them. */
export interface EvaluationRequest {
  /** Catalogue names, `hf:owner/repo`, `model.json` files, or described models. */
  models: readonly (string | ModelSpec)[]
  /** Benchmark names, manifest files, folders, described or opened data sets. */
  datasets: readonly (string | DatasetSpec | Dataset)[]
  /** Folder that holds the benchmarks; `./data` by default. */
  data?: string
  /** Weights of the model, when there is only one. */
  weights?: string | undefined
  /** At most this many images of each data set, evenly spaced. */
  limit?: number
}

/** A data set and the kind of models that use it: classifiers need labels mapped to ImageNet, zero-shot models the original ones. */
export interface EvaluationTarget {
  dataset: DatasetSpec | Dataset
  suits: 'all' | 'classifiers' | 'zero-shot'
}

const isZeroShot = ({ classes }: ModelSpec): boolean => classes === 'zero-shot'

/** Returns whether a model is evaluated on a target. */
export const appliesTo = ({ suits }: Pick<EvaluationTarget, 'suits'>, spec: ModelSpec): boolean =>
  suits === 'all' || (suits === 'zero-shot') === isZeroShot(spec)

/** Returns the targets of a request without opening them. Errors: `no-dataset`. */
export function planTargets(
  wanted: EvaluationRequest,
  specs: readonly ModelSpec[],
): EvaluationTarget[] {
  if (wanted.datasets.length === 0) throw inputError('no-dataset', 'no data set given')
  return wanted.datasets.flatMap((given): EvaluationTarget[] => {
    if (typeof given !== 'string' && 'samples' in given) return [{ dataset: given, suits: 'all' }]
    const dataset = datasetSpec(given, wanted)
    if (dataset.labels !== undefined || !specs.some(isZeroShot)) return [{ dataset, suits: 'all' }]
    const own: EvaluationTarget = {
      dataset: { ...dataset, labels: 'original' },
      suits: 'zero-shot',
    }
    return specs.every(isZeroShot) ? [own] : [own, { dataset, suits: 'classifiers' }]
  })
}

function datasetSpec(
  dataset: string | DatasetSpec,
  { data, limit }: EvaluationRequest,
): DatasetSpec {
  const spec: DatasetSpec = typeof dataset === 'string' ? { name: dataset } : { ...dataset }
  if (data !== undefined) spec.data ??= data
  if (limit !== undefined) spec.limit ??= limit
  return spec
}

/** Opens the data set of a target and checks it against the classes of its models. Errors: `no-classes`, `other-classes`. */
export async function openTarget(
  target: EvaluationTarget,
  specs: readonly ModelSpec[],
): Promise<Dataset> {
  const dataset = 'samples' in target.dataset ? target.dataset : await openDataset(target.dataset)
  for (const spec of specs) if (appliesTo(target, spec)) checkClasses(spec, dataset)
  return dataset
}

/** A target with its opened data set; `opened` describes how to open it again. */
export interface OpenedTarget extends EvaluationTarget {
  dataset: Dataset
  opened?: DatasetSpec | undefined
}

/** Opens all targets. Errors: `no-images`, `same-name`, and those of `openTarget`. */
export async function openTargets(
  targets: readonly EvaluationTarget[],
  specs: readonly ModelSpec[],
): Promise<OpenedTarget[]> {
  const all: OpenedTarget[] = []
  for (const target of targets) {
    const dataset = await openTarget(target, specs)
    const opened =
      'samples' in target.dataset
        ? undefined
        : pinRevision(absoluteSpec(target.dataset), dataset.revision)
    if (dataset.samples.length === 0) throw inputError('no-images', `no images in ${dataset.name}`)
    all.push({ ...target, dataset, opened })
  }
  const twice = all.find((one, i) =>
    all.slice(0, i).some(other => hasSameResults(one, other, specs)),
  )
  if (twice)
    throw inputError('same-name', `two data sets are called ${twice.dataset.name}: rename a file`)
  return all
}

/** Whether two data sets share a name for some model but not their content: tables, which go by names, would show only one of them. */
const hasSameResults = (
  one: OpenedTarget,
  other: OpenedTarget,
  specs: readonly ModelSpec[],
): boolean =>
  one.dataset.name === other.dataset.name &&
  (one.dataset.hash !== other.dataset.hash ||
    one.dataset.labelMap.hash !== other.dataset.labelMap.hash) &&
  specs.some(spec => appliesTo(one, spec) && appliesTo(other, spec))

/** Returns a model that has classes or a text tower. Errors: `no-classes`. */
function refuseClassless(spec: ModelSpec): ModelSpec {
  if ((spec.graph?.kind !== 'embedding' && spec.classes.length > 0) || spec.head) return spec
  if (isZeroShot(spec)) return spec
  throw inputError(
    'no-classes',
    `${spec.name} gives an embedding and no classes, so it has no accuracy: use it for features (probe, neighbours), or give model.json a head`,
  )
}

/** Checks that a model and a data set have equal classes. Errors: `no-classes`, `other-classes`. */
export function checkClasses(spec: ModelSpec, dataset: Dataset): void {
  if (spec.classes === 'zero-shot') return
  refuseClassless(spec)
  const own = spec.classes === 'imagenet-1k' ? undefined : spec.classes
  const fits = own
    ? dataset.labelSpace === 'own' && own.join('\n') === dataset.classes.join('\n')
    : dataset.labelSpace === 'imagenet-1k'
  if (fits) return
  const differs = own?.findIndex((name, i) => name !== dataset.classes[i]) ?? -1
  if (own && dataset.labelSpace === 'own' && own.length === dataset.classes.length)
    throw inputError(
      'other-classes',
      `${spec.name} and ${dataset.name} name their classes differently: class ${differs} is ${own[differs]!} and ${dataset.classes[differs]!}`,
    )
  const model = own ? `${own.length} classes of its own` : "ImageNet's 1000 classes"
  const data =
    dataset.labelSpace === 'own'
      ? `${dataset.classes.length} classes of its own`
      : "ImageNet's classes"
  throw inputError(
    'other-classes',
    `${spec.name} has ${model}, ${dataset.name} is labelled with ${data}${own ? "; give the model's class list, --classes FILE" : '; if their names are ImageNet classes, give --labels imagenet'}`,
  )
}

const isOfHub = (model: string | ModelSpec): boolean =>
  typeof model === 'string' && model.startsWith('hf:')

/** A model of the hub that cannot be used, with the reason. */
export interface UnusableModel {
  name: string
  error: GeogapError
}

/**
 * Returns the specifications of the requested models. If there are several, a hub repository that cannot be used is returned with its
 * error and does not stop the others. Errors: `no-model`, `many-models`, `same-name`, `unknown-model`.
 */
export async function resolveModels({
  models,
  weights,
}: EvaluationRequest): Promise<{ specs: ModelSpec[]; unusable: UnusableModel[] }> {
  if (models.length === 0) throw inputError('no-model', 'no model given')
  if (weights !== undefined && models.length > 1)
    throw inputError(
      'many-models',
      `one weights file for ${models.length} models: ${weights}; NAME@FILE gives one of them its own`,
    )
  const specs: ModelSpec[] = []
  const unusable: UnusableModel[] = []
  for (const model of models)
    try {
      const spec =
        typeof model === 'string'
          ? await loadModelWithWeights(model, weights)
          : withWeights(model, weights)
      specs.push(isOfHub(model) ? refuseClassless(spec) : spec)
    } catch (error) {
      if (!isOfHub(model) || models.length === 1 || !(error instanceof GeogapError)) throw error
      unusable.push({ name: typeof model === 'string' ? model : model.name, error })
    }
  if (specs.length === 0) throw unusable[0]!.error
  return { specs: uniqueModels(specs), unusable }
}

/** Returns each model once. Two models must not share a name, by which results are found. Errors: `same-name`. */
function uniqueModels(specs: readonly ModelSpec[]): ModelSpec[] {
  const named = new Map<string, ModelSpec>()
  for (const spec of specs) {
    const other = named.get(spec.name)
    if (other && !isDeepStrictEqual(other, spec))
      throw inputError(
        'same-name',
        `two models are called ${spec.name}: rename a file, or name one in a model.json`,
      )
    named.set(spec.name, other ?? spec)
  }
  return [...named.values()]
}

/** Returns the size and cost of a model as far as they are known before its weights are downloaded. */
export function guessSizeAndCost(spec: ModelSpec): { bytes: number; multiplyAdds: number } {
  const { parameters, multiplyAdds } = modelCost(spec)
  return { bytes: 4 * parameters, multiplyAdds }
}

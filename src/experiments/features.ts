/*
 * Reads the features that `evaluate --keep features` stores beside predictions. Features that are not stored yet are computed and
 * stored in `OUT/features`, a folder of results.
 */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Dataset } from '../datasets/dataset.ts'
import { imagenetNames } from '../datasets/labels/imagenet.ts'
import { planFeatureEvaluation, runDatasetEvaluation } from '../evaluate/evaluateDataset.ts'
import { modelSteps } from '../evaluate/jobs.ts'
import { type EvaluationProgress } from '../evaluate/progress.ts'
import { completeSettings } from '../evaluate/settings.ts'
import { type GeogapError, inputError, weightsError, dataError } from '../lib/errors.ts'
import { type Device } from '../lib/onnx/engine.ts'
import { parseSteps, type PreprocessingMode, type PreprocessingStep } from '../lib/pixels/steps.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { type FeatureMatrix } from '../models/runtime/head.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { type KeptShard, readKeptShard } from '../results/keptOutputReader.ts'
import { type DatasetRecord, readDatasetRecords, recordDataset } from '../results/records.ts'
import { currentEvaluations, readRunRecords } from '../results/runRecords.ts'
import { type ResultKey } from '../results/schema.ts'
import {
  evaluationPath,
  findGaps,
  manifestsAmong,
  readStoredEvaluation,
  readStoredEvaluations,
  type StoredEvaluation,
  unfinishedRanges,
} from '../results/storedEvaluations.ts'
import { type LabelledSample } from './splits.ts'

/** The model and the data set that features are of. */
export interface FeatureSetDescription {
  model: string
  /** SHA-256 of every weight file. */
  weights: string[]
  /** The preprocessing steps of these images. */
  steps: readonly PreprocessingStep[]
  /** The model's own steps, without those for this data set alone. */
  recipe: readonly PreprocessingStep[]
  dataset: string
  /** Hash of the data set's content. */
  content: string
  classes: 'imagenet-1k' | readonly string[]
  choices: Dataset['choices']
  notes: readonly string[]
}

/** The features of one model for all images of a data set. */
export interface FeatureSet {
  description: FeatureSetDescription
  /** File of the classifier that training starts from; absent for features stored beside predictions. */
  headFile?: string
  /** In the order of their ids, so that training does not depend on how the features were stored. */
  samples: LabelledSample[]
  /** `ok`, or the error code of the image, whose row is then zero. */
  status: string[]
  features: FeatureMatrix
}

export interface FeatureSetOptions {
  /** Folder of results; features that are not stored in it are computed and stored below `out/features`. */
  out: string
  preprocessing?: PreprocessingMode
  device?: Device
  onProgress?: (progress: EvaluationProgress) => void
}

/** Returns the features of a model on a data set, which are computed unless they are stored. */
export async function loadOrComputeFeatures(
  model: PreparedModel,
  dataset: Dataset,
  options: FeatureSetOptions,
): Promise<FeatureSet> {
  const plan = planFeatureEvaluation(dataset, model, completeSettings(options))
  const { identity } = plan.models[0]!
  let stored = await findEvaluatedFeatures(options.out, identity)
  if (!stored) {
    const storage = folderStorage(join(options.out, 'features'))
    await recordDataset(storage.url, dataset)
    const { onProgress } = options
    const [failure] = await runDatasetEvaluation(plan, storage, { keep: 'features', onProgress })
    if (failure) throw weightsError(failure.code, failure.message)
    stored = (await readStoredEvaluation(storage, evaluationPath(identity), 'features'))!
  }
  const { description, read } = openFeatures(stored, await readDatasetRecords(resultsOf(stored)))
  const recipe = modelSteps(model.spec.recipe, options.preprocessing ?? 'native')
  return { ...(await read()), description: { ...description, recipe } }
}

/** Finds the evaluation in `out` that has predictions and the features of all images. */
async function findEvaluatedFeatures(
  out: string,
  featureKey: ResultKey,
): Promise<StoredEvaluation | undefined> {
  const identity = { ...featureKey }
  delete identity.source
  const stored = await readStoredEvaluation(
    folderStorage(out),
    evaluationPath(identity),
    'features',
  )
  const isComplete = stored && unfinishedRanges(stored, identity.images, 'features').length === 0
  return isComplete ? stored : undefined
}

/** Stored features whose values are not read yet. */
export interface StoredFeatures {
  description: FeatureSetDescription
  read: () => Promise<FeatureSet>
}

/**
 * Opens all features in `folder`, a folder of results or of one evaluation; returns none for any other folder.
 * @throws GeogapError `old-features` for a folder of an earlier version, `bad-features` if the record of a data set is missing;
 * from `read`, `bad-features` if images are missing or none could be read.
 */
export async function openFeaturesIn(folder: string): Promise<StoredFeatures[]> {
  const names = await readdir(folder).catch((): string[] => [])
  if (names.includes('features.json'))
    throw inputError(
      'old-features',
      `${folder} holds features of an earlier version, which are not read any more: compute them again with --model, or with geogap evaluate --keep features`,
    )
  const evaluations = await readEvaluationsIn(resolve(folder), names)
  const kept = evaluations.filter(({ shards }) =>
    shards.some(({ kept }) => kept?.output === 'features'),
  )
  if (!kept[0]) return []
  const dir = resultsOf(kept[0])
  const records = await readDatasetRecords(dir)
  return currentEvaluations(kept, await readRunRecords(dir)).map(evaluation =>
    openFeatures(evaluation, records),
  )
}

async function readEvaluationsIn(
  folder: string,
  names: readonly string[],
): Promise<StoredEvaluation[]> {
  if (names.includes('predictions')) return readStoredEvaluations(folder, 'features')
  if (manifestsAmong(names).length === 0) return []
  const evaluation = await readStoredEvaluation(
    folderStorage(dirname(folder)),
    basename(folder),
    'features',
  )
  return evaluation ? [evaluation] : []
}

/** Returns the folder of results that an evaluation is in. */
const resultsOf = ({ folder }: StoredEvaluation): string => join(folder, '../..')

function openFeatures(
  evaluation: StoredEvaluation,
  records: ReadonlyMap<string, DatasetRecord>,
): StoredFeatures {
  const { folder, identity } = evaluation
  const shards = evaluation.shards.filter(
    ({ kept, rows, errors }) => kept?.output === 'features' || errors === rows,
  )
  const description = describeFeatures(evaluation, records)
  const head = identity.source === 'features' && { headFile: join(folder, 'head.safetensors') }
  return {
    description,
    read: async () => {
      const [gap] = findGaps({ shards }, identity.images)
      if (gap)
        throw badFeatures(
          folder,
          `images ${gap.start + 1} to ${gap.end} are missing; repeat the command that made them to continue`,
        )
      const read = await Promise.all(shards.map(shard => readKeptShard(folder, shard)))
      const joined = joinShards(read)
      if (!joined) throw badFeatures(folder, `no image of ${identity.dataset} could be read`)
      return { description, ...head, ...joined }
    },
  }
}

function describeFeatures(
  { identity, folder }: StoredEvaluation,
  records: ReadonlyMap<string, DatasetRecord>,
): FeatureSetDescription {
  const { model, weights, dataset, content, choices } = identity
  const record = records.get(content)
  if (!record)
    throw inputError(
      'bad-features',
      `no record of the classes of ${dataset} in ${folder}: evaluate it again, or copy the folder of results whole`,
    )
  const steps = parseSteps(identity.steps)
  return {
    model,
    weights,
    dataset,
    content,
    steps,
    recipe: steps.filter(({ step }) => step !== 'trim'),
    classes: String(record.classes) === String(imagenetNames) ? 'imagenet-1k' : record.classes,
    choices: choices === 'all' ? choices : choices.split(' ').map(Number),
    notes: record.notes ?? [],
  }
}

/** Joins shards to one matrix in the order of the samples' ids; undefined where no image could be read. */
function joinShards(
  shards: readonly KeptShard[],
): Pick<FeatureSet, 'samples' | 'status' | 'features'> | undefined {
  const width = shards.find(shard => shard.width > 0)?.width
  if (width === undefined) return undefined
  const rows = shards.flatMap(shard =>
    shard.samples.map((sample, at) => ({
      sample,
      status: shard.status[at]!,
      values: shard.values.subarray(at * width, (at + 1) * width),
    })),
  )
  rows.sort((a, b) => (a.sample.id < b.sample.id ? -1 : 1))
  const data = new Float32Array(rows.length * width)
  for (const [i, { values }] of rows.entries()) data.set(values, i * width)
  return {
    samples: rows.map(({ sample }) => sample),
    status: rows.map(({ status }) => status),
    features: { width, data },
  }
}

const badFeatures = (folder: string, what: string): GeogapError =>
  dataError('bad-features', `kept features in ${folder}: ${what}`)

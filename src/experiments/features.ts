/*
 * Features that were computed once and are kept: a folder with `features.json`, which says of which model and data set they
 * are, and parts `START-END.npy` (float32 [rows, width]) with `START-END.parquet` beside them: id, label, accepted classes, status
 * and groups of each row. A part is there when its Parquet file is, so an interrupted run goes on with the missing ones.
 */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { type Dataset, type GroupValue } from '../datasets/dataset.ts'
import { parseJson } from '../lib/archive/json.ts'
import { GeogapError, inputError } from '../lib/errors.ts'
import { orIfMissing, writeDurably } from '../lib/files.ts'
import { type Device } from '../lib/onnx/engine.ts'
import { type Predictions } from '../results/predictions.ts'
import { runShards } from '../evaluate/workers/pool.ts'
import { type FeatureMatrix } from '../models/runtime/head.ts'
import { widenHalf } from '../lib/tensors/tensors.ts'
import { type EvaluationJob, modelSteps, planJobs, stepsFor } from '../evaluate/plan.ts'
import { type IndexRange } from '../lib/ranges.ts'
import { writeJson } from '../results/records.ts'
import { findGaps, slug, rangeName, rangesOfFileNames } from '../results/store.ts'
import { groupColumn } from '../results/write.ts'
import {
  describeSteps,
  type PreprocessingMode,
  type PreprocessingStep,
} from '../lib/pixels/steps.ts'
import { startProgress, type EvaluationProgress } from '../evaluate/evaluateDataset.ts'
import { sha256 } from '../lib/hash.ts'
import { literalPath, parquetRows, query, textColumn, writeParquet } from '../lib/sql.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'
import { openNpy, writeNpy } from './embeddings.ts'
import { type LabelledSample } from './splits.ts'

const descriptionSchema = z.object({
  schema: z.literal(1),
  /** The model's name in results, and the SHA-256 of its weights. */
  model: z.string(),
  weights: z.array(z.string()),
  /** What was done to these images, and the model's own steps, without what only these images need or drafts. */
  steps: z.array(z.custom<PreprocessingStep>()),
  recipe: z.array(z.custom<PreprocessingStep>()),
  dataset: z.string(),
  /** Hash of the data set's content. */
  content: z.string(),
  images: z.number().int(),
  classes: z.union([z.literal('imagenet-1k'), z.array(z.string())]),
  choices: z.union([z.literal('all'), z.array(z.number().int())]),
  notes: z.array(z.string()),
})

export type FeatureSetDescription = z.infer<typeof descriptionSchema>

/** Features of a data set's images. */
export interface FeatureSet {
  description: FeatureSetDescription
  /** The file of the classifier that training starts from, where it can be kept beside the features. */
  headFile?: string
  samples: LabelledSample[]
  /** `ok`, or the code of the error that the image met; rows of others are zero. */
  status: string[]
  features: FeatureMatrix
}

export interface FeatureSetOptions {
  /** Features go below `out/features`. */
  out: string
  preprocessing?: PreprocessingMode
  device?: Device
  onProgress?: (progress: EvaluationProgress) => void
}

export const featureSetFileName = 'features.json'

/** The features of a model on a data set: read where they are kept, else computed, part by part. */
export async function loadOrComputeFeatures(
  model: PreparedModel,
  dataset: Dataset,
  options: FeatureSetOptions,
): Promise<FeatureSet> {
  const { out, preprocessing = 'native', device } = options
  const steps = stepsFor(model.spec.recipe, preprocessing, dataset.imageFixes)
  const about = {
    ...describeFeatureSet(model, dataset),
    steps: [...steps],
    recipe: [...modelSteps(model.spec.recipe, preprocessing)],
  }
  const folder = join(
    out,
    'features',
    `${slug(about.model)}--${slug(about.dataset)}--${featureSetKey(about, device)}`,
  )
  const missing = findGaps({ shards: await storedRanges(folder) }, dataset.samples.length)
  const tasks = [{ ...model, steps, missing }]
  const machine = {
    keep: 'features' as const,
    cores: availableParallelism(),
    ...(device && { device }),
  }
  for (const job of planJobs(tasks, 'none', machine)) {
    await writeJson(join(folder, featureSetFileName), about)
    await computeJob(job, dataset, folder, options.onProgress)
  }
  return readFeatures(folder)
}

function describeFeatureSet(
  { spec, hashes }: PreparedModel,
  dataset: Dataset,
): Omit<FeatureSetDescription, 'steps' | 'recipe'> {
  const { name, hash, samples: items, classes, labelSpace, choices, notes = [] } = dataset
  return {
    schema: 1,
    ...{
      model: spec.name,
      weights: hashes,
      dataset: name,
      content: hash,
      images: items.length,
      notes: [...notes],
    },
    classes: labelSpace === 'imagenet-1k' ? labelSpace : [...classes],
    choices: choices === 'all' ? choices : [...choices],
  }
}

const featureSetKey = (
  { weights, steps, content }: FeatureSetDescription,
  device?: Device,
): string =>
  sha256(
    JSON.stringify([
      1,
      weights,
      describeSteps(steps),
      content,
      runtimeVersion(device && { device }),
    ]),
    16,
  )

async function computeJob(
  job: EvaluationJob,
  dataset: Dataset,
  folder: string,
  onProgress?: (progress: EvaluationProgress) => void,
): Promise<void> {
  await runShards(
    job.group,
    job.shards.map(span => ({ span, items: dataset.samples.slice(span.start, span.end) })),
    ({ span, items }, { outcomes }) =>
      writeFeaturePart(folder, span, items, dataset.columns, outcomes[0]!),
    { processes: job.processes, onImages: startProgress(job, dataset, onProgress) },
  )
}

async function writeFeaturePart(
  folder: string,
  span: IndexRange,
  items: readonly LabelledSample[],
  columns: readonly string[],
  { kept, status }: Predictions,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, rangeName(span))
  if (kept) await writeNpy(`${file}.npy`, kept, kept.length / items.length)
  await writeDurably(`${file}.parquet`, temporary =>
    writeParquet(temporary, [
      textColumn('id', items, ({ id }) => id),
      textColumn('label', items, ({ label }) => label),
      textColumn('labels', items, ({ labels }) => labels.join(',')),
      textColumn('status', status, code => code),
      ...columns.map(column => groupColumn(column, items.map(({ groups }) => groups[column] ?? null))), // prettier-ignore
    ]),
  )
}

const storedRanges = async (folder: string): Promise<IndexRange[]> =>
  rangesOfFileNames(await orIfMissing(readdir(folder), []), '.parquet')

/** What is kept, before its values are read. */
export interface StoredFeatures {
  description: FeatureSetDescription
  read: () => Promise<FeatureSet>
}

/**
 * Features kept in `folder`.
 * @throws GeogapError `no-features` where there are none; from `read`, `bad-features` where parts are missing or no image has any.
 */
export async function openStoredFeatures(folder: string): Promise<StoredFeatures> {
  const text = await readFile(join(folder, featureSetFileName), 'utf8').catch(() => {
    throw inputError(
      'no-features',
      `no kept features in ${folder}: there is no ${featureSetFileName}`,
    )
  })
  const parsed = descriptionSchema.safeParse(parseJson(text))
  if (!parsed.success) throw badFeatures(folder, `${featureSetFileName} is not of this version`)
  const read = async (): Promise<FeatureSet> => {
    const spans = await storedRanges(folder)
    requireAllParts(folder, spans, parsed.data.images)
    const read = await Promise.all(
      spans.map(span => readFeaturePart(join(folder, rangeName(span)))),
    )
    return {
      ...joinFeatureParts(parsed.data, folder, read),
      headFile: join(folder, 'head.safetensors'),
    }
  }
  return { description: parsed.data, read }
}

export const readFeatures = async (folder: string): Promise<FeatureSet> =>
  (await openStoredFeatures(folder)).read()

/** @throws GeogapError `bad-features` naming the first images that no part covers */
export function requireAllParts(
  folder: string,
  shards: readonly IndexRange[],
  images: number,
): void {
  const [gap] = findGaps({ shards }, images)
  if (gap)
    throw badFeatures(
      folder,
      `images ${gap.start + 1} to ${gap.end} are missing; the command that made them goes on`,
    )
}

export interface FeaturePart {
  rows: StoredFeatureRow[]
  /** 0 where no image of the part could be read. */
  width: number
  data: Float32Array
}

/** The parts as one, by id, so that training sees one order wherever the features come from. Errors: bad-features. */
export function joinFeatureParts(
  about: FeatureSetDescription,
  folder: string,
  read: readonly FeaturePart[],
): FeatureSet {
  const width = read.find(part => part.width > 0)?.width ?? 0
  if (width === 0) throw badFeatures(folder, `no image of ${about.dataset} could be read`)
  const all = read.flatMap(part => part.rows.map((row, at) => ({ row, part, at })))
  all.sort((a, b) => (a.row.id < b.row.id ? -1 : 1))
  const data = new Float32Array(all.length * width)
  for (const [i, { part, at }] of all.entries())
    data.set(part.data.subarray(at * width, (at + 1) * width), i * width)
  const status = all.map(({ row }) => row.status)
  return {
    description: about,
    samples: all.map(({ row }) => sampleOf(row)),
    status,
    features: { width, data },
  }
}

const badFeatures = (folder: string, what: string): GeogapError =>
  new GeogapError('data', 'bad-features', `kept features in ${folder}: ${what}`)

/** `labels` are class indices with commas between. */
export type StoredFeatureRow = Record<string, GroupValue> & {
  id: string
  label: string
  labels: string
  status: string
}

const fixedColumns = ['id', 'label', 'labels', 'status']

const sampleOf = (row: StoredFeatureRow): LabelledSample => ({
  ...{ id: row.id, label: row.label },
  labels: row.labels === '' ? [] : row.labels.split(',').map(Number),
  groups: Object.fromEntries(Object.entries(row).filter(([name]) => !fixedColumns.includes(name))),
})

async function readFeaturePart(file: string): Promise<FeaturePart> {
  const rows = await query<StoredFeatureRow>(`SELECT * FROM ${parquetRows()}`, [
    literalPath(`${file}.parquet`),
  ])
  const hasValues = await orIfMissing(stat(`${file}.npy`), undefined)
  if (!hasValues) return { rows, width: 0, data: new Float32Array(0) }
  const { width, data } = await readNpy(`${file}.npy`)
  return { rows, width, data }
}

/** All rows of a `.npy` file as float32. Errors: bad-npy, no-embeddings. */
export async function readNpy(file: string): Promise<FeatureMatrix> {
  const stored = await openNpy(file, '')
  const data = new Float32Array(stored.count * stored.width)
  for await (const block of stored.blocks(4096))
    data.set(
      block.data instanceof Uint16Array ? widenHalf(block.data) : block.data,
      block.start * stored.width,
    )
  return { width: stored.width, data }
}

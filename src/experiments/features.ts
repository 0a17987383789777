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
import { whereThere, writeDurably } from '../lib/files.ts'
import { type Device } from '../lib/onnx/engine.ts'
import { type Outcomes } from '../results/predictions.ts'
import { runShards } from '../evaluate/workers/pool.ts'
import { type Features } from '../models/runtime/head.ts'
import { widenHalf } from '../lib/tensors/tensors.ts'
import { type Job, modelSteps, plan, stepsFor } from '../evaluate/plan.ts'
import { type Span } from '../lib/ranges.ts'
import { writeJson } from '../results/notes.ts'
import { gaps, slug, spanName, spansOf } from '../results/store.ts'
import { groupColumn } from '../results/write.ts'
import { describeSteps, type Mode, type Step } from '../lib/pixels/steps.ts'
import { countedImages, type Prepared, type Progress } from '../evaluate/evaluateDataset.ts'
import { sha256 } from '../lib/hash.ts'
import { literalPath, parquetRows, query, texts, writeParquet } from '../lib/sql.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'
import { openNpy, writeNpy } from './embeddings.ts'
import { type Labelled } from './splits.ts'

const description = z.object({
  schema: z.literal(1),
  /** The model's name in results, and the SHA-256 of its weights. */
  model: z.string(),
  weights: z.array(z.string()),
  /** What was done to these images, and the model's own steps, without what only these images need or drafts. */
  steps: z.array(z.custom<Step>()),
  recipe: z.array(z.custom<Step>()),
  dataset: z.string(),
  /** Hash of the data set's content. */
  content: z.string(),
  images: z.number().int(),
  classes: z.union([z.literal('imagenet-1k'), z.array(z.string())]),
  choices: z.union([z.literal('all'), z.array(z.number().int())]),
  notes: z.array(z.string()),
})

export type KeptDescription = z.infer<typeof description>

/** Features of a data set's images. */
export interface Kept {
  about: KeptDescription
  /** The file of the classifier that training starts from, where it can be kept beside the features. */
  head?: string
  items: Labelled[]
  /** `ok`, or the code of the error that the image met; rows of others are zero. */
  status: string[]
  features: Features
}

export interface KeepOptions {
  /** Features go below `out/features`. */
  out: string
  preprocessing?: Mode
  device?: Device
  onProgress?: (progress: Progress) => void
}

export const descriptionName = 'features.json'

/** The features of a model on a data set: read where they are kept, else computed, part by part. */
export async function keepFeatures(model: Prepared, dataset: Dataset, options: KeepOptions): Promise<Kept> {
  const { out, preprocessing = 'native', device } = options
  const steps = stepsFor(model.spec.recipe, preprocessing, dataset.prepare)
  const about = {
    ...describe(model, dataset),
    steps: [...steps],
    recipe: [...modelSteps(model.spec.recipe, preprocessing)],
  }
  const folder = join(out, 'features', `${slug(about.model)}--${slug(about.dataset)}--${keyOf(about, device)}`)
  const missing = gaps({ shards: await parts(folder) }, dataset.items.length)
  const tasks = [{ ...model, steps, missing }]
  const machine = { keep: 'features' as const, cores: availableParallelism(), ...(device && { device }) }
  for (const job of plan(tasks, 'none', machine)) {
    await writeJson(join(folder, descriptionName), about)
    await compute(job, dataset, folder, options.onProgress)
  }
  return readFeatures(folder)
}

function describe({ spec, hashes }: Prepared, dataset: Dataset): Omit<KeptDescription, 'steps' | 'recipe'> {
  const { name, hash, items, classes, labelSpace, choices, notes = [] } = dataset
  return {
    schema: 1,
    ...{ model: spec.name, weights: hashes, dataset: name, content: hash, images: items.length, notes: [...notes] },
    classes: labelSpace === 'imagenet-1k' ? labelSpace : [...classes],
    choices: choices === 'all' ? choices : [...choices],
  }
}

const keyOf = ({ weights, steps, content }: KeptDescription, device?: Device): string =>
  sha256(JSON.stringify([1, weights, describeSteps(steps), content, runtimeVersion(device && { device })]), 16)

async function compute(
  job: Job,
  dataset: Dataset,
  folder: string,
  onProgress?: (progress: Progress) => void,
): Promise<void> {
  await runShards(
    job.group,
    job.shards.map(span => ({ span, items: dataset.items.slice(span.start, span.end) })),
    ({ span, items }, { outcomes }) => writePart(folder, span, items, dataset.columns, outcomes[0]!),
    { processes: job.processes, onImages: countedImages(job, dataset, onProgress) },
  )
}

async function writePart(
  folder: string,
  span: Span,
  items: readonly Labelled[],
  columns: readonly string[],
  { kept, status }: Outcomes,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, spanName(span))
  if (kept) await writeNpy(`${file}.npy`, kept, kept.length / items.length)
  await writeDurably(`${file}.parquet`, temporary =>
    writeParquet(temporary, [
      texts('id', items, ({ id }) => id),
      texts('label', items, ({ label }) => label),
      texts('labels', items, ({ labels }) => labels.join(',')),
      texts('status', status, code => code),
      ...columns.map(column => groupColumn(column, items.map(({ groups }) => groups[column] ?? null))), // prettier-ignore
    ]),
  )
}

const parts = async (folder: string): Promise<Span[]> => spansOf(await whereThere(readdir(folder), []), '.parquet')

/** What is kept, before its values are read. */
export interface Stored {
  about: KeptDescription
  read: () => Promise<Kept>
}

/**
 * Features kept in `folder`.
 * @throws GeogapError `no-features` where there are none; from `read`, `bad-features` where parts are missing or no image has any.
 */
export async function storedFeatures(folder: string): Promise<Stored> {
  const text = await readFile(join(folder, descriptionName), 'utf8').catch(() => {
    throw inputError('no-features', `no kept features in ${folder}: there is no ${descriptionName}`)
  })
  const parsed = description.safeParse(parseJson(text))
  if (!parsed.success) throw badFeatures(folder, `${descriptionName} is not of this version`)
  const read = async (): Promise<Kept> => {
    const spans = await parts(folder)
    requireWhole(folder, spans, parsed.data.images)
    const read = await Promise.all(spans.map(span => readPart(join(folder, spanName(span)))))
    return { ...together(parsed.data, folder, read), head: join(folder, 'head.safetensors') }
  }
  return { about: parsed.data, read }
}

export const readFeatures = async (folder: string): Promise<Kept> => (await storedFeatures(folder)).read()

/** @throws GeogapError `bad-features` naming the first images that no part covers */
export function requireWhole(folder: string, shards: readonly Span[], images: number): void {
  const [gap] = gaps({ shards }, images)
  if (gap)
    throw badFeatures(folder, `images ${gap.start + 1} to ${gap.end} are missing; the command that made them goes on`)
}

export interface KeptPart {
  rows: StoredRow[]
  /** 0 where no image of the part could be read. */
  width: number
  data: Float32Array
}

/** The parts as one, by id, so that training sees one order wherever the features come from. Errors: bad-features. */
export function together(about: KeptDescription, folder: string, read: readonly KeptPart[]): Kept {
  const width = read.find(part => part.width > 0)?.width ?? 0
  if (width === 0) throw badFeatures(folder, `no image of ${about.dataset} could be read`)
  const all = read.flatMap(part => part.rows.map((row, at) => ({ row, part, at })))
  all.sort((a, b) => (a.row.id < b.row.id ? -1 : 1))
  const data = new Float32Array(all.length * width)
  for (const [i, { part, at }] of all.entries()) data.set(part.data.subarray(at * width, (at + 1) * width), i * width)
  const status = all.map(({ row }) => row.status)
  return { about, items: all.map(({ row }) => labelled(row)), status, features: { width, data } }
}

const badFeatures = (folder: string, what: string): GeogapError =>
  new GeogapError('data', 'bad-features', `kept features in ${folder}: ${what}`)

/** `labels` are class indices with commas between. */
export type StoredRow = Record<string, GroupValue> & { id: string; label: string; labels: string; status: string }

const own = ['id', 'label', 'labels', 'status']

const labelled = (row: StoredRow): Labelled => ({
  ...{ id: row.id, label: row.label },
  labels: row.labels === '' ? [] : row.labels.split(',').map(Number),
  groups: Object.fromEntries(Object.entries(row).filter(([name]) => !own.includes(name))),
})

async function readPart(file: string): Promise<KeptPart> {
  const rows = await query<StoredRow>(`SELECT * FROM ${parquetRows()}`, [literalPath(`${file}.parquet`)])
  const there = await whereThere(stat(`${file}.npy`), undefined)
  if (!there) return { rows, width: 0, data: new Float32Array(0) }
  const { width, data } = await readNpy(`${file}.npy`)
  return { rows, width, data }
}

/** All rows of a `.npy` file as float32. Errors: bad-npy, no-embeddings. */
export async function readNpy(file: string): Promise<Features> {
  const stored = await openNpy(file, '')
  const data = new Float32Array(stored.count * stored.width)
  for await (const block of stored.blocks(4096))
    data.set(block.data instanceof Uint16Array ? widenHalf(block.data) : block.data, block.start * stored.width)
  return { width: stored.width, data }
}

/** Records beside the predictions: the data sets that were evaluated, and the models that could not be. */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tally } from '../lib/tally.ts'
import { z } from 'zod'
import { type Dataset, type GroupValue, type Sample } from '../datasets/dataset.ts'
import { type DatasetSpec } from '../datasets/open.ts'
import { type GeogapError, inputError } from '../lib/errors.ts'
import { ownValue } from '../lib/ownValue.ts'
import { jsonFileNames, writeError, writeAtomically, readStoredFile } from '../lib/files.ts'
import { jsonText } from '../lib/table/text.ts'
import { sha256 } from '../lib/hash.ts'
import { readImageIds, writeImageSources } from './imageSources.ts'

const failure = z.object({
  model: z.string(),
  dataset: z.string(),
  code: z.string(),
  message: z.string(),
})

/** A model that could not be evaluated on a data set, and why. */
export type Failure = z.infer<typeof failure>

type NamedThing = Readonly<{ name: string }>

/** Returns an error as the failure of a model on a data set. */
export const failureOf = (
  { name: model }: NamedThing,
  { name: dataset }: NamedThing,
  { code, message }: Pick<GeogapError, 'code' | 'message'>,
): Failure => ({ model, dataset, code, message })

/** Returns `MODEL on DATASET: why`, or `FILE: why` for a record that cannot be read. */
export const failureText = ({ model, dataset, message }: Failure): string =>
  `${model === '' ? '' : `${model} on `}${dataset}: ${message}`

export const datasetRecord = z.object({
  name: z.string(),
  hash: z.string(),
  images: z.number().int(),
  classes: z.array(z.string()),
  columns: z.array(z.string()),
  /** Numbers of images with an accepted class, by the values of `label` and of columns with few values, and as `all`. */
  sizes: z.record(z.string(), z.record(z.string(), z.number().int())).optional(),
  labelMap: z.string(),
  places: z
    .object({
      scheme: z.string(),
      unmatched: z.array(z.object({ place: z.string(), count: z.number() })),
    })
    .optional(),
  /** Facts to show beside results. */
  notes: z.array(z.string()).optional(),
  /** How it was opened, if a name or file was given: `rescore` opens it again. */
  opened: z.record(z.string(), z.unknown()).optional(),
  /** The source's own word that the images are synthetic. */
  madeUp: z.string().optional(),
  problems: z.array(z.object({ id: z.string(), code: z.string(), message: z.string() })),
  /** How many images that the benchmark's authors count are not in this copy. */
  absent: z.number().int().optional(),
})

/** A data set as it was when it was evaluated. */
export type DatasetRecord = z.infer<typeof datasetRecord>

const failuresFolder = (dir: string): string => join(dir, 'failures')
const datasetsFolder = (dir: string): string => join(dir, 'datasets')

/** Writes a record as JSON, whole or not at all. Errors: disk-full, write-failed. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeAtomically(file, handle => handle.writeFile(jsonText(value)))
  } catch (error) {
    throw writeError(file, error)
  }
}

/** What a record's file should hold: its name with an article, and its schema. */
export interface RecordKind<T> {
  what: string
  schema: z.ZodType<T>
}

/** The readable records of a folder by the names of their files, in the order of the names, and why others cannot be read. */
export interface RecordFolder<T> {
  records: Map<string, T>
  damaged: Map<string, string>
}

/** Reads a folder of records, and goes on where one is damaged. */
export async function readRecordFolder<T>(
  folder: string,
  { what, schema }: RecordKind<T>,
): Promise<RecordFolder<T>> {
  const records = new Map<string, T>()
  const damaged = new Map<string, string>()
  for (const name of await jsonFileNames(folder)) {
    const file = join(folder, name)
    // Another process may have just removed it.
    const bytes = await readStoredFile(file)
    if (!bytes) continue
    try {
      records.set(name, schema.parse(JSON.parse(bytes.toString())))
    } catch {
      damaged.set(name, `not ${what} of this version: ${file}`)
    }
  }
  return { records, damaged }
}

/** Reads the records of a folder that are not damaged. */
export const readRecords = async <T>(
  folder: string,
  kind: RecordKind<T>,
): Promise<Map<string, T>> => (await readRecordFolder(folder, kind)).records

/** Stores what a data set is and where its images lie; `opened` is how it was opened. Errors: same-name. */
export async function recordDataset(
  dir: string,
  dataset: Dataset,
  opened?: DatasetSpec,
): Promise<void> {
  await checkOtherImages(dir, dataset)
  await writeImageSources(dir, dataset)
  await writeDatasetRecord(dir, dataset, opened)
}

/** Stores what a data set is, but not where its images lie. */
export async function writeDatasetRecord(
  dir: string,
  dataset: Dataset,
  opened?: DatasetSpec,
): Promise<void> {
  const { name, hash, samples, labelMap, problems, regionMapping, notes, synthetic } = dataset
  const record: DatasetRecord = {
    name,
    hash,
    images: samples.length,
    classes: [...dataset.classes],
    columns: [...dataset.columns],
    labelMap: labelMap.name,
    sizes: groupSizes(dataset),
    places: regionMapping && {
      scheme: regionMapping.scheme,
      unmatched: [...regionMapping.unmatched],
    },
    notes: notes && [...notes],
    opened: opened && { ...opened },
    madeUp: synthetic,
    problems: [...problems],
    absent: dataset.absent,
  }
  await writeJson(join(datasetsFolder(dir), `${hash.slice(0, 16)}.json`), record)
}

/** Results go by names, so a data set of other images must not take the name of one that is evaluated. Errors: same-name. */
async function checkOtherImages(
  dir: string,
  { name, hash, samples }: Pick<Dataset, 'name' | 'hash' | 'samples'>,
): Promise<void> {
  const records = [...(await readDatasetRecords(dir)).values()]
  const others = records.filter(record => record.name === name && record.hash !== hash)
  if (others.length === 0) return
  const own = new Set(samples.map(({ id }) => id))
  for (const other of others) {
    const ids = await readImageIds(dir, other.hash)
    if (ids.length > 0 && !ids.some(id => own.has(String(id))))
      throw inputError(
        'same-name',
        `${dir} has results of ${ids.length} other images called ${name}: rename a file or folder of one, or give another --out`,
      )
  }
}

const maxColumnValues = 1000

function groupSizes({ samples, columns }: Dataset): Record<string, Record<string, number>> {
  const scored = samples.filter(({ labels }) => labels.length > 0)
  const count = (valueOf: (item: Sample) => GroupValue | undefined): Record<string, number> => {
    const values = scored.flatMap(item => valueOf(item) ?? [])
    return Object.fromEntries(tally(values.map(String)))
  }
  const byColumn = columns.map(
    column => [column, count(({ groups }) => ownValue(groups, column))] as const,
  )
  // A column called `all` does not replace the number of all images.
  const few = byColumn.filter(
    ([column, counts]) => column !== 'all' && Object.keys(counts).length <= maxColumnValues,
  )
  return {
    all: { all: scored.length },
    label: count(({ label }) => label),
    ...Object.fromEntries(few),
  }
}

export const datasetRecordKind = { what: 'a note of an evaluated data set', schema: datasetRecord }

/** Reads the evaluated data sets by content hash. */
export async function readDatasetRecords(dir: string): Promise<Map<string, DatasetRecord>> {
  const records = await readRecords(datasetsFolder(dir), datasetRecordKind)
  return new Map([...records.values()].map(record => [record.hash, record]))
}

export const failureKind = { what: 'a note of a failure', schema: failure.nullable() }

export async function readFailures(dir: string): Promise<Failure[]> {
  const notes = await readRecords(failuresFolder(dir), failureKind)
  const failures = [...notes.values()].filter(found => found !== null)
  return [...new Map(failures.map(found => [JSON.stringify(found), found])).values()]
}

/** What an evaluation attempted, what of it failed, and which share (`-1-of-3`) of a run it was. */
export interface AttemptedEvaluations {
  failures: readonly Failure[]
  attempted: readonly Pick<Failure, 'model' | 'dataset'>[]
  share?: string | undefined
}

/**
 * Records for each attempted model and data set what failed, or that nothing did. Each share of a run has files of its own, so
 * that machines at work on one folder never write the same one; a whole run replaces what its shares recorded.
 */
export async function recordFailures(
  dir: string,
  { failures, attempted, share = '' }: AttemptedEvaluations,
): Promise<void> {
  const before = await jsonFileNames(failuresFolder(dir))
  const notes = new Map<string, Failure | null>()
  for (const pair of attempted) {
    const known = before.filter(
      name =>
        name.startsWith(failurePrefix(pair)) && (share === '' || name === failureFile(pair, share)),
    )
    for (const name of known) notes.set(name, null)
  }
  for (const found of failures) notes.set(failureFile(found, share), found)
  for (const [name, note] of notes) await writeJson(join(failuresFolder(dir), name), note)
}

const failurePrefix = ({ model, dataset }: Pick<Failure, 'model' | 'dataset'>): string =>
  sha256(JSON.stringify([model, dataset]), 16)

const failureFile = (pair: Pick<Failure, 'model' | 'dataset'>, share: string): string =>
  `${failurePrefix(pair)}${share}.json`

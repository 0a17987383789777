/** What is kept beside the predictions: the data sets that were evaluated, and the models that could not be. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { type Dataset, type GroupValue, type Sample } from '../datasets/dataset.ts'
import { type DatasetSpec } from '../datasets/open.ts'
import { GeogapError } from '../lib/errors.ts'
import { ownValue } from '../lib/ownValue.ts'
import { jsonFileNames, storageError, orIfMissing, writeAtomically } from '../lib/files.ts'
import { jsonText } from '../lib/table/text.ts'
import { sha256 } from '../lib/hash.ts'
import { imageFolders, writeImageSources } from './imageSources.ts'

const failure = z.object({
  model: z.string(),
  dataset: z.string(),
  code: z.string(),
  message: z.string(),
})

/** A model that could not be evaluated on a data set, and why. */
export type Failure = z.infer<typeof failure>

type NamedThing = Readonly<{ name: string }>
export const failureOf = (
  model: NamedThing,
  dataset: NamedThing,
  { code, message }: GeogapError,
): Failure => ({
  ...{ model: model.name, dataset: dataset.name, code, message },
})

export const datasetRecord = z.object({
  name: z.string(),
  hash: z.string(),
  images: z.number().int(),
  classes: z.array(z.string()),
  columns: z.array(z.string()),
  /** Images with an accepted class by value, for `label`, the columns of few values, and `all`. */
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
  /** How it was opened, where a name or file was given: what `rescore` opens again. */
  opened: z.record(z.string(), z.unknown()).optional(),
  /** What says that the images are made up. */
  madeUp: z.string().optional(),
  /** Folders that hold the images' files or archives. */
  imageFolders: z.array(z.string()).optional(),
  problems: z.array(z.object({ id: z.string(), code: z.string(), message: z.string() })),
})

/** A data set as it was when it was evaluated. */
export type DatasetRecord = z.infer<typeof datasetRecord>

const failuresFolder = (dir: string): string => join(dir, 'failures')
const datasetsFolder = (dir: string): string => join(dir, 'datasets')

export async function writeJson(file: string, value: unknown): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeAtomically(file, handle => handle.writeFile(jsonText(value)))
  } catch (error) {
    throw storageError(file, error)
  }
}

/** The text of a record, checked; `what` it should be, with its article. Errors: bad-record, which names the file. */
export function parseRecord<T>(text: string, file: string, what: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new GeogapError('data', 'bad-record', `not ${what} of this version: ${file}`, { cause })
  }
}

/** Undefined where there is no such file, or another process has just removed it. */
export async function readRecord<T>(
  file: string,
  what: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const text = await orIfMissing(readFile(file, 'utf8'), undefined)
  return text === undefined ? undefined : parseRecord(text, file, what, schema)
}

/** All records of a folder by the names of their files, in the order of these. */
export async function readRecords<T>(
  folder: string,
  what: string,
  schema: z.ZodType<T>,
): Promise<Map<string, T>> {
  const records = new Map<string, T>()
  for (const name of await jsonFileNames(folder)) {
    const record = await readRecord(join(folder, name), what, schema)
    if (record !== undefined) records.set(name, record)
  }
  return records
}

export async function recordDataset(
  dir: string,
  dataset: Dataset,
  opened?: DatasetSpec,
): Promise<void> {
  const {
    name,
    hash,
    samples: items,
    classes,
    columns,
    labelMap,
    problems,
    regionMapping: places,
    notes,
    synthetic: madeUp,
  } = dataset
  await writeImageSources(dir, dataset)
  const note: DatasetRecord = {
    ...{
      name,
      hash,
      images: items.length,
      classes: [...classes],
      columns: [...columns],
      labelMap: labelMap.name,
    },
    sizes: groupSizes(dataset),
    ...(places && { places: { scheme: places.scheme, unmatched: [...places.unmatched] } }),
    ...(notes && { notes: [...notes] }),
    ...(opened && { opened: { ...opened } }),
    ...(madeUp !== undefined && { madeUp }),
    imageFolders: imageFolders(dataset),
    problems: [...problems],
  }
  await writeJson(join(datasetsFolder(dir), `${hash.slice(0, 16)}.json`), note)
}

const maxColumnValues = 1000

function groupSizes({ samples: items, columns }: Dataset): Record<string, Record<string, number>> {
  const scored = items.filter(({ labels }) => labels.length > 0)
  const count = (valueOf: (item: Sample) => GroupValue | undefined): Record<string, number> => {
    const counts = new Map<string, number>()
    for (const item of scored) {
      const value = valueOf(item)
      if (value != null) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1)
    }
    return Object.fromEntries(counts)
  }
  const byColumn = columns.map(
    column => [column, count(({ groups }) => ownValue(groups, column))] as const,
  )
  const few = byColumn.filter(([, counts]) => Object.keys(counts).length <= maxColumnValues)
  return {
    all: { all: scored.length },
    label: count(({ label }) => label),
    ...Object.fromEntries(few),
  }
}

/** Data sets by content hash. */
export async function readDatasetRecords(dir: string): Promise<Map<string, DatasetRecord>> {
  const notes = await readRecords(
    datasetsFolder(dir),
    'a note of an evaluated data set',
    datasetRecord,
  )
  return new Map([...notes.values()].map(note => [note.hash, note]))
}

export async function readFailures(dir: string): Promise<Failure[]> {
  const notes = await readRecords(failuresFolder(dir), 'a note of a failure', failure.nullable())
  const failures = [...notes.values()].filter(found => found !== null)
  return [...new Map(failures.map(found => [JSON.stringify(found), found])).values()]
}

/**
 * Notes for each attempted model and data set what failed this time, or that nothing did. Each `share` (`-1-of-3`) of a run has
 * files of its own, so that machines at work on one folder never write the same one; a whole run replaces what its shares noted.
 */
export async function recordFailures(
  dir: string,
  failures: readonly Failure[],
  attempted: readonly Pick<Failure, 'model' | 'dataset'>[],
  share = '',
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

const failureFile = (pair: Pick<Failure, 'model' | 'dataset'>, share = ''): string =>
  `${failurePrefix(pair)}${share}.json`

/*
 * A pack is one small file with everything that accuracies and disparities need: counts by model, data set, group and class,
 * how they were made, and under which terms. It holds no image and no prediction.
 */
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { z } from 'zod'
import { benchmarks } from '../datasets/benchmarks/index.ts'
import { fileReadError } from '../datasets/files.ts'
import { inputError } from '../lib/errors.ts'
import { benchmarkNameOf } from './datasetRoles.ts'
import { orIfMissing } from '../lib/files.ts'
import { type DatasetRecord, datasetRecord } from '../results/records.ts'
import { retiredFailure } from '../results/unusableResults.ts'
import { resultKey } from '../results/schema.ts'
import {
  distinctFieldValues,
  isRetired,
  type StoredEvaluation,
} from '../results/storedEvaluations.ts'
import { type CountsCell } from '../results/counts.ts'
import { openRun, type Run, createRun } from '../results/run.ts'
import { countsOf } from '../results/evaluationIndex.ts'
import { sum } from '../metrics/numbers.ts'
import { ownValue } from '../lib/ownValue.ts'
import { version } from '../lib/version.ts'

const packFormat = 'geogap pack 3'
const packValue = z.union([z.string(), z.number(), z.null()])

export const packSchema = z.object({
  format: z.literal(packFormat),
  /** Version of geogap that wrote the file. */
  geogap: z.string(),
  created: z.string(),
  /** Terms of the data sets that the counts are of. */
  terms: z.array(z.object({ dataset: z.string(), terms: z.string(), source: z.string() })),
  datasets: z.array(datasetRecord),
  evaluations: z.array(
    z.object({
      identity: resultKey,
      key: z.string(),
      rows: z.number().int(),
      errors: z.number().int(),
      seconds: z.number(),
      machine: z.string(),
      created: z.string(),
      columns: z.array(z.string()),
      /** Grouping columns of the counts: label first, then these. */
      by: z.array(z.string()),
      /** Sums over the households of the groups by each of the columns and by pairs of them; empty if the data set names no households. */
      households: z.array(
        z.object({
          by: z.array(z.string()),
          groups: z.array(
            z.object({
              group: z.string(),
              /** The value in each of several columns. */
              values: z.array(z.string()).optional(),
              clusters: z.number(),
              n: z.number(),
              top1: z.number(),
              sizeSquares: z.number(),
              hitSquares: z.number(),
              sizeHits: z.number(),
              hitShares: z.number(),
            }),
          ),
        }),
      ),
      /** One row a cell: label, group values, then n, top-1, top-5 (null if it is not known), errors, unscored. */
      counts: z.array(z.array(packValue)),
    }),
  ),
})
type Pack = z.infer<typeof packSchema>

/** Returns the counts of a run as the content of a pack file (gzipped JSON). */
export async function writePack(run: Run): Promise<Buffer> {
  const pack: Pack = {
    format: packFormat,
    geogap: version,
    created: new Date().toISOString(),
    terms: packTerms(run),
    datasets: [...run.datasets.values()].map(withoutPaths),
    evaluations: run.entries.map(entry => ({
      ...packEvaluation(entry, countsOf(run, entry.identity)),
      households: (run.households.get(entry.key) ?? []).map(({ by, groups }) => ({
        by: [...by],
        groups: groups.map(({ values, ...sums }) =>
          values ? { ...sums, values: [...values] } : sums,
        ),
      })),
    })),
  }
  return promisify(gzip)(JSON.stringify(pack), { level: 9 })
}

/** Removes file names of the machine that evaluated: messages, folders and options. */
const withoutPaths = (note: DatasetRecord): DatasetRecord => ({
  ...note,
  opened: undefined,
  problems: note.problems.map(({ id, code }) => ({ id, code, message: code })),
})

function packEvaluation(
  entry: StoredEvaluation,
  cells: readonly CountsCell[],
): Omit<Pack['evaluations'][number], 'households'> {
  const { identity, key, rows, created, shards } = entry
  const { machine, columns } = shards[0]!
  const by = Object.keys(cells[0]?.groups ?? {})
  return {
    identity,
    key,
    rows,
    errors: sum(shards.map(({ errors }) => errors)),
    seconds: sum(shards.map(({ seconds }) => seconds)),
    machine,
    created,
    columns,
    by,
    counts: cells.map(({ label, groups, n, top1, top5, errors, unscored }) => [
      label,
      ...by.map(column => ownValue(groups, column) ?? null),
      n,
      top1,
      top5 ?? null,
      errors,
      unscored,
    ]),
  }
}

function packTerms(run: Run): Pack['terms'] {
  return distinctFieldValues(run.entries, 'dataset').map(dataset => {
    const known = benchmarks.find(({ name }) => name === benchmarkNameOf(dataset))
    return { dataset, terms: known?.terms ?? 'not stated', source: known?.source ?? 'not stated' }
  })
}

/** Opens a folder of results, without the images that a slice lists, or a pack. Errors: no-images. */
export async function openResults(path: string, exclude?: string): Promise<Run> {
  const found = await orIfMissing(stat(path), undefined)
  if (!found?.isFile()) return openRun(path, exclude)
  if (exclude !== undefined)
    throw inputError(
      'no-images',
      `${path} is a pack: it has counts and no images, so none can be left out`,
    )
  return readPack(path)
}

/** Opens a pack as a run, which answers every question that counts can answer. Errors: bad-pack, missing-file. */
export async function readPack(file: string): Promise<Run> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw fileReadError(file, error)
  })
  const { datasets, evaluations: all } = await parsePack(bytes, file)
  const evaluations = all.filter(({ identity }) => !isRetired(identity))
  return createRun({
    dir: file,
    entries: evaluations.map(unpackEvaluation),
    datasets: new Map(datasets.map(note => [note.hash, note])),
    failures: all
      .filter(({ identity }) => isRetired(identity))
      .map(({ identity }) => retiredFailure(identity)),
    cells: evaluations.flatMap(unpackCounts),
    households: new Map(
      evaluations
        .filter(({ households }) => households.length > 0)
        .map(({ key, households }) => [key, households]),
    ),
  })
}

/** Largest unpacked size; the counts of the whole testbed take a hundredth of it. */
const maxUnpackedBytes = 1 << 30

/** Errors: bad-pack. */
export async function parsePack(bytes: Buffer, name: string): Promise<Pack> {
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: maxUnpackedBytes })
    return packSchema.parse(JSON.parse(text.toString('utf8')))
  } catch {
    throw inputError('bad-pack', `not a pack of this version (${packFormat}): ${name}`)
  }
}

function unpackEvaluation(packed: Pack['evaluations'][number]): StoredEvaluation {
  const { identity, key, rows, created, errors, columns, seconds, machine } = packed
  const place = { start: 0, end: rows, file: '', bytes: 0 }
  const shard = { ...place, identity, key, rows, errors, columns, seconds, machine, created }
  return { identity, key, folder: '', shards: [shard], damaged: [], rows, created }
}

function unpackCounts({ identity, by, counts }: Pack['evaluations'][number]): CountsCell[] {
  const { model, dataset, preprocessing } = identity
  return counts.map(row => {
    const numbers = row.slice(1 + by.length)
    const [n = 0, top1 = 0, , errors = 0, unscored = 0] = numbers.map(Number)
    const top5 = numbers[2] == null ? {} : { top5: Number(numbers[2]) }
    const groups = Object.fromEntries(by.map((column, i) => [column, row[1 + i] ?? null]))
    const cell = { model, dataset, preprocessing, label: String(row[0]), groups }
    return { ...cell, ...top5, n, top1, errors, unscored }
  })
}

/** Accuracies that others published, kept apart from own measurements below `imported/`. */
import { join } from 'node:path'
import { z } from 'zod'
import { readRecords, writeJson } from './records.ts'

const importedAccuracy = z.object({
  model: z.string(),
  benchmark: z.string(),
  /** Top-1 share. */
  accuracy: z.number().min(0).max(1),
  n: z.number().int().positive().nullable(),
  kind: z.enum(['1K', 'zero-shot']).nullable(),
  /** Pixels of a side, where the publisher states it. */
  imageSize: z.number().int().positive().nullable().default(null),
  source: z.string(),
})

/** One accuracy from elsewhere; `source` is the file that it came from. */
export type ImportedAccuracy = z.infer<typeof importedAccuracy>

const importedAccuracyFile = z.object({
  schema: z.literal(1),
  format: z.string(),
  source: z.string(),
  created: z.string(),
  rows: z.array(importedAccuracy),
})
export const importedAccuracyKind = {
  what: 'imported accuracies',
  schema: importedAccuracyFile,
}
export type ImportedAccuracyFile = z.infer<typeof importedAccuracyFile>

const importedFolder = (dir: string): string => join(dir, 'imported')

/** Replaces what was imported from a file of the same name. */
export async function recordImportedAccuracies(
  dir: string,
  name: string,
  content: ImportedAccuracyFile,
): Promise<string> {
  const file = join(importedFolder(dir), `${name.replace(/[^\w.-]+/g, '_')}.json`)
  await writeJson(file, content)
  return file
}

/**
 * Reads all imported accuracies of a folder of results, at one image size for each model. Of two accuracies of a model on a
 * benchmark the later file's counts.
 */
export async function readImportedAccuracies(dir: string): Promise<ImportedAccuracy[]> {
  const files = await readRecords(importedFolder(dir), importedAccuracyKind)
  const known = new Map<string, ImportedAccuracy>()
  for (const one of atOneSize([...files.values()].flatMap(({ rows }) => rows)))
    known.set(JSON.stringify([one.model, one.benchmark]), one)
  return [...known.values()]
}

/** Keeps the accuracies of each model at the image size that most of its benchmarks have, of equally many the smallest. */
export function atOneSize(rows: readonly ImportedAccuracy[]): ImportedAccuracy[] {
  const benchmarks = new Map<string, Map<number, Set<string>>>()
  for (const { model, benchmark, imageSize } of rows) {
    if (imageSize === null) continue
    const sizes = benchmarks.get(model) ?? new Map<number, Set<string>>()
    benchmarks.set(model, sizes)
    sizes.set(imageSize, (sizes.get(imageSize) ?? new Set()).add(benchmark))
  }
  const chosen = new Map(
    Array.from(benchmarks, ([model, sizes]) => {
      const [first] = [...sizes].sort(([a, x], [b, y]) => y.size - x.size || a - b)
      return [model, first![0]]
    }),
  )
  return rows.filter(
    ({ model, imageSize }) => imageSize === null || imageSize === chosen.get(model),
  )
}

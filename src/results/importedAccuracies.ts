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

/** All imported accuracies of a folder of results, file by file; of a model's second accuracy on a benchmark the later file's. */
export async function readImportedAccuracies(dir: string): Promise<ImportedAccuracy[]> {
  const known = new Map<string, ImportedAccuracy>()
  for (const { rows } of (await readRecords(importedFolder(dir), importedAccuracyKind)).values())
    for (const one of rows) known.set(JSON.stringify([one.model, one.benchmark]), one)
  return [...known.values()]
}

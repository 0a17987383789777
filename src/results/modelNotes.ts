/** Records of what makes a model's results doubtful, such as guessed preprocessing: `models/NAME.json` beside the predictions. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { sha256 } from '../lib/hash.ts'
import { readRecords, writeJson } from './records.ts'
import { type StoredEvaluation, slug, distinctFieldValues } from './storedEvaluations.ts'

const folder = 'models'

export const modelNoteKind = {
  what: 'a note of a model',
  schema: z.object({ model: z.string(), note: z.string().nullable() }),
}

/** Records the notes of models; a model that no longer has one loses it. */
export async function recordModelNotes(
  dir: string,
  models: readonly { name: string; note?: string | undefined }[],
): Promise<void> {
  for (const { name, note = null } of models) {
    const file = join(dir, folder, `${slug(name)}-${sha256(name, 8)}.json`)
    if (note !== null || existsSync(file)) await writeJson(file, { model: name, note })
  }
}

/** Reads the notes by the models' names. */
export async function readModelNotes(dir: string): Promise<Map<string, string>> {
  const records = [...(await readRecords(join(dir, folder), modelNoteKind)).values()]
  return new Map(records.flatMap(({ model, note }) => (note === null ? [] : [[model, note]])))
}

/** Returns the notes of the models that the results are of, each with its name. */
export const modelWarnings = ({
  entries,
  modelNotes,
}: {
  entries: readonly Pick<StoredEvaluation, 'identity'>[]
  modelNotes: ReadonlyMap<string, string>
}): string[] =>
  distinctFieldValues(entries, 'model').flatMap(model => {
    const note = modelNotes.get(model)
    return note === undefined ? [] : [`warning: ${model}: ${note}`]
  })

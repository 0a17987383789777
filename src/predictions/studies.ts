/** Results of training experiments (tables 4 and 9) below `studies/`, one file a study. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { inputError } from '../errors.ts'
import { jsonNames, whereThere } from '../files.ts'
import { writeJson } from './notes.ts'

const stored = z.object({
  schema: z.literal(1),
  rows: z.array(
    z.object({
      /** What was trained; a study may hold several. */
      model: z.string().optional(),
      /** What was varied: the share of the training data, 0 … 1; in `neighbours` their number k. */
      setting: z.number(),
      /** `dollarstreet accuracy`, `geode disparity` and the like are shares; what `storedVotes` says for `neighbours`. */
      metric: z.string(),
      /** One value a seed. */
      values: z.array(z.number().nullable()),
    }),
  ),
})

/** One figure of an experiment over its seeds. */
export type StudyValues = z.infer<typeof stored>['rows'][number]

const fileOf = (dir: string, study: string): string => join(dir, 'studies', `${study}.json`)

/**
 * Keeps a study's figures: `last-layer` for tables 4 and 9, `western-share` for figure 11, `neighbours` for appendix F. Those
 * of a named model replace its own alone.
 */
export async function recordStudy(
  dir: string,
  study: string,
  rows: readonly StudyValues[],
  model?: string,
): Promise<void> {
  const before = model === undefined ? [] : ((await readStudy(dir, study)) ?? [])
  const others = before.filter(row => row.model !== undefined && row.model !== model)
  const mine = rows.map(({ setting, metric, values }) => ({ ...(model !== undefined && { model }), setting, metric, values })) // prettier-ignore
  await writeJson(fileOf(dir, study), { schema: 1, rows: [...others, ...mine] })
}

/** Null where no such study is stored. */
export async function readStudy(dir: string, study: string): Promise<StudyValues[] | null> {
  const file = fileOf(dir, study)
  const text = await whereThere(readFile(file, 'utf8'), null)
  if (text === null) return null
  const parsed = stored.safeParse(JSON.parse(text))
  if (!parsed.success) throw inputError('bad-study', `not a stored study of this version: ${file}`)
  return parsed.data.rows
}

/** All stored studies by name. */
export async function readStudies(dir: string): Promise<Map<string, StudyValues[]>> {
  const names = (await jsonNames(join(dir, 'studies'))).map(name => name.slice(0, -'.json'.length))
  const studies = new Map<string, StudyValues[]>()
  for (const name of names) studies.set(name, (await readStudy(dir, name)) ?? [])
  return studies
}

/** Results of training experiments (tables 4 and 9) below `studies/`, one file a study. */
import { join } from 'node:path'
import { z } from 'zod'
import { readRecord, readRecords, writeJson } from './notes.ts'

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

const what = 'a stored study'

/** Null where no such study is stored. */
export const readStudy = async (dir: string, study: string): Promise<StudyValues[] | null> =>
  (await readRecord(fileOf(dir, study), what, stored))?.rows ?? null

/** All stored studies by name. */
export async function readStudies(dir: string): Promise<Map<string, StudyValues[]>> {
  const studies = await readRecords(join(dir, 'studies'), what, stored)
  return new Map([...studies].map(([name, { rows }]) => [name.slice(0, -'.json'.length), rows]))
}

/** Results of training experiments (tables 4 and 9) below `studies/`, one file for each study and model. */
import { join } from 'node:path'
import { z } from 'zod'
import { sha256 } from '../lib/hash.ts'
import { readRecords, writeJson } from './records.ts'
import { slug } from './storedEvaluations.ts'

const studyRecord = z.object({
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

export const studyKind = { what: 'a stored study', schema: studyRecord }

/** One figure of an experiment over its seeds. */
export type StudyValues = z.infer<typeof studyRecord>['rows'][number]

/** `last-layer`, and the model that was trained. */
export interface StudyId {
  study: string
  model?: string | undefined
}

/** Returns `last-layer.json`, or `last-layer.MODEL-HASH.json`. */
const studyFile = ({ study, model }: StudyId): string =>
  `${model === undefined ? study : `${study}.${slug(model)}-${sha256(model, 8)}`}.json`

/**
 * Stores the figures of a study: `last-layer` for tables 4 and 9, `western-share` for figure 11, `neighbours` for appendix F. Each named
 * model has a file of its own, so that experiments that end at once lose none; figures without a model give way to those with one.
 */
export const recordStudy = (
  dir: string,
  id: StudyId,
  rows: readonly StudyValues[],
): Promise<void> =>
  writeJson(join(dir, 'studies', studyFile(id)), {
    schema: 1,
    rows: rows.map(({ setting, metric, values }) => ({ model: id.model, setting, metric, values })),
  })

/** Reads a study's figures; null if no such study is stored. */
export const readStudy = async (dir: string, study: string): Promise<StudyValues[] | null> =>
  (await readStudies(dir)).get(study) ?? null

/** Reads all stored studies by name. A study's file of all models counts for models without a file of their own. */
export async function readStudies(dir: string): Promise<Map<string, StudyValues[]>> {
  const files = await readRecords(join(dir, 'studies'), studyKind)
  const studies = new Map<string, StudyValues[]>()
  for (const ofAll of [false, true])
    for (const [file, { rows }] of files) {
      const study = file.split('.')[0]!
      if ((file === `${study}.json`) !== ofAll) continue
      const known = studies.get(study) ?? []
      const own = new Set(known.map(({ model }) => model))
      const others = rows.filter(
        ({ model }) => own.size === 0 || (model !== undefined && !own.has(model)),
      )
      studies.set(study, [...known, ...others])
    }
  return studies
}

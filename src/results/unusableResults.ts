/** Describes stored results that no answer uses: damaged ones, and those of preprocessing modes of earlier versions. */
import { modelNoteKind } from './modelNotes.ts'
import { join } from 'node:path'
import { countText } from '../lib/table/text.ts'
import { totalLength } from '../lib/ranges.ts'
import { estimatesKind } from './estimates.ts'
import { importedAccuracyKind } from './importedAccuracies.ts'
import {
  datasetRecordKind,
  type Failure,
  failureKind,
  failureText,
  type RecordKind,
  readRecordFolder,
} from './records.ts'
import { metricNotStored } from './outcomeMetrics.ts'
import { type RecordedRun } from './runRecords.ts'
import { type ResultKey } from './schema.ts'
import { type StoredEvaluation } from './storedEvaluations.ts'
import { studyKind } from './studies.ts'

/** The `code` of a retired or a damaged evaluation among a run's failures. */
const unusableCodes = { retired: 'retired-preprocessing', damaged: 'damaged' }

/** Returns why a retired evaluation is left out, in the form of a failed one. */
export const retiredFailure = (identity: ResultKey): Failure =>
  unusableFailure(identity, unusableCodes.retired, retiredText(identity))

/** Says why a retired evaluation is left out. */
export const retiredText = ({ preprocessing }: Pick<ResultKey, 'preprocessing'>): string =>
  `stored with preprocessing ${preprocessing}, which this version does not have: evaluate again`

/** Says which images of an evaluation are missing because shards are damaged; null if none are. */
export function damageText({ damaged }: Pick<StoredEvaluation, 'damaged'>): string | null {
  const [first] = damaged
  if (!first) return null
  const others = damaged.length > 1 ? ` (and ${countText(damaged.length - 1, 'other file')})` : ''
  return `results of ${countText(totalLength(damaged), 'image')} are damaged, ${first.reason}${others}: the same evaluation computes them again`
}

/** Returns why parts of evaluations are left out. */
export const damageFailures = (entries: readonly StoredEvaluation[]): Failure[] =>
  entries.flatMap(entry => {
    const text = damageText(entry)
    return text === null ? [] : unusableFailure(entry.identity, unusableCodes.damaged, text)
  })

/** The records of a folder of results but those of evaluations. */
const recordKinds: [folder: string, RecordKind<unknown>][] = [
  ['datasets', datasetRecordKind],
  ['failures', failureKind],
  ['estimates', estimatesKind],
  ['studies', studyKind],
  ['models', modelNoteKind],
  ['imported', importedAccuracyKind],
]

/** Returns a failure without a model for each record below `dir` that cannot be read. */
export async function damagedRecordFailures(
  dir: string,
  runs: readonly RecordedRun[],
): Promise<Failure[]> {
  const failures = runs
    .filter(({ state }) => state === 'damaged')
    .map(({ id, message = '' }) => {
      const effect = 'what was asked for last may be another evaluation than the one shown'
      return recordFailure(`runs/${id}.json`, `${message}; ${effect}`)
    })
  for (const [folder, kind] of recordKinds)
    for (const [name, message] of (await readRecordFolder(join(dir, folder), kind)).damaged)
      failures.push(
        recordFailure(
          `${folder}/${name}`,
          folder === 'failures' ? `${message}; remove it` : message,
        ),
      )
  return failures
}

const recordFailure = (file: string, message: string): Failure =>
  unusableFailure({ model: '', dataset: file }, unusableCodes.damaged, message)

const unusableFailure = (
  { model, dataset }: Pick<ResultKey, 'model' | 'dataset'>,
  code: string,
  message: string,
): Failure => ({ model, dataset, code, message })

/** Returns a note for each stored result that is left out. */
export function unusableNotes(failures: readonly Failure[]): string[] {
  const unusable = failures.filter(({ code }) => Object.values(unusableCodes).includes(code))
  const [unmeasured, ...others] = failures.filter(({ code }) => code === metricNotStored)
  const more = others.length === 0 ? '' : ` (${others.length} more evaluations likewise)`
  return [
    ...unusable.map(failure => `left out: ${failureText(failure)}`),
    ...(unmeasured ? [`left out: ${failureText(unmeasured)}${more}`] : []),
  ]
}

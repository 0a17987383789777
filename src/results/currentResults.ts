import { type OutcomeMetricName } from './metricNames.ts'
import { isDeepStrictEqual } from 'node:util'
import { GeogapError } from '../lib/errors.ts'
import { type Failure, readFailures } from './records.ts'
import { damagedRecordFailures, damageFailures, retiredFailure } from './unusableResults.ts'
import {
  currentEvaluations,
  type RecordedRun,
  readRunRecords,
  requestedIdentities,
} from './runRecords.ts'
import { withMetric } from './outcomeMetrics.ts'
import { excludeImages, readExclusion } from './slices.ts'
import {
  isKnown,
  isRetired,
  isUsable,
  readEvaluationFolders,
  type StoredEvaluation,
  mayAnswer,
} from './storedEvaluations.ts'
import { haveListedColumns, withoutUnreadableShards } from './unreadableShards.ts'

/** The stored results that answers come from. */
export interface CurrentResults {
  /** One evaluation for every model, data set and preprocessing. */
  entries: StoredEvaluation[]
  /** Models that could not be evaluated, and stored results that are left out. */
  failures: Failure[]
}

/**
 * Reads the results below `dir` that answers come from, without the images of the slice `exclude`. With a metric, each image has what it
 * counts for under that metric in place of whether its first class is right. Errors: no-results.
 */
export async function readCurrentResults(
  dir: string,
  exclude?: string,
  metric: OutcomeMetricName = 'top1',
): Promise<CurrentResults> {
  const stored = await currentResultsOf(dir, await readEvaluationFolders(dir))
  const results = exclude === undefined ? stored : await excludeListed(stored, exclude)
  if (metric === 'top1') return results
  return answerFromReadable(results, async ({ entries, failures }) => {
    const measured = await withMetric(entries, metric)
    return { entries: measured.entries, failures: [...failures, ...measured.failures] }
  })
}

/** Returns of all evaluations below `dir`, as `readEvaluationFolders` has them, those that answers come from. */
export async function currentResultsOf(
  dir: string,
  all: readonly StoredEvaluation[],
): Promise<CurrentResults> {
  const runs = await readRunRecords(dir)
  const stored = nameByRequests(all, runs)
  const retired = stored.filter(({ identity }) => isRetired(identity))
  const unknown = stored.filter(({ identity }) => !isKnown(identity))
  const current = currentEvaluations(stored.filter(mayAnswer), runs)
  const failures = [
    ...(await readFailures(dir)),
    ...retired.map(({ identity }) => retiredFailure(identity)),
    ...damageFailures([...current, ...unknown]),
    ...(await damagedRecordFailures(dir, runs)),
  ]
  return { entries: current.filter(isUsable), failures }
}

async function excludeListed(results: CurrentResults, slice: string): Promise<CurrentResults> {
  const exclusion = await readExclusion(slice)
  return answerFromReadable(results, async ({ entries, failures }) => ({
    entries: await excludeImages(entries, exclusion),
    failures,
  }))
}

/**
 * Does `work` with results. If one of its queries fails because shards cannot be read, does it again without them and with their
 * failures.
 */
export async function answerFromReadable<T>(
  results: CurrentResults,
  work: (results: CurrentResults) => Promise<T>,
): Promise<T> {
  try {
    return await work(results)
  } catch (error) {
    if (!(error instanceof GeogapError) || error.code !== 'query-failed') throw error
    const readable = await readableResults(results)
    if (readable === results) throw error
    return work(readable)
  }
}

/**
 * Returns results without the shards that cannot be read, if the file of some shard is no Parquet or lacks a column that its manifest
 * lists. Reads only the schemas of the files otherwise.
 */
export const consistentResults = (results: CurrentResults): Promise<CurrentResults> =>
  answerFromReadable(results, async results =>
    (await haveListedColumns(results.entries)) ? results : readableResults(results),
  )

/** Returns results without the shards that cannot be read, which count as damaged. Reads every value of every shard. */
export async function readableResults(results: CurrentResults): Promise<CurrentResults> {
  const { entries, failures } = results
  const readable: StoredEvaluation[] = []
  for (const entry of entries) readable.push(await withoutUnreadableShards(entry))
  const changed = readable.filter((entry, i) => entry !== entries[i])
  if (changed.length === 0) return results
  const replaced = damageFailures(entries.filter(entry => !readable.includes(entry)))
  const known = failures.filter(one => !replaced.some(other => isDeepStrictEqual(one, other)))
  return { entries: readable.filter(isUsable), failures: [...known, ...damageFailures(changed)] }
}

/** Gives evaluations without any readable manifest the key that was asked for. */
export function nameByRequests(
  entries: readonly StoredEvaluation[],
  runs: readonly RecordedRun[],
): StoredEvaluation[] {
  const asked = requestedIdentities(runs)
  return entries.map(entry =>
    entry.shards.length > 0
      ? entry
      : { ...entry, identity: asked.get(entry.key) ?? entry.identity },
  )
}

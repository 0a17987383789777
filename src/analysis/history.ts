/** Lists stored evaluations in the order of time, each once for each set of tags (`--tag`). */
import { basename, resolve } from 'node:path'
import { unknownNameError } from '../lib/errors.ts'
import { groupByKey } from '../lib/tally.ts'
import { groupBy, sumCounts } from '../metrics/accuracy.ts'
import { clusteredAccuracy } from '../metrics/designEffect.ts'
import { defaultMinN, disparity } from '../metrics/disparity.ts'
import { countByColumns } from '../results/counts.ts'
import { answerFromReadable, nameByRequests } from '../results/currentResults.ts'
import { damageFailures, unusableNotes } from '../results/unusableResults.ts'
import { overallClustering, readHouseholdMoments } from '../results/households.ts'
import {
  lastRequests,
  type RecordedRun,
  readRunRecords,
  type RunTags,
  tagsText,
} from '../results/runRecords.ts'
import {
  isUsable,
  readEvaluationFolders,
  type StoredEvaluation,
} from '../results/storedEvaluations.ts'
import { pullResults } from '../results/sync.ts'

/** One evaluation under one set of tags; shares in 0 … 1. */
export interface HistoryRow {
  /** When the run with these tags began; without tags, when the evaluation was last asked for. ISO. */
  time: string
  folder: string
  tags: RunTags
  entry: StoredEvaluation
  n: number
  top1: number | null
  /** 95 % interval of `top1`. */
  low: number | null
  high: number | null
  by: string | null
  worst: string | null
  worstAccuracy: number | null
  disparity: number | null
}

export interface HistoryOptions {
  /** Column of the groups. Default: region, else country. */
  by?: string
  /** Groups with fewer images are neither the worst group nor in the disparity. Default 30. */
  minN?: number
  /** A slice whose images are left out everywhere. */
  exclude?: string
}

/** The lines of a history, and sentences about stored results that are left out because they are damaged. */
export interface History {
  rows: HistoryRow[]
  notes: string[]
}

/**
 * Reads every stored evaluation below the folders, including those that later ones replaced, oldest first.
 * Errors: no-results, unknown-column.
 */
export async function readHistory(
  folders: readonly string[],
  options: HistoryOptions = {},
): Promise<History> {
  const rows: HistoryRow[] = []
  const notes: string[] = []
  for (const place of folders) {
    const dir = await pullResults(place)
    const runs = await readRunRecords(dir)
    const stored = nameByRequests(await readEvaluationFolders(dir), runs)
    const results = { entries: stored.filter(isUsable), failures: damageFailures(stored) }
    const found = await answerFromReadable(results, async ({ entries, failures }) => {
      const own: HistoryRow[] = []
      const folder = basename(resolve(place))
      const left = await leftEntries(entries, options.exclude)
      const measured = await measureEvaluations(left, options)
      for (const [i, stored] of entries.entries())
        for (const { tags, time } of taggedRuns(stored, runs))
          own.push({ time, folder, tags, entry: left[i]!, ...measured.get(left[i]!)! })
      return { rows: own, failures }
    })
    rows.push(...found.rows)
    notes.push(...unusableNotes(found.failures))
  }
  const columns = [...new Set(rows.flatMap(({ entry }) => entry.shards[0]!.columns))]
  if (options.by !== undefined && !columns.includes(options.by))
    throw unknownNameError('column', options.by, columns)
  return { rows: rows.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)), notes }
}

/** Returns the evaluations without the images of a slice. */
async function leftEntries(
  stored: readonly StoredEvaluation[],
  exclude: string | undefined,
): Promise<readonly StoredEvaluation[]> {
  if (exclude === undefined) return stored
  const { excludeImages, readExclusion } = await import('../results/slices.ts')
  return excludeImages(stored, await readExclusion(exclude))
}

type Measured = Omit<HistoryRow, 'time' | 'folder' | 'tags' | 'entry'>

/** Measures accuracy, worst group and disparity by the first of the columns that an evaluation has; without one, accuracy alone. */
async function measureEvaluations(
  entries: readonly StoredEvaluation[],
  { by, minN = defaultMinN }: HistoryOptions,
): Promise<Map<StoredEvaluation, Measured>> {
  const wanted = by === undefined ? ['region', 'country'] : [by]
  const columnOf = ({ shards }: StoredEvaluation): string | null =>
    wanted.find(name => shards[0]!.columns.includes(name)) ?? null
  const moments = await readHouseholdMoments(entries, [[]])
  const measured = new Map<StoredEvaluation, Measured>()
  for (const [column, members] of groupByKey(entries, columnOf)) {
    const counted = await countByColumns(members, column === null ? [] : [column])
    for (const [i, entry] of members.entries()) {
      const cells = counted[i]!
      const clustering = overallClustering(moments.get(entry.key))
      const { n, top1, interval } = clusteredAccuracy(sumCounts(cells), clustering)
      const groups = disparity(column === null ? [] : groupBy(cells, [column]).groups, minN)
      measured.set(entry, {
        n,
        top1,
        low: interval?.[0] ?? null,
        high: interval?.[1] ?? null,
        by: column,
        worst: groups.worst,
        worstAccuracy: groups.worstAccuracy,
        disparity: groups.disparity,
      })
    }
  }
  return measured
}

/** Returns when an evaluation was run, once for each different set of tags. */
function taggedRuns(
  { key, created }: StoredEvaluation,
  runs: readonly RecordedRun[],
): { tags: RunTags; time: string }[] {
  const mine = runs.filter(({ asked }) => asked.some(each => each.key === key))
  const named = new Map(
    mine.flatMap(({ tags, started }) =>
      tags ? [[tagsText(tags), { tags, time: started }] as const] : [],
    ),
  )
  return named.size > 0
    ? [...named.values()]
    : [{ tags: {}, time: lastRequests(mine).get(key)?.started ?? created }]
}

import { defaultMinN } from '../metrics/disparity.ts'
import { basename, resolve } from 'node:path'
import { unknownNameError } from '../lib/errors.ts'
import { countByColumns } from '../results/counts.ts'
import { readRunRecords } from '../results/runRecords.ts'
import { type StoredEvaluation, readStoredEvaluations } from '../results/store.ts'
import { pullResults } from '../results/sync.ts'
import { historyMeasures, type HistoryRow, taggedRuns } from './history.ts'

export interface HistoryOptions {
  /** Column of the groups. Default: region, else country. */
  by?: string
  /** Groups with fewer images are neither the worst group nor in the disparity. Default 30. */
  minN?: number
  /** A slice whose images are left out everywhere. */
  exclude?: string
}

/**
 * Reads every stored evaluation below the folders, including those that later ones replaced, oldest first.
 * Errors: no-results, unknown-column.
 */
export async function readHistory(
  folders: readonly string[],
  options: HistoryOptions = {},
): Promise<HistoryRow[]> {
  const rows: HistoryRow[] = []
  for (const place of folders) {
    const dir = await pullResults(place)
    const runs = await readRunRecords(dir)
    for (const entry of await readHistoryEntries(dir, options.exclude)) {
      const measured = await measureEvaluation(entry.left, options)
      for (const { tags, time } of taggedRuns(entry.stored, runs))
        rows.push({ time, folder: basename(resolve(place)), tags, entry: entry.left, ...measured })
    }
  }
  const columns = [...new Set(rows.flatMap(({ entry }) => entry.shards[0]!.columns))]
  if (options.by !== undefined && !columns.includes(options.by))
    throw unknownNameError('column', options.by, columns)
  return rows.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
}

/** Returns each evaluation as it is stored, which the run records name, and without the images of a slice. */
async function readHistoryEntries(
  dir: string,
  exclude: string | undefined,
): Promise<{ stored: StoredEvaluation; left: StoredEvaluation }[]> {
  const stored = await readStoredEvaluations(dir)
  if (exclude === undefined) return stored.map(entry => ({ stored: entry, left: entry }))
  const { excludeImages, readExclusion } = await import('../results/slices.ts')
  const left = await excludeImages(stored, await readExclusion(exclude))
  return stored.map((entry, i) => ({ stored: entry, left: left[i]! }))
}

async function measureEvaluation(
  entry: StoredEvaluation,
  { by, minN = defaultMinN }: HistoryOptions,
) {
  const { columns } = entry.shards[0]!
  const column =
    (by === undefined ? ['region', 'country'] : [by]).find(name => columns.includes(name)) ?? null
  const cells = await countByColumns(entry, column === null ? [] : [column])
  return historyMeasures(cells, column, minN)
}

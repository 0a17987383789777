/** Computes the rows of the history: stored evaluations in the order of time, each once for each set of tags (`--tag`). */
import { accuracy, groupBy, sumCounts } from '../metrics/accuracy.ts'
import { disparity } from '../metrics/disparity.ts'
import { lastAskedTimes, type RecordedRun, type RunTags, tagsText } from '../results/runRecords.ts'
import { type CountsCell, type StoredEvaluation } from '../results/store.ts'

/** One evaluation under one set of tags; shares in 0 … 1. */
export interface HistoryRow extends HistoryMeasures {
  /** When the run with these tags began; without tags, when the evaluation was last asked for. ISO. */
  time: string
  folder: string
  tags: RunTags
  entry: StoredEvaluation
}

interface HistoryMeasures {
  n: number
  top1: number | null
  /** 95 % Wilson interval of `top1`. */
  low: number | null
  high: number | null
  by: string | null
  worst: string | null
  worstAccuracy: number | null
  disparity: number | null
}

/** Returns when an evaluation was run, once for each different set of tags. */
export function taggedRuns(
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
    : [{ tags: {}, time: lastAskedTimes(mine).get(key) ?? created }]
}

/** Returns accuracy, worst group and disparity from counts by `column`; without a column, accuracy alone. */
export function historyMeasures(
  cells: readonly CountsCell[],
  column: string | null,
  minN: number,
): HistoryMeasures {
  const { n, top1, interval } = accuracy(sumCounts(cells))
  const groups = disparity(column === null ? [] : groupBy(cells, [column]).groups, minN)
  return {
    n,
    top1,
    low: interval?.[0] ?? null,
    high: interval?.[1] ?? null,
    by: column,
    worst: groups.worst,
    worstAccuracy: groups.worstAccuracy,
    disparity: groups.disparity,
  }
}

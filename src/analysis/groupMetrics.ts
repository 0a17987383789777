/** Metrics of groups that are no mean over images: macro accuracy, calibration, the worst groups, recall and confusions. */
import { readJson } from '../lib/archive/json.ts'
import { groupByKey } from '../lib/tally.ts'
import { groupBy, groupName } from '../metrics/accuracy.ts'
import { clusterMoments, groupClusterings } from '../metrics/designEffect.ts'
import { splitBySize } from '../metrics/disparity.ts'
import { type Estimate } from '../metrics/intervals.ts'
import { type ClassCluster, macroEstimate, worstMean } from '../metrics/macroMean.ts'
import { countByHousehold } from '../results/households.ts'
import { type GroupCalibration, readCalibration, readConfusions } from '../results/groupSums.ts'
import { type GroupMetricName } from '../results/metricNames.ts'
import { isOfCounts } from '../results/schema.ts'
import {
  type EvaluationId,
  evaluationIdOf,
  type StoredEvaluation,
} from '../results/storedEvaluations.ts'
import { type Run } from '../results/run.ts'
import { countsOf, evaluationsOf } from '../results/evaluationIndex.ts'
import { countCombinations } from './combinationCounts.ts'

/** What a metric of groups needs, and what it says. */
export interface GroupMetric {
  name: GroupMetricName
  title: string
  needs: string
  note: string
}

export const groupMetrics = readJson(
  new URL('./groupMetrics.json', import.meta.url),
) as readonly GroupMetric[]

/** A value of one group, with its interval or the reason for none. */
export interface GroupMetricRow extends EvaluationId, Estimate {
  group: string
  n: number
}

/** Returns the macro accuracy of each group; without columns of all images. */
export async function macroRows(run: Run, by: readonly string[]): Promise<GroupMetricRow[]> {
  const rows: GroupMetricRow[] = []
  for (const entry of run.entries) {
    const cells = await classCells(run, entry, by)
    for (const [group, own] of groupByKey(cells, cell => cell.group)) {
      const n = own.reduce((sum, cell) => sum + cell.n, 0)
      rows.push({ ...evaluationIdOf(entry), group, n, ...macroEstimate(own) })
    }
  }
  return rows
}

/** Returns the counts of each class by group, and by household if the data set names them. */
async function classCells(
  run: Run,
  entry: StoredEvaluation,
  by: readonly string[],
): Promise<(ClassCluster & { group: string })[]> {
  const cells = countsOf(run, evaluationIdOf(entry))
  const counts = await countCombinations(entry, [...by, 'label'], { run, cells })
  return counts.map(({ values, ...rest }) => ({
    group: groupName(values.slice(0, -1)),
    class: values.at(-1)!,
    ...rest,
  }))
}

/** The mean accuracy of the worst groups of one evaluation. */
export interface WorstGroupsRow extends EvaluationId, Estimate {
  by: string
  worst: string
  groups: number
}

/** Returns the accuracy of the worst group, or the mean of the worst fifth, of groups of at least `minN` images. */
export async function worstRows(
  run: Run,
  { by, minN, part }: { by: string; minN: number; part: number },
): Promise<WorstGroupsRow[]> {
  const rows: WorstGroupsRow[] = []
  for (const entry of run.entries) {
    const { groups } = groupBy(countsOf(run, evaluationIdOf(entry)), [by])
    if (groups.length === 0) continue
    const clusters = await countByHousehold(entry, by, run.entries)
    const clusterings = clusters && groupClusterings(clusterMoments(clusters))
    const kept = splitBySize(groups, minN).kept.map(counts => ({
      ...counts,
      clustering: clusterings?.get(counts.group) ?? null,
    }))
    const { worst, ...found } = worstMean(kept, part)
    rows.push({ ...evaluationIdOf(entry), by, ...found, worst: worst.join(', ') })
  }
  return rows
}

/** The calibration of one group. */
export type CalibrationRow = EvaluationId & GroupCalibration

/** Returns the calibration of each group; without a column of all images. */
export async function calibrationRows(run: Run, by: readonly string[]): Promise<CalibrationRow[]> {
  const rows: CalibrationRow[] = []
  for (const entry of run.entries)
    for (const row of await readCalibration(entry, by, run.entries))
      rows.push({ ...evaluationIdOf(entry), ...row })
  return rows
}

/** The images of a class in a group that are taken for another class. */
export interface ConfusionRow extends EvaluationId {
  group: string
  label: string
  /** Images of the class in the group. */
  n: number
  instead: string
  /** Those of them that are taken for `instead`. */
  taken: number
}

/** Returns which class is predicted instead, for each class of each group, the most frequent first. */
export async function confusionRows(run: Run, by: readonly string[]): Promise<ConfusionRow[]> {
  const rows: ConfusionRow[] = []
  for (const entry of run.entries) {
    if (isOfCounts(entry.identity)) continue
    const classes = run.datasets.get(entry.identity.content)?.classes
    for (const { first, ...row } of await readConfusions(entry, by, run.entries))
      rows.push({ ...evaluationIdOf(entry), ...row, instead: classes?.[first] ?? String(first) })
  }
  return rows
}

/** The recall of a class in a group, with the class that is most often taken instead. */
export interface RecallRow extends GroupMetricRow {
  label: string
  instead: string | null
  /** Share of the images that are taken for `instead`. */
  insteadShare: number | null
}

/** Returns the recall of each class in each group. */
export async function recallRows(run: Run, by: readonly string[]): Promise<RecallRow[]> {
  const confusions = groupByKey(await confusionRows(run, by), row =>
    JSON.stringify([row.model, row.dataset, row.preprocessing, row.group, row.label]),
  )
  return run
    .accuracy({ by: [...by, 'label'] })
    .map(({ model, dataset, preprocessing, groups, n, top1, low, high, reason }) => {
      const group = groupName(by.map(column => groups[column]!))
      const label = String(groups['label'])
      const [most] =
        confusions.get(JSON.stringify([model, dataset, preprocessing, group, label])) ?? []
      return {
        model,
        dataset,
        preprocessing,
        group,
        label,
        n,
        value: top1,
        interval: low === null || high === null ? null : ([low, high] as const),
        reason,
        instead: most?.instead ?? null,
        insteadShare: most ? most.taken / most.n : null,
      }
    })
}

/** Names the evaluations that a metric of groups has nothing of, and why. */
export const countedOnlyNotes = (run: Run, { title, needs }: GroupMetric): string[] =>
  evaluationsOf(run, {})
    .filter(({ identity }) => isOfCounts(identity))
    .map(
      ({ identity }) =>
        `${title} of ${identity.model} on ${identity.dataset}: none, for counts by group have no single images; it needs ${needs}`,
    )

import { type OutcomeMetricName } from './metricNames.ts'
import { inputError, nearestNames } from '../lib/errors.ts'
import { memoizeByObject } from '../lib/memoize.ts'
import { ownValue } from '../lib/ownValue.ts'
import { type GroupCounts, groupBy, sumCounts } from '../metrics/accuracy.ts'
import {
  clusteredAccuracy,
  type GroupClustering,
  groupClusterings as groupClusteringsOf,
} from '../metrics/designEffect.ts'
import { finiteInterval } from '../metrics/anytime.ts'
import { defaultMinN, disparity, type Disparity, pairDifference } from '../metrics/disparity.ts'
import { type Estimate, type Interval } from '../metrics/intervals.ts'
import {
  hasHouseholds,
  type HouseholdMoments,
  momentsBy,
  readHouseholdMoments,
} from './households.ts'
import { pullResults } from './sync.ts'
import { type CountsCell, maxColumnValues, readCounts } from './counts.ts'
import { type DatasetRecord, type Failure, readDatasetRecords } from './records.ts'
import { type EstimateRow, readEstimates } from './estimates.ts'
import { answerFromReadable, readCurrentResults } from './currentResults.ts'
import { hasFractions } from './outcomeMetrics.ts'
import { valueClusterings } from '../metrics/valueMeans.ts'
import { type EvaluationId, type StoredEvaluation } from './storedEvaluations.ts'
import { countsByEvaluation, evaluationsOf, isOfEvaluation } from './evaluationIndex.ts'
import { readModelNotes } from './modelNotes.ts'
import { readStudies, type StudyValues } from './studies.ts'

/** The accuracy of one model in one group of a data set. */
export interface GroupAccuracyRow extends EvaluationId {
  /** The value in each grouping column; empty without any. */
  groups: Readonly<Record<string, string | number>>
  /** The values as one text; `all` without grouping columns. */
  group: string
  n: number
  errors: number
  /** Where the evaluation is not complete: images of the group with a class to score, read or not. */
  of: number | null
  top1: number | null
  top5: number | null
  /**
   * 95 % interval of `top1`, over households if the data set names them; with `of`, of what all those images would give, valid
   * at any stopping time.
   */
  low: number | null
  high: number | null
  /** Why there is no interval. */
  reason: string | null
}

/** The disparity between the groups of one column, for one model on one data set. */
export interface DisparityRow extends EvaluationId, Disparity {
  by: string
  /** Europe minus Africa, where the data set has both. */
  europeMinusAfrica: number | null
  /** 95 % interval, over households if the data set names them. */
  europeMinusAfricaInterval: Interval | null
  /** Why the difference or its interval is null. */
  europeMinusAfricaReason: string | null
}

/** All stored evaluations of a place, opened once. Every answer comes from stored predictions, never from a model. */
export interface Run {
  dir: string
  entries: readonly StoredEvaluation[]
  datasets: ReadonlyMap<string, DatasetRecord>
  /** Notes on models whose results are doubtful, by the model's name. */
  modelNotes: ReadonlyMap<string, string>
  /** Models that could not be evaluated, and stored results that this version leaves out. */
  failures: readonly Failure[]
  cells: readonly CountsCell[]
  /** Sums over the households of the groups by each counted column, for evaluations whose data set names households. */
  households: HouseholdMoments
  /** Estimates for all images from evaluations that stopped early. */
  estimates: readonly EstimateRow[]
  /** Figures of training experiments, by the study's name. */
  studies: ReadonlyMap<string, readonly StudyValues[]>
  /** Grouping columns that some data set has. */
  columns: readonly string[]
  /**
   * Returns one row per model, data set and group. `by` is one column or several to intersect; `label` is the class. `model`,
   * `dataset` and `preprocessing` select rows.
   */
  accuracy(
    options?: { by?: string | readonly string[] } & Partial<EvaluationId>,
  ): GroupAccuracyRow[]
  /** Returns one row per selected model and data set: the largest difference between groups of at least `minN` images. */
  disparity(options?: { by?: string; minN?: number } & Partial<EvaluationId>): DisparityRow[]
}

/**
 * Opens the results at `place`, a folder or a bucket: for every model, data set and preprocessing the newest evaluation that
 * was asked for, complete or not. Images listed in the file `exclude`, a slice.csv, are left out.
 *
 * @example
 * const run = await openRun('results')
 * console.table(run.accuracy({ by: 'region' }))
 */
export const openRun = async (place: string, exclude?: string): Promise<Run> =>
  createRun(await readStoredRun(place, { exclude }))

/**
 * Opens a run as a metric counts its images: `top1` is the mean of what each image counts for, and `top5` is null. Evaluations that
 * lack what the metric needs have null values, and failures that say so.
 */
export const openRunByMetric = async (
  place: string,
  options: { exclude: string | undefined; metric: OutcomeMetricName | undefined },
): Promise<Run> => createRun(await readStoredRun(place, options))

/**
 * Opens a run of which only the counts by `columns` are read, which is faster. Questions by another column are errors
 * (columns-not-read).
 */
export const openRunByColumns = async (
  place: string,
  options: {
    columns: readonly string[]
    exclude: string | undefined
    metric?: OutcomeMetricName
    choose?: ChooseEvaluations
  },
): Promise<Run> => createRun(await readStoredRun(place, options), options.columns)

/** Returns the evaluations that are asked for; nothing of the others is read. */
export type ChooseEvaluations = (entries: readonly StoredEvaluation[]) => StoredEvaluation[]

type StoredRun = Pick<Run, 'dir' | 'entries' | 'datasets' | 'failures' | 'cells'> &
  Partial<Pick<Run, 'modelNotes' | 'studies' | 'estimates' | 'households'>>

async function readStoredRun(
  place: string,
  {
    exclude,
    columns,
    metric,
    choose = entries => [...entries],
  }: {
    exclude: string | undefined
    columns?: readonly string[]
    metric?: OutcomeMetricName | undefined
    choose?: ChooseEvaluations
  },
): Promise<StoredRun> {
  const dir = await pullResults(place)
  const datasets = await readDatasetRecords(dir)
  const studies = await readStudies(dir)
  const current = await readCurrentResults(dir, exclude, metric)
  const chosen = { ...current, entries: choose(current.entries) }
  return answerFromReadable(chosen, async results => {
    const cells = await readCounts(results.entries, columns)
    const sets =
      columns === undefined
        ? columnSets(['label', ...countedColumns(cells)], results.entries)
        : [...columns.map(name => [name]), ...(columns.length > 1 ? [columns] : [])]
    return {
      dir,
      ...results,
      datasets,
      modelNotes: await readModelNotes(dir),
      cells,
      households: await readHouseholdMoments(results.entries, [...sets, []]),
      estimates: await readEstimates(dir, results.entries),
      studies,
    }
  })
}

/** Predictions in households up to which a run reads the sums over households of all pairs of columns. */
const maxPairedRows = 1_000_000

/**
 * Returns each column alone, and each pair of columns of a run that is not too large. Numbers that are cut into groups are in
 * no pair: they would make as many groups as there are images.
 */
function columnSets(columns: readonly string[], entries: readonly StoredEvaluation[]): string[][] {
  const singles = columns.map(name => [name])
  const rows = entries.filter(hasHouseholds).reduce((sum, entry) => sum + entry.rows, 0)
  if (rows > maxPairedRows) return singles
  const paired = columns.filter(name => !columns.includes(`${name}_group`))
  const pairs = paired.flatMap((one, i) => paired.slice(i + 1).map(other => [one, other]))
  return [...singles, ...pairs]
}

/** Returns the grouping columns that some cell has. */
const countedColumns = memoizeByObject((cells: readonly CountsCell[]): string[] => {
  const combinations = new Set(cells.map(({ groups }) => groups))
  return [...new Set([...combinations].flatMap(groups => Object.keys(groups)))]
})

/** Creates a run from counts in memory; `columnsRead` names the columns of the counts if they were not read by all. */
export function createRun(stored: StoredRun, columnsRead?: readonly string[]): Run {
  const columns = [...new Set(stored.entries.flatMap(entry => entry.shards[0]!.columns))]
  const run: Run = {
    modelNotes: new Map(),
    studies: new Map(),
    estimates: [],
    households: new Map(),
    ...stored,
    columns,
    accuracy: ({ by = [], ...only } = {}) => {
      const asked = typeof by === 'string' ? [by] : by
      for (const column of asked) checkColumn(run, column, columnsRead)
      return accuracyRows(run, asked, only)
    },
    disparity: ({ by = 'region', minN = defaultMinN, ...only } = {}) => {
      checkColumn(run, by, columnsRead)
      return disparityRows(run, { by, minN, only })
    },
  }
  return run
}

/** Returns the records of the data sets that the results are of, each once. */
export const evaluatedRecords = ({
  entries,
  datasets,
}: Pick<Run, 'entries' | 'datasets'>): DatasetRecord[] =>
  [...new Set(entries.map(({ identity }) => identity.content))].flatMap(
    content => datasets.get(content) ?? [],
  )

/** Returns the notes of the data sets that the results are of, each with its name. */
export const datasetNotes = (run: Pick<Run, 'entries' | 'datasets'>): string[] =>
  evaluatedRecords(run).flatMap(({ name, notes = [] }) => notes.map(text => `${name}: ${text}`))

function accuracyRows(
  run: Run,
  by: readonly string[],
  only: Partial<EvaluationId>,
): GroupAccuracyRow[] {
  return countsByEvaluation(run)
    .filter(isOfEvaluation(only))
    .flatMap(({ model, dataset, preprocessing, cells }) => {
      const name = { model, dataset, preprocessing }
      const sizes = partialGroupSizes(run, name)
      const clustering = groupClusterings(run, name, by)
      if (by.length === 0) {
        const counts = { group: 'all', ...sumCounts(cells) }
        const values = accuracyValues(counts, clustering, sizes?.['all']?.['all'])
        return [{ ...name, groups: {}, group: 'all', ...values }]
      }
      const sizesBy = (by.length === 1 && sizes && ownValue(sizes, by[0]!)) || {}
      return groupBy(cells, by).groups.map(({ groups, ...counts }) => ({
        ...name,
        groups,
        group: counts.group,
        ...accuracyValues(counts, clustering, ownValue(sizesBy, counts.group)),
      }))
    })
}

/** Returns the effect of households on the variance of each group's accuracy; null if images are independent. */
function groupClusterings(
  run: Run,
  slot: EvaluationId,
  by: readonly string[],
): ((group: string) => GroupClustering) | null {
  const moments = run.households.get(evaluationsOf(run, slot)[0]?.key ?? '')
  if (!moments) return null
  const sums = momentsBy(moments, by)
  const isFractional = evaluationsOf(run, slot).some(hasFractions)
  const found = new Map(sums && (isFractional ? valueClusterings(sums) : groupClusteringsOf(sums)))
  const reason =
    by.length === 1
      ? `no interval: households are not counted by ${by[0]!}`
      : `no interval: households are counted by several columns on request alone, as geogap table --by ${by.join(' ')} does`
  return group => found.get(group) ?? { inflation: 1, reason }
}

/** Sizes of the groups of a data set whose evaluation is not complete and reads images in random order. */
function partialGroupSizes(run: Run, slot: EvaluationId): DatasetRecord['sizes'] {
  const entry = evaluationsOf(run, slot).find(
    ({ identity, rows }) => rows < identity.images && identity.order !== undefined,
  )
  return entry && run.datasets.get(entry.identity.content)?.sizes
}

function accuracyValues(
  counts: GroupCounts,
  clustering: ReturnType<typeof groupClusterings>,
  size: number | undefined,
): Omit<GroupAccuracyRow, keyof EvaluationId | 'group' | 'groups'> {
  const { n, errors, top1, top5, interval, reason } = clusteredAccuracy(
    counts,
    clustering?.(counts.group) ?? null,
  )
  const isPartial = size !== undefined
  const [low, high] = (isPartial
    ? finiteInterval({ hits: counts.top1, n, total: size - errors })
    : interval) ?? [null, null]
  return { n, errors, of: size ?? null, top1, top5, low, high, reason: isPartial ? null : reason }
}

function disparityRows(
  run: Run,
  { by, minN, only }: { by: string; minN: number; only: Partial<EvaluationId> },
): DisparityRow[] {
  return countsByEvaluation(run)
    .filter(isOfEvaluation(only))
    .flatMap(({ model, dataset, preprocessing, cells }) => {
      const { groups } = groupBy(cells, [by])
      if (groups.length === 0) return []
      const id = { model, dataset, preprocessing }
      const difference = europeMinusAfrica(
        groups.filter(({ n }) => n >= minN),
        { run, id, by },
      )
      return {
        ...id,
        by,
        ...disparity(groups, minN),
        europeMinusAfrica: difference.value,
        europeMinusAfricaInterval: difference.interval,
        europeMinusAfricaReason: difference.reason,
      }
    })
}

/** Returns Europe minus Africa with its interval over households. */
function europeMinusAfrica(
  groups: readonly GroupCounts[],
  { run, id, by }: { run: Run; id: EvaluationId; by: string },
): Estimate {
  const moments = run.households.get(evaluationsOf(run, id)[0]?.key ?? '')
  const clusters = momentsBy(moments, [by])
  const found = pairDifference(groups, { clusters: clusters ?? null })
  return clusters || !moments || found.value === null
    ? found
    : { ...found, interval: null, reason: `no interval: households are not counted by ${by}` }
}

/** Checks that a run has counts by a column. Errors: unknown-column, too-many-groups, columns-not-read. */
export function checkColumn(
  run: Run,
  column: string,
  columnsRead: readonly string[] = [column],
): void {
  if (!columnsRead.includes(column))
    throw inputError(
      'columns-not-read',
      `no counts by ${column}: the run was opened by ${columnsRead.join(', ') || 'no column'} alone`,
    )
  const held = countedColumns(run.cells)
  if (column === 'label' || held.includes(column)) return
  if (run.columns.includes(column)) {
    const quarters =
      column === 'income' && held.includes('income_group')
        ? '; income_group has the quarters of its numbers'
        : ''
    throw inputError(
      'too-many-groups',
      `${column} has more than ${maxColumnValues} different values, too many to group by${quarters}; columns: ${held.join(', ')}, label`,
    )
  }
  const close = nearestNames(column, [...held, 'label'], held.length + 1)
  throw inputError('unknown-column', `unknown column: ${column}; there are ${close.join(', ')}`)
}

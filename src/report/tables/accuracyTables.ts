import { type OutcomeMetricName } from '../../results/metricNames.ts'
import { type ImportedAccuracy } from '../../results/importedAccuracies.ts'
import { unusableNotes } from '../../results/unusableResults.ts'
import { leftOutImages, leftOutNotes } from '../../results/leftOutImages.ts'
import { countsNotes, differentImagesNotes } from '../../results/schema.ts'
import { modelWarnings } from '../../results/modelNotes.ts'
import { outcomeMetric } from '../../results/outcomeMetrics.ts'
import { exclusionNotes } from '../../results/slices.ts'
import { groupBy } from '../../metrics/accuracy.ts'
import { type GroupAccuracyRow, type DisparityRow, type Run } from '../../results/run.ts'
import { countsByEvaluation } from '../../results/evaluationIndex.ts'
import { type InferenceRow } from '../../analysis/inferDisparities.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
import { paperNumberText } from '../../analysis/paper/comparison.ts'
import {
  type TableColumn,
  fieldColumn,
  fieldColumns,
  intervalColumns,
  numericColumns,
  shareColumn,
} from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'
import { groupList, percent, upperFirst } from '../../lib/table/text.ts'
import { groupByKey } from '../../lib/tally.ts'

/** Columns of an accuracy table; `by` heads the group column. */
export const accuracyColumns = (
  by: readonly string[],
  metric: OutcomeMetricName = 'top1',
): TableColumn<GroupAccuracyRow>[] => [
  ...fieldColumns({ model: 'model', dataset: 'data set', preprocessing: 'preprocessing' }),
  ...(by.length === 0
    ? []
    : [{ name: 'group', heading: by.join(' × '), value: (row: GroupAccuracyRow) => row.group }]),
  {
    name: 'n',
    heading: 'n',
    type: 'number',
    value: row => row.n,
    show: row => (row.of === null ? `${row.n}` : `${row.n} of ${row.of}`),
  },
  metric === 'top1'
    ? shareColumn('top1', 'top-1 %')
    : { ...shareColumn('top1', `${outcomeMetric(metric).title} %`), name: metric },
  ...intervalColumns<GroupAccuracyRow>(({ low, high }) => [low, high]),
  ...(metric === 'top1' ? [shareColumn('top5', 'top-5 %')] : []),
  {
    name: 'errors',
    heading: 'errors',
    type: 'number',
    value: row => row.errors,
    show: row =>
      row.errors === 0
        ? '0'
        : `${row.errors} (top-1 with them ${percent(accuracyWithErrors(row))})`,
  },
  ...numericColumns({ of: '' }),
  { name: 'top1_with_errors', heading: '', type: 'number', value: accuracyWithErrors },
  { name: 'reason', heading: '', type: 'text', value: row => row.reason },
]

/** Returns top-1 accuracy with images without a prediction counted as wrong. */
function accuracyWithErrors({ n, errors, top1 }: GroupAccuracyRow): number | null {
  return n + errors === 0 ? null : ((top1 ?? 0) * n) / (n + errors)
}

const disparityColumns: TableColumn<DisparityRow>[] = [
  ...fieldColumns({
    model: 'model',
    dataset: 'data set',
    preprocessing: 'preprocessing',
    by: 'by',
  }),
  shareColumn('disparity', 'disparity (points)'),
  {
    name: 'best',
    heading: 'best',
    value: row => row.best,
    show: row => groupAccuracyText(row.best, row.bestAccuracy),
  },
  {
    name: 'worst',
    heading: 'worst',
    value: row => row.worst,
    show: row => groupAccuracyText(row.worst, row.worstAccuracy),
  },
  { ...shareColumn('europeMinusAfrica', 'Europe − Africa'), name: 'europe_minus_africa' },
  ...numericColumns({ groups: 'groups' }),
  {
    name: 'left_out',
    heading: 'left out (n)',
    value: row => leftOutText(row),
    show: row => leftOutText(row) || '–',
  },
]

const groupAccuracyText = (group: string | null, share: number | null): string =>
  group === null ? '–' : `${group} ${percent(share)}`

const leftOutText = ({ leftOut }: DisparityRow): string => groupList(leftOut, 4)

/** Columns of `disparityColumns`, with the disparity expected by chance, the corrected one, and a warning about failures. */
export const inferenceColumns: TableColumn<InferenceRow>[] = [
  ...disparityColumns.slice(0, 5),
  ...intervalColumns<InferenceRow>(({ interval }) => interval ?? [null, null]),
  shareColumn('expected', 'if equal'),
  { ...fieldColumn('p', 'p', (p: number | null) => paperNumberText(p, 'p')), type: 'number' },
  shareColumn('corrected', 'corrected'),
  ...disparityColumns.slice(5),
  { name: 'unit', heading: 'drawn', value: row => row.unit, show: row => drawnUnitText(row) },
  ...numericColumns({ failed: 'failed' }),
  { name: 'failure_p', heading: '', type: 'number', value: row => row.failureP },
  {
    name: 'warning',
    heading: 'warning',
    value: row => warningText(row),
    show: row => warningText(row) ?? '',
  },
]

/** What chance draws: images, or the clusters that a data set names its households. */
export const drawnUnitText = ({ unit }: Pick<InferenceRow, 'unit'>): string =>
  unit === 'clusters' ? 'households' : 'images'

const warningText = ({ reason, warning }: InferenceRow): string | null =>
  [reason, warning].filter(text => text !== null).join('; ') || null

export const inferenceTable = (
  rows: readonly InferenceRow[],
  by: string,
  metric: OutcomeMetricName = 'top1',
): Table =>
  createTable(
    {
      name: 'disparity',
      title: `Disparity${metric === 'top1' ? '' : ` of ${outcomeMetric(metric).title}`} by ${by} (points)`,
      notes: [
        'if equal: the disparity that these groups would show if accuracy were the same everywhere; p: probability of a disparity at least this large if all groups were equal',
        'corrected: what remains without that (median-unbiased); the interval is that of the true disparity',
      ],
    },
    inferenceColumns,
    rows,
  )

/** Accuracies from elsewhere, as a table of their own. */
export const importedTable = (rows: readonly ImportedAccuracy[]): Table =>
  createTable(
    {
      name: 'imported',
      title: 'Imported accuracies: published elsewhere, not measured here',
    },
    [
      ...fieldColumns({ model: 'model', benchmark: 'benchmark' }),
      ...numericColumns({ n: 'n' }),
      { ...fieldColumn('imageSize', 'image size'), name: 'image_size', type: 'number' },
      { ...shareColumn('accuracy', 'top-1 %'), name: 'top1' },
      fieldColumn('source', 'from'),
    ],
    rows,
  )

/** Returns a note on results whose predictions were imported. */
function importedNotes(run: Run): string[] {
  const foreign = run.entries.filter(
    ({ identity }) => identity.source === 'imported' || identity.source === 'answers',
  )
  const names = foreign.map(({ identity: { model, dataset } }) => `${model} on ${dataset}`)
  return [
    ...(names.length === 0 ? [] : [`predictions imported, not made here: ${names.join(', ')}`]),
    ...countsNotes(run.entries),
  ]
}

/** Returns a note on rows of incomplete evaluations, if there are any. */
const partialNotes = (rows: readonly GroupAccuracyRow[]): string[] =>
  rows.some(({ of }) => of !== null)
    ? [
        'n of N: the evaluation is not complete; its interval is for what all N images would give, and valid at any stopping time',
      ]
    : []

/** Largest number of reasons that a table lists. */
const namedReasons = 5

/** Returns the reasons why rows have no interval, each once. */
export function withoutIntervalNotes(rows: readonly GroupAccuracyRow[]): string[] {
  const reasons = [...new Set(rows.flatMap(({ n, reason }) => (n > 0 ? (reason ?? []) : [])))]
  const more = reasons.length - namedReasons
  return more <= 1
    ? reasons
    : [...reasons.slice(0, namedReasons), `no interval likewise for ${more} more groups`]
}

/** Returns a note for each data set with images that are in no row because their group is unknown. */
function ungroupedNotes(run: Run, by: readonly string[]): string[] {
  const images = new Map<string, number>()
  for (const { dataset, cells } of by.length === 0 ? [] : countsByEvaluation(run)) {
    const { groups, unknown } = groupBy(cells, by)
    const left = unknown.n + (unknown.errors ?? 0)
    if (groups.length > 0 && left > 0) images.set(dataset, Math.max(left, images.get(dataset) ?? 0))
  }
  return [...images].map(
    ([dataset, n]) => `${n} images of ${dataset} have no ${by.join(' × ')} and are in no row`,
  )
}

/** Returns a note for each column with groups whose names differ in capitals alone. */
const capitalsNotes = (rows: readonly GroupAccuracyRow[], by: readonly string[]): string[] =>
  by.flatMap(column => {
    const names = [...new Set(rows.map(({ groups }) => String(groups[column])))]
    const spellings = groupByKey(names, name => name.toLowerCase())
    const several = [...spellings.values()].filter(({ length }) => length > 1)
    return several.length === 0
      ? []
      : `${several.map(found => found.join(' and ')).join(', ')} differ in capitals alone and are different groups of ${column}`
  })

/** Column for programs: images of the row's data set that are in no row, or not scored. */
function leftOutColumn({ entries, datasets }: Run): TableColumn<GroupAccuracyRow> {
  const counts = new Map(
    entries.map(({ identity: { dataset, content } }) => {
      const record = datasets.get(content)
      const found = record ? leftOutImages(record) : []
      return [dataset, found.reduce((sum, { count }) => sum + count, 0)]
    }),
  )
  return {
    name: 'left_out',
    heading: '',
    type: 'number',
    value: ({ dataset }) => counts.get(dataset) ?? null,
  }
}

export function groupAccuracyTable(
  run: Run,
  by: readonly string[],
  metric: OutcomeMetricName = 'top1',
): Table {
  const rows = run.accuracy({ by })
  const { title } = outcomeMetric(metric)
  const what = metric === 'top1' ? 'Accuracy' : upperFirst(title)
  return createTable(
    {
      name: 'accuracy',
      title: by.length === 0 ? what : `${what} by ${by.join(' × ')}`,
      notes: [
        ...modelWarnings(run),
        ...importedNotes(run),
        ...unusableNotes(run.failures),
        ...differentImagesNotes(run.entries),
        ...partialNotes(rows),
        ...withoutIntervalNotes(rows),
        ...ungroupedNotes(run, by),
        ...capitalsNotes(rows, by),
        ...exclusionNotes(run.entries),
        ...leftOutNotes(run),
      ],
    },
    [...accuracyColumns(by, metric), leftOutColumn(run)],
    rows,
  )
}

export const disparityTableText = (run: Run, by: string): string =>
  formatTable(disparityColumns, run.disparity({ by }), 'text')

import { type Imported } from '../../results/imported.ts'
import { excludedNotes } from '../../results/slices.ts'
import { groupBy } from '../../metrics/accuracy.ts'
import { type AccuracyRow, type DisparityRow, type Run, series } from '../../results/run.ts'
import { type InferenceRow } from '../../analysis/disparityInference.ts'
import { type Exported, exported } from '../../lib/table/table.ts'
import { shownNumber } from '../../analysis/paper/comparison.ts'
import {
  type Column,
  field,
  fields,
  type Format,
  formatTable,
  intervalColumns,
  share,
} from '../../lib/table/columns.ts'
import { groupList, percent } from '../../lib/table/text.ts'

/** Columns of an accuracy table; `by` heads the group column. */
export const accuracyColumns = (by: readonly string[]): Column<AccuracyRow>[] => [
  ...fields({ model: 'model', dataset: 'data set', preprocessing: 'preprocessing' }),
  ...(by.length === 0 ? [] : [{ name: 'group', heading: by.join(' × '), value: (row: AccuracyRow) => row.group }]),
  {
    name: 'n',
    heading: 'n',
    value: row => row.n,
    show: row => (row.of === null ? `${row.n}` : `${row.n} of ${row.of}`),
  },
  share('top1', 'top-1 %'),
  ...intervalColumns<AccuracyRow>(({ low, high }) => [low, high]),
  share('top5', 'top-5 %'),
  {
    name: 'errors',
    heading: 'errors',
    value: row => row.errors,
    show: row => (row.errors === 0 ? '0' : `${row.errors} (top-1 with them ${percent(withErrors(row))})`),
  },
  field('of', ''),
  { name: 'top1_with_errors', heading: '', value: withErrors },
]

/** Top-1 accuracy where images without a prediction count as wrong. */
function withErrors({ n, errors, top1 }: AccuracyRow): number | null {
  return n + errors === 0 ? null : ((top1 ?? 0) * n) / (n + errors)
}

const disparityColumns: Column<DisparityRow>[] = [
  ...fields({ model: 'model', dataset: 'data set', preprocessing: 'preprocessing', by: 'by' }),
  share('disparity', 'disparity (points)'),
  { name: 'best', heading: 'best', value: row => row.best, show: row => named(row.best, row.bestAccuracy) },
  { name: 'worst', heading: 'worst', value: row => row.worst, show: row => named(row.worst, row.worstAccuracy) },
  {
    name: 'europe_minus_africa',
    heading: 'Europe − Africa',
    value: row => row.europeMinusAfrica,
    show: row => percent(row.europeMinusAfrica),
  },
  field('groups'),
  { name: 'left_out', heading: 'left out (n)', value: row => leftOut(row), show: row => leftOut(row) || '–' },
]

const named = (group: string | null, share: number | null): string =>
  group === null ? '–' : `${group} ${percent(share)}`

const leftOut = ({ leftOut }: DisparityRow): string => groupList(leftOut, 4)

/** `disparityColumns` with what noise alone would show, what remains, and whether failures could have made it. */
export const inferenceColumns: Column<InferenceRow>[] = [
  ...disparityColumns.slice(0, 5),
  ...intervalColumns<InferenceRow>(({ interval }) => interval ?? [null, null]),
  share('expected', 'if equal'),
  { name: 'p', heading: 'p', value: row => row.p, show: row => shownNumber(row.p, 'p') },
  share('corrected', 'corrected'),
  ...disparityColumns.slice(5),
  { name: 'unit', heading: 'drawn', value: row => row.unit, show: row => drawn(row) },
  field('failed'),
  { name: 'failure_p', heading: '', value: row => row.failureP },
  { name: 'warning', heading: 'warning', value: row => warnings(row), show: row => warnings(row) ?? '' },
]

/** What chance draws: images, or the clusters that a data set names its households. */
export const drawn = ({ unit }: Pick<InferenceRow, 'unit'>): string => (unit === 'clusters' ? 'households' : 'images')

const warnings = ({ reason, warning }: InferenceRow): string | null =>
  [reason, warning].filter(text => text !== null).join('; ') || null

export const inferenceTable = (rows: readonly InferenceRow[], by: string): Exported =>
  exported(
    {
      name: 'disparity',
      title: `Disparity by ${by} (points)`,
      notes: [
        'if equal: the disparity that these groups would show if accuracy were the same everywhere; p: how often as much as here',
        'corrected: what remains without that (median-unbiased); the interval is that of the true disparity',
      ],
    },
    inferenceColumns,
    rows,
  )

/** Accuracies from elsewhere, as a table of their own. */
export const importedExport = (rows: readonly Imported[]): Exported =>
  exported(
    {
      name: 'imported',
      title: 'Imported accuracies: published elsewhere, not measured here',
    },
    [
      ...fields({ model: 'model', benchmark: 'benchmark', n: 'n' }),
      { name: 'top1', heading: 'top-1 %', value: row => row.accuracy, show: row => percent(row.accuracy) },
      field('source', 'from'),
    ],
    rows,
  )

/** Results whose predictions another program made, as a note. */
function importedNotes(run: Run): string[] {
  const foreign = run.entries.filter(({ identity }) => identity.source === 'imported')
  const names = foreign.map(({ identity: { model, dataset } }) => `${model} on ${dataset}`)
  return names.length === 0 ? [] : [`predictions imported, not made here: ${names.join(', ')}`]
}

/** What rows of evaluations that are not complete mean, where there are some. */
const partialNotes = (rows: readonly AccuracyRow[]): string[] =>
  rows.some(({ of }) => of !== null)
    ? [
        'n of N: the evaluation is not complete; its interval is for what all N images would give, and valid at any stopping time',
      ]
    : []

/** Images that are in no row because the data set does not say their group, for each data set that has some. */
function ungroupedNotes(run: Run, by: readonly string[]): string[] {
  const images = new Map<string, number>()
  for (const { dataset, cells } of by.length === 0 ? [] : series(run)) {
    const { groups, unknown } = groupBy(cells, by)
    const left = unknown.n + (unknown.errors ?? 0)
    if (groups.length > 0 && left > 0) images.set(dataset, Math.max(left, images.get(dataset) ?? 0))
  }
  return [...images].map(([dataset, n]) => `${n} images of ${dataset} have no ${by.join(' × ')} and are in no row`)
}

export function accuracyExport(run: Run, by: readonly string[]): Exported {
  const rows = run.accuracy({ by })
  return exported(
    {
      name: 'accuracy',
      title: by.length === 0 ? 'Accuracy' : `Accuracy by ${by.join(' × ')}`,
      notes: [...importedNotes(run), ...partialNotes(rows), ...ungroupedNotes(run, by), ...excludedNotes(run.entries)],
    },
    accuracyColumns(by),
    rows,
  )
}

export const disparityTable = (run: Run, by: string, minN: number, format: Format): string =>
  formatTable(disparityColumns, run.disparity({ by, minN }), format)

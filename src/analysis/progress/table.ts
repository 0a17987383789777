/** Progress of each standard benchmark beside each geographic data set, as a table. */
import {
  type CellValue,
  fieldColumn,
  fieldColumns,
  numericColumns,
  type TableColumn,
} from '../../lib/table/columns.ts'
import { createTable, type Table } from '../../lib/table/table.ts'
import { intervalText, signedText } from '../../lib/table/values.ts'
import { type Interval } from '../../metrics/intervals.ts'
import { type GapOpinions } from '../../metrics/progressGapOpinions.ts'
import { datacompEnding } from '../datasetRoles.ts'
import { type ModelClustering, type ProgressEvidence, unknownPretraining } from './evidence.ts'
import {
  type BenchmarkRate,
  headlinePairs,
  type LineProgress,
  oodAverage,
  type ProgressComparison,
  type ProgressPair,
} from './progress.ts'
import { countText } from '../../lib/table/text.ts'
import { opinionsText, pairOpinions } from './opinions.ts'
import { progressSentences } from './sentence.ts'

/** A standard benchmark beside a geographic data set; a line without geographic accuracies has the rates alone. */
export interface ProgressTableRow {
  line: LineProgress['kind']
  standard: string
  geographic: string | null
  models: number
  standardRate: number | null
  standardRateInterval: Interval | null
  geographicRate: number | null
  geographicRateInterval: Interval | null
  gap: number | null
  gapInterval: Interval | null
  ratio: number | null
  ratioInterval: Interval | null
  byImprovements: number | null
  /** Best minus worst accuracy, as shares. */
  standardImprovement: number | null
  geographicImprovement: number | null
  standardR2: number | null
  geographicR2: number | null
  reason: string | null
  opinions: GapOpinions | null
}

/** The second opinions on each pair of a comparison. */
type OpinionsByPair = ReadonlyMap<ProgressPair, GapOpinions>

/** Returns the rows of all lines of a comparison, with second opinions on each gap. */
const progressTableRows = (
  { lines }: ProgressComparison,
  opinions: OpinionsByPair,
): ProgressTableRow[] =>
  lines.flatMap(line =>
    line.pairs.length > 0
      ? line.pairs.map(pair => pairRow(line.kind, pair, opinions.get(pair)!))
      : line.rates.map(rate => rateRow(line.kind, rate)),
  )

function pairRow(
  line: LineProgress['kind'],
  { standard, geographic, gap }: ProgressPair,
  opinions: GapOpinions,
): ProgressTableRow {
  return {
    line,
    standard: standard.title,
    geographic: geographic.title,
    models: gap.standard.n,
    standardRate: gap.standard.slope,
    standardRateInterval: gap.standard.interval,
    geographicRate: gap.geographic.slope,
    geographicRateInterval: gap.geographic.interval,
    gap: gap.difference,
    gapInterval: gap.intervals.difference,
    ratio: gap.ratio,
    ratioInterval: gap.intervals.ratio,
    byImprovements: gap.byImprovements,
    standardImprovement: gap.standard.netImprovement,
    geographicImprovement: gap.geographic.netImprovement,
    standardR2: gap.standard.r2,
    geographicR2: gap.geographic.r2,
    reason: gap.reason ?? gap.intervals.reason,
    opinions,
  }
}

function rateRow(line: LineProgress['kind'], { title, rate }: BenchmarkRate): ProgressTableRow {
  return {
    line,
    standard: title,
    geographic: null,
    models: rate.n,
    standardRate: rate.slope,
    standardRateInterval: rate.interval,
    geographicRate: null,
    geographicRateInterval: null,
    gap: null,
    gapInterval: null,
    ratio: null,
    ratioInterval: null,
    byImprovements: null,
    standardImprovement: rate.netImprovement,
    geographicImprovement: null,
    standardR2: rate.r2,
    geographicR2: null,
    reason: rate.reason,
    opinions: null,
  }
}

type RowField<T> = {
  [K in keyof ProgressTableRow]: ProgressTableRow[K] extends T ? K : never
}[keyof ProgressTableRow]

/** Returns the column of a number with fixed digits; `factor` is between the value and what readers see. */
const numberColumn = (
  field: RowField<number | null>,
  { name, heading, digits }: { name: string; heading: string; digits: number },
  factor = 1,
): TableColumn<ProgressTableRow> => ({
  name,
  heading,
  type: 'number',
  value: row => row[field],
  show: row => (row[field] === null ? '–' : signedText(factor * row[field], digits)),
})

/** Returns the columns of an interval: one for readers, both ends for programs. */
const endsColumns = (
  interval: RowField<Interval | null>,
  { name, heading, digits }: { name: string; heading: string; digits: number },
): TableColumn<ProgressTableRow>[] => {
  const end =
    (which: 0 | 1) =>
    (row: ProgressTableRow): number | null =>
      row[interval]?.[which] ?? null
  return [
    {
      name: `${name}_low`,
      heading,
      type: 'number',
      value: end(0),
      show: row => intervalText({ low: end(0)(row), high: end(1)(row) }, digits),
    },
    { name: `${name}_high`, heading: '', type: 'number', value: end(1) },
  ]
}

/** Returns the column of a difference of shares, shown in points. */
const improvementColumn = (
  field: RowField<number | null>,
  name: string,
  heading: string,
): TableColumn<ProgressTableRow> => numberColumn(field, { name, heading, digits: 1 }, 100)

/** Columns for programs; readers have the opinions on the main pairs in the notes. */
const opinionColumns: TableColumn<ProgressTableRow>[] = (
  [
    ['gap_without_family_low', ({ withoutFamily }) => withoutFamily?.low],
    ['gap_without_family_high', ({ withoutFamily }) => withoutFamily?.high],
    ['ratio_without_family_low', ({ ratioWithoutFamily }) => ratioWithoutFamily?.low],
    ['ratio_without_family_high', ({ ratioWithoutFamily }) => ratioWithoutFamily?.high],
    ['gap_mixed', ({ mixed }) => mixed.slope],
    ['gap_mixed_low', ({ mixed }) => mixed.interval?.[0]],
    ['gap_mixed_high', ({ mixed }) => mixed.interval?.[1]],
    ['attenuation', ({ corrected }) => corrected?.attenuation],
    ['gap_corrected', ({ corrected }) => corrected?.slope],
    ['gap_corrected_low', ({ corrected }) => corrected?.interval?.[0]],
    ['gap_corrected_high', ({ corrected }) => corrected?.interval?.[1]],
  ] satisfies [string, (opinions: GapOpinions) => number | null | undefined][]
).map(([name, value]) => ({
  name,
  heading: '',
  type: 'number',
  value: ({ opinions }) => (opinions && value(opinions)) ?? null,
}))

const columnsOf = (rows: readonly ProgressTableRow[]): TableColumn<ProgressTableRow>[] => {
  const isOneLine = new Set(rows.map(({ line }) => line)).size < 2
  return [
    fieldColumn(
      'line',
      isOneLine ? '' : 'models',
      (kind: CellValue) => lineNames[kind as LineProgress['kind']],
    ),
    ...fieldColumns({ standard: 'standard' }),
    ...fieldColumns({ geographic: 'geographic' }),
    ...numericColumns({ models: 'n' }),
    numberColumn('standardRate', { name: 'standard_rate', heading: 'standard rate', digits: 2 }),
    numberColumn('geographicRate', {
      name: 'geographic_rate',
      heading: 'geographic rate',
      digits: 2,
    }),
    numberColumn('gap', { name: 'gap', heading: 'gap', digits: 2 }),
    ...endsColumns('gapInterval', { name: 'gap', heading: '95 % interval', digits: 2 }),
    numberColumn('ratio', { name: 'ratio', heading: 'ratio', digits: 1 }),
    ...endsColumns('ratioInterval', { name: 'ratio', heading: 'ratio 95 %', digits: 1 }),
    ...endsColumns('standardRateInterval', {
      name: 'standard_rate',
      heading: 'standard 95 %',
      digits: 2,
    }),
    ...endsColumns('geographicRateInterval', {
      name: 'geographic_rate',
      heading: 'geographic 95 %',
      digits: 2,
    }),
    improvementColumn('standardImprovement', 'standard_improvement', 'standard net'),
    improvementColumn('geographicImprovement', 'geographic_improvement', 'geographic net'),
    numberColumn('byImprovements', {
      name: 'gap_by_improvements',
      heading: 'gap by net',
      digits: 2,
    }),
    numberColumn('standardR2', { name: 'standard_r2', heading: 'standard R²', digits: 2 }),
    numberColumn('geographicR2', { name: 'geographic_r2', heading: 'geographic R²', digits: 2 }),
    ...opinionColumns,
    { name: 'reason', heading: '', value: row => row.reason },
  ]
}

const lineNames: Readonly<Record<LineProgress['kind'], string>> = {
  heads: 'with a head',
  'zero-shot': 'zero-shot',
  all: 'all',
}

/**
 * Returns a comparison of progress as a table, with its sentences.
 *
 * @example
 * const table = progressTable(comparison, evidence)
 */
export function progressTable(
  comparison: ProgressComparison,
  evidence: Pick<ProgressEvidence, 'accuracies' | 'notes' | 'syntheticNote'>,
): Table {
  const opinions: OpinionsByPair = new Map(
    comparison.lines.flatMap(line =>
      line.pairs.map(pair => [pair, pairOpinions(evidence.accuracies, line, pair)] as const),
    ),
  )
  const rows = progressTableRows(comparison, opinions)
  const sentences = comparison.lines.flatMap(line => progressSentences(comparison, line))
  return createTable(
    {
      name: 'progress',
      sentences,
      title: `Progress against ${comparison.reference.title}`,
      notes: [
        ...opinionNotes(comparison, opinions),
        ...meaningNotes(comparison, rows),
        evidence.syntheticNote ?? [],
        evidence.notes,
      ].flat(),
    },
    columnsOf(rows),
    rows,
  )
}

const maxOpinionNotes = 2

/** Returns the second opinions on the first pairs that the sentences are about. */
const opinionNotes = (comparison: ProgressComparison, opinions: OpinionsByPair): string[] =>
  comparison.lines.flatMap(line => {
    const texts = headlinePairs(line).flatMap(
      pair => opinionsText(comparison, pair, opinions.get(pair)!) ?? [],
    )
    const others = texts.length - maxOpinionNotes
    return [
      ...texts.slice(0, maxOpinionNotes),
      ...(others > 0
        ? [`second opinions on ${countText(others, 'more gap')}: see --format csv`]
        : []),
    ]
  })

/** Returns what the columns mean and what restricts them. */
function meaningNotes(
  { reference, axis, cluster, lines }: ProgressComparison,
  rows: readonly ProgressTableRow[],
): string[] {
  const names = lines.flatMap(({ rates }) => rates.map(({ name }) => name))
  const unit = axis === 'linear' ? `points per point of ${reference.title}` : `in ${axis} axes`
  const reasons = [
    ...new Set(
      rows.flatMap(({ reason, geographic }) => (geographic === null ? [] : (reason ?? []))),
    ),
  ]
  return [
    `rate: slope of the least-squares line over the models, ${unit}; gap: difference of the rates; ratio: standard rate divided by geographic rate; net: best minus worst accuracy, in points`,
    clusterNotes[cluster],
    ...(names.includes(oodAverage)
      ? ['OOD average: the mean of ImageNet-Sketch, ImageNet-R and ObjectNet']
      : []),
    ...(names.some(name => datacompEnding.test(name))
      ? ["DataComp's subsets: the metric may be the worst group's accuracy"]
      : []),
    ...(lines.some(({ kind }) => kind === 'all')
      ? ['one line through zero-shot and other models, as neither kind has two']
      : []),
    ...reasons,
  ]
}

const clusterNotes: Readonly<Record<ModelClustering, string>> = {
  family: 'intervals allow for families of models that deviate alike',
  pretraining: `intervals allow for models of one pretraining data set that deviate alike; models whose data are ${unknownPretraining} count as one set`,
  none: 'intervals take every model as independent, which models of one family are not',
}

/** Compares table 2 of the paper (net improvement, progress rate, gap and R² of each benchmark) with a run. */
import { type Interval } from '../../metrics/intervals.ts'
import {
  oodBenchmarks,
  type ProgressGap,
  progressGap,
  type ProgressRate,
  progressRate,
} from '../../metrics/progress.ts'
import {
  compareWithPaper,
  type PaperComparison,
  type PrintedValue,
  printedValues,
} from './comparison.ts'
import { type ModelKind } from '../modelRoles.ts'
import { type PaperView } from './paperView.ts'

/** The rows of table 2, and GeoDE. */
export const progressBenchmarks: readonly { row: string; benchmarks: readonly string[] }[] = [
  ...['dollarstreet', 'geode', 'imagenet-v2', 'imagenet-sketch', 'imagenet-r', 'objectnet'].map(
    name => ({ row: name, benchmarks: [name] }),
  ),
  { row: 'ood average', benchmarks: oodBenchmarks },
]

const baselineBenchmark = 'dollarstreet'
const geographicBenchmarks: readonly string[] = ['dollarstreet', 'geode']

/** DataComp's subsets of Dollar Street and GeoDE, which only imported accuracies have. */
const datacompBenchmarks: readonly string[] = geographicBenchmarks.map(name => `${name}-datacomp`)

/** Returns what a reader needs to know of a benchmark that is a subset of another. */
export const subsetNote = (name: string): string | null =>
  name.endsWith('-datacomp')
    ? "DataComp's subset; its metric may be the worst group's accuracy"
    : null

/** Returns the names of those benchmarks that have accuracies. */
const withAccuracies = ({ accuracies }: PaperView, names: readonly string[]): readonly string[] =>
  names.filter(name => accuracies.has(name))

const modelSets: readonly { set: string; kind: ModelKind | undefined; note: string | null }[] = [
  { set: '1K', kind: '1K', note: null },
  { set: 'zero-shot', kind: 'zero-shot', note: null },
  { set: 'all', kind: undefined, note: 'one line through both kinds of models' },
]

/**
 * Returns table 2 for models with a 1,000-class head beside the paper's, then for zero-shot models and all models if there are any.
 * Imported accuracies on DataComp's subsets have rows of their own.
 */
export function progressRows(evidence: PaperView): PaperComparison[] {
  const has = (kind: ModelKind): boolean => evidence.modelsOfKind(kind).length > 0
  return modelSets
    .filter(({ set, kind }) =>
      kind === undefined ? has('1K') && has('zero-shot') : set === '1K' || has(kind),
    )
    .flatMap(modelSet =>
      [
        ...progressBenchmarks,
        ...withAccuracies(evidence, datacompBenchmarks).map(name => ({
          row: name,
          benchmarks: [name],
        })),
      ].flatMap(row => benchmarkRows(evidence, modelSet, row)),
    )
}

type ModelSet = (typeof modelSets)[number]
type BenchmarkRow = (typeof progressBenchmarks)[number]

function benchmarkRows(
  evidence: PaperView,
  modelSet: ModelSet,
  { row, benchmarks }: BenchmarkRow,
): PaperComparison[] {
  const { set, kind, note } = modelSet
  const models = evidence.modelsOfKind(kind)
  const line = progressRate(evidence.accuracies, benchmarks, { ...evidence.lineOptions, models })
  const used = [...benchmarks, 'imagenet-1k']
  const lacking = missingResultsText(evidence, used) ?? line.reason
  const context = {
    place: { table: '2', set, row },
    from: evidence.sourcesText(used, line.models),
    note: (value: number | null) => (value === null ? lacking : (subsetNote(row) ?? note)),
  }
  const shown = line.n < 2 ? { ...line, netImprovement: null } : line
  const printed = set === '1K' ? printedValues('2') : () => undefined
  return [
    ...progressRateRows(context, shown, printed),
    ...benchmarkGapRows(evidence, modelSet, { row, benchmarks }),
  ]
}

/** The place of a line's or gap's rows in a table, and the texts beside them. */
interface RowContext {
  place: Record<'table' | 'set' | 'row', string>
  from: string
  note: (value: number | null) => string | null
}

type MeasuredQuantity = [
  quantity: string,
  unit: string,
  value: number | null,
  interval: Interval | null,
]

/** Returns a row for each quantity of a line or a gap over `n` models, beside the value that `printed` gives for it. */
const quantityRows = (
  { place, from, note, n }: RowContext & { n: number },
  quantities: readonly MeasuredQuantity[],
  printed: (quantity: string, unit: string) => PrintedValue,
): PaperComparison[] =>
  quantities.map(([quantity, unit, value, interval]) =>
    compareWithPaper(
      { ...place, quantity, unit },
      { value, interval, n, from, note: note(value) },
      printed(quantity, unit),
    ),
  )

/** Returns a benchmark's net improvement, rate and R², with the interval of the rate by families of models. */
export const progressRateRows = (
  context: RowContext,
  line: ProgressRate,
  printed: ReturnType<typeof printedValues>,
): PaperComparison[] =>
  quantityRows(
    { ...context, n: line.n },
    [
      ['net improvement', 'points', line.netImprovement, null],
      ['progress rate', '', line.slope, line.interval],
      ['r2', '', line.r2, null],
    ],
    quantity => printed(context.place.row, quantity),
  )

/** Returns a gap as ratio, as difference (equation 1) and by improvements (equation 2); `against` ends their names. */
export const progressGapRows = (
  context: RowContext,
  gap: ProgressGap,
  { against, printedRatio = null }: { against: string; printedRatio?: PrintedValue },
): PaperComparison[] =>
  quantityRows(
    { ...context, n: gap.standard.n },
    [
      [`progress gap${against}`, 'ratio', gap.ratio, gap.intervals.ratio],
      [`progress gap as difference${against}`, '', gap.difference, gap.intervals.difference],
      [`progress gap by improvements${against}`, '', gap.byImprovements, null],
    ],
    (_, unit) => (unit === 'ratio' ? printedRatio : null),
  )

/** Returns the gaps of table 2. Its column is the ratio against DollarStreet; both equations stand beside it. */
function benchmarkGapRows(
  evidence: PaperView,
  { set, kind, note }: ModelSet,
  { row, benchmarks }: BenchmarkRow,
): PaperComparison[] {
  const { accuracies, lineOptions } = evidence
  const models = evidence.modelsOfKind(kind)
  const printedRatio = set === '1K' ? printedValues('2')(row, 'progress gap') : null
  const place = { table: '2', set, row }
  if (row === baselineBenchmark)
    return [
      compareWithPaper(
        { ...place, quantity: 'progress gap', unit: 'ratio' },
        { value: 1, note: 'the baseline' },
        printedRatio,
      ),
    ]
  return [...geographicBenchmarks, ...withAccuracies(evidence, datacompBenchmarks)]
    .filter(other => other !== row)
    .flatMap(other => {
      const gap = progressGap(
        accuracies,
        { standard: benchmarks, geographic: other },
        { ...lineOptions, models },
      )
      const used = [...benchmarks, other, 'imagenet-1k']
      const lacking = missingResultsText(evidence, used) ?? gap.reason
      const context = {
        place,
        from: evidence.sourcesText(used, gap.standard.models),
        note: (value: number | null) =>
          value === null ? lacking : (subsetNote(row) ?? subsetNote(other) ?? note),
      }
      return progressGapRows(
        context,
        gap,
        other === baselineBenchmark
          ? { against: '', printedRatio }
          : { against: ` against ${other}` },
      )
    })
}

/** Returns a text such as `no results on objectnet`; null if all benchmarks have results. */
export function missingResultsText(
  evidence: PaperView,
  benchmarks: readonly string[],
): string | null {
  const absent = benchmarks.filter(name => !evidence.accuracies.has(name))
  return absent.length === 0 ? null : `no results on ${absent.join(', ')}`
}

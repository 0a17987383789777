/** Table 2: net improvement, progress rate, gap and R² per benchmark. */
import {
  bootstrapGap,
  bootstrapRate,
  type GapIntervals,
  type RateIntervals,
} from '../../metrics/bootstrapModels.ts'
import { type Interval } from '../../metrics/intervals.ts'
import {
  oodBenchmarks,
  type ProgressGap,
  progressGap,
  type ProgressRate,
  progressRate,
} from '../../metrics/progress.ts'
import { compareWithPaper, type PaperComparison, printedValues } from './comparison.ts'
import { type PaperView, type PaperModelKind } from './paperView.ts'

/** Rows of table 2, GeoDE added. */
export const progressBenchmarks: readonly { row: string; benchmarks: readonly string[] }[] = [
  ...['dollarstreet', 'geode', 'imagenet-v2', 'imagenet-sketch', 'imagenet-r', 'objectnet'].map(
    name => ({
      row: name,
      benchmarks: [name],
    }),
  ),
  { row: 'ood average', benchmarks: oodBenchmarks },
]

const baselineBenchmark = 'dollarstreet'
const geographicBenchmarks: readonly string[] = ['dollarstreet', 'geode']

const modelSets: readonly { set: string; kind: PaperModelKind | undefined; note: string | null }[] =
  [
    { set: '1K', kind: '1K', note: null },
    { set: 'zero-shot', kind: 'zero-shot', note: null },
    { set: 'all', kind: undefined, note: 'one line through both kinds of models' },
  ]

/** Table 2 for models with a 1,000-class head, beside the paper's; zero-shot models and all of them follow where there are any. */
export function progressRows(evidence: PaperView): PaperComparison[] {
  const mixed = ['1K', 'zero-shot'].every(
    kind => evidence.modelsOfKind(kind as PaperModelKind).length > 0,
  )
  return modelSets
    .filter(({ set, kind }) =>
      kind === undefined ? mixed : set === '1K' || evidence.modelsOfKind(kind).length > 0,
    )
    .flatMap(one =>
      progressBenchmarks.flatMap(({ row, benchmarks }) =>
        benchmarkRows(evidence, one, row, benchmarks),
      ),
    )
}

function benchmarkRows(
  evidence: PaperView,
  { set, kind, note }: (typeof modelSets)[number],
  row: string,
  benchmarks: readonly string[],
): PaperComparison[] {
  const models = evidence.modelsOfKind(kind)
  const options = { models, seed: evidence.seed, draws: evidence.draws }
  const line = progressRate(evidence.accuracies, benchmarks, { models })
  const drawn = bootstrapRate(evidence.accuracies, benchmarks, options)
  const printed = set === '1K' ? printedValues('2') : () => undefined
  const lacking = missingResultsText(evidence, [...benchmarks, 'imagenet-1k'])
  const about = {
    from: evidence.sourcesText([...benchmarks, 'imagenet-1k'], line.models),
    note: (value: number | null) => (value === null ? (lacking ?? line.reason) : note),
  }
  return [
    ...progressRateRows(
      { table: '2', set, row },
      line.n < 2 ? { ...line, netImprovement: null } : line,
      drawn,
      about,
      printed,
    ),
    ...benchmarkGapRows(evidence, { set, note, models }, row, benchmarks),
  ]
}

/** What is said beside the numbers of a line or gap. */
interface ComparisonSource {
  from: string
  note: (value: number | null) => string | null
}

type PaperRow = Record<'table' | 'set' | 'row', string>

/** A benchmark's net improvement, rate and R², with the intervals over draws of models. */
export function progressRateRows(
  place: PaperRow,
  { n, netImprovement, slope, r2 }: ProgressRate,
  drawn: RateIntervals,
  { from, note }: ComparisonSource,
  printed: ReturnType<typeof printedValues>,
): PaperComparison[] {
  const one = (quantity: string, unit: string, value: number | null, interval: Interval | null) =>
    compareWithPaper(
      { ...place, quantity, unit },
      { value, interval, n, from, note: note(value) },
      printed(place.row, quantity),
    )
  return [
    one('net improvement', 'points', netImprovement, null),
    one('progress rate', '', slope, drawn.rate),
    one('r2', '', r2, drawn.r2),
  ]
}

/** A gap as ratio, as difference (equation 1) and by improvements (equation 2); `against` ends their names. */
export function progressGapRows(
  place: PaperRow,
  { ratio, difference, byImprovements, standard }: ProgressGap,
  drawn: GapIntervals,
  { from, note }: ComparisonSource,
  against: string,
  printedRatio: Parameters<typeof compareWithPaper>[2] = null,
): PaperComparison[] {
  const one = (
    quantity: string,
    unit: string,
    value: number | null,
    interval: Interval | null,
    printed: typeof printedRatio,
  ) =>
    compareWithPaper(
      { ...place, quantity: `${quantity}${against}`, unit },
      { value, interval, n: standard.n, from, note: note(value) },
      printed,
    )
  return [
    one('progress gap', 'ratio', ratio, drawn.ratio, printedRatio),
    one('progress gap as difference', '', difference, drawn.difference, null),
    one('progress gap by improvements', '', byImprovements, drawn.byImprovements, null),
  ]
}

/** Table 2's column is the ratio against DollarStreet; equation 1 (difference) and 2 (by improvements) stand beside it. */
function benchmarkGapRows(
  evidence: PaperView,
  { set, note, models }: { set: string; note: string | null; models: readonly string[] },
  row: string,
  benchmarks: readonly string[],
): PaperComparison[] {
  const printed = set === '1K' ? printedValues('2')(row, 'progress gap') : null
  const place = { table: '2', set, row }
  if (row === baselineBenchmark)
    return [
      compareWithPaper(
        { ...place, quantity: 'progress gap', unit: 'ratio' },
        { value: 1, note: 'the baseline' },
        printed,
      ),
    ]
  return geographicBenchmarks
    .filter(other => other !== row)
    .flatMap(other => {
      const gap = progressGap(evidence.accuracies, benchmarks, other, { models })
      const { seed, draws } = evidence
      const drawn = bootstrapGap(evidence.accuracies, benchmarks, other, { models, seed, draws })
      const all = [...benchmarks, other, 'imagenet-1k']
      const about = {
        from: evidence.sourcesText(all, gap.standard.models),
        note: (value: number | null) =>
          value === null ? (missingResultsText(evidence, all) ?? gap.reason) : note,
      }
      return other === baselineBenchmark
        ? progressGapRows(place, gap, drawn, about, '', printed)
        : progressGapRows(place, gap, drawn, about, ` against ${other}`)
    })
}

/** `no results on objectnet` */
export function missingResultsText(
  evidence: PaperView,
  benchmarks: readonly string[],
): string | null {
  const absent = benchmarks.filter(name => !evidence.accuracies.has(name))
  return absent.length === 0 ? null : `no results on ${absent.join(', ')}`
}

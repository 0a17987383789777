/** Table 2: net improvement, progress rate, gap and R² per benchmark. */
import { bootstrapGap, bootstrapRate, type GapIntervals, type RateIntervals } from '../../metrics/bootstrapModels.ts'
import { type Interval } from '../../metrics/intervals.ts'
import {
  oodBenchmarks,
  type ProgressGap,
  progressGap,
  type ProgressRate,
  progressRate,
} from '../../metrics/progress.ts'
import { compare, type Comparison, printedIn } from './comparison.ts'
import { type Evidence, type Kind } from './evidence.ts'

/** Rows of table 2, GeoDE added. */
export const tableTwoRows: readonly { row: string; benchmarks: readonly string[] }[] = [
  ...['dollarstreet', 'geode', 'imagenet-v2', 'imagenet-sketch', 'imagenet-r', 'objectnet'].map(name => ({
    row: name,
    benchmarks: [name],
  })),
  { row: 'ood average', benchmarks: oodBenchmarks },
]

const baseline = 'dollarstreet'
const geographic: readonly string[] = ['dollarstreet', 'geode']

const sets: readonly { set: string; kind: Kind | undefined; note: string | null }[] = [
  { set: '1K', kind: '1K', note: null },
  { set: 'zero-shot', kind: 'zero-shot', note: null },
  { set: 'all', kind: undefined, note: 'one line through both kinds of models' },
]

/** Table 2 for models with a 1,000-class head, beside the paper's; zero-shot models and all of them follow where there are any. */
export function tableTwo(evidence: Evidence): Comparison[] {
  const mixed = ['1K', 'zero-shot'].every(kind => evidence.models(kind as Kind).length > 0)
  return sets
    .filter(({ set, kind }) => (kind === undefined ? mixed : set === '1K' || evidence.models(kind).length > 0))
    .flatMap(one => tableTwoRows.flatMap(({ row, benchmarks }) => rowsOf(evidence, one, row, benchmarks)))
}

function rowsOf(
  evidence: Evidence,
  { set, kind, note }: (typeof sets)[number],
  row: string,
  benchmarks: readonly string[],
): Comparison[] {
  const models = evidence.models(kind)
  const options = { models, seed: evidence.seed, draws: evidence.draws }
  const line = progressRate(evidence.table, benchmarks, { models })
  const drawn = bootstrapRate(evidence.table, benchmarks, options)
  const printed = set === '1K' ? printedIn('2') : () => undefined
  const lacking = missing(evidence, [...benchmarks, 'imagenet-1k'])
  const about = {
    from: evidence.from([...benchmarks, 'imagenet-1k'], line.models),
    note: (value: number | null) => (value === null ? (lacking ?? line.reason) : note),
  }
  return [
    ...lineRows({ table: '2', set, row }, line.n < 2 ? { ...line, netImprovement: null } : line, drawn, about, printed),
    ...gapRows(evidence, { set, note, models }, row, benchmarks),
  ]
}

/** What is said beside the numbers of a line or gap. */
interface About {
  from: string
  note: (value: number | null) => string | null
}

type RowPlace = Record<'table' | 'set' | 'row', string>

/** A benchmark's net improvement, rate and R², with the intervals over draws of models. */
export function lineRows(
  place: RowPlace,
  { n, netImprovement, slope, r2 }: ProgressRate,
  drawn: RateIntervals,
  { from, note }: About,
  printed: ReturnType<typeof printedIn>,
): Comparison[] {
  const one = (quantity: string, unit: string, value: number | null, interval: Interval | null) =>
    compare({ ...place, quantity, unit }, { value, interval, n, from, note: note(value) }, printed(place.row, quantity))
  return [
    one('net improvement', 'points', netImprovement, null),
    one('progress rate', '', slope, drawn.rate),
    one('r2', '', r2, drawn.r2),
  ]
}

/** A gap as ratio, as difference (equation 1) and by improvements (equation 2); `against` ends their names. */
export function gapComparisons(
  place: RowPlace,
  { ratio, difference, byImprovements, standard }: ProgressGap,
  drawn: GapIntervals,
  { from, note }: About,
  against: string,
  printedRatio: Parameters<typeof compare>[2] = null,
): Comparison[] {
  const one = (
    quantity: string,
    unit: string,
    value: number | null,
    interval: Interval | null,
    printed: typeof printedRatio,
  ) =>
    compare(
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
function gapRows(
  evidence: Evidence,
  { set, note, models }: { set: string; note: string | null; models: readonly string[] },
  row: string,
  benchmarks: readonly string[],
): Comparison[] {
  const printed = set === '1K' ? printedIn('2')(row, 'progress gap') : null
  const place = { table: '2', set, row }
  if (row === baseline)
    return [compare({ ...place, quantity: 'progress gap', unit: 'ratio' }, { value: 1, note: 'the baseline' }, printed)]
  return geographic
    .filter(other => other !== row)
    .flatMap(other => {
      const gap = progressGap(evidence.table, benchmarks, other, { models })
      const { seed, draws } = evidence
      const drawn = bootstrapGap(evidence.table, benchmarks, other, { models, seed, draws })
      const all = [...benchmarks, other, 'imagenet-1k']
      const about = {
        from: evidence.from(all, gap.standard.models),
        note: (value: number | null) => (value === null ? (missing(evidence, all) ?? gap.reason) : note),
      }
      return other === baseline
        ? gapComparisons(place, gap, drawn, about, '', printed)
        : gapComparisons(place, gap, drawn, about, ` against ${other}`)
    })
}

/** `no results on objectnet` */
export function missing(evidence: Evidence, benchmarks: readonly string[]): string | null {
  const absent = benchmarks.filter(name => !evidence.table.has(name))
  return absent.length === 0 ? null : `no results on ${absent.join(', ')}`
}

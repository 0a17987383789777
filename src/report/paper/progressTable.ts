/** Table 2: net improvement, progress rate, gap and R² per benchmark. */
import { bootstrapGap, bootstrapRate } from '../../metrics/bootstrapModels.ts'
import { type Interval } from '../../metrics/intervals.ts'
import { oodBenchmarks, progressGap, progressRate } from '../../metrics/progress.ts'
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
  const from = evidence.from([...benchmarks, 'imagenet-1k'], line.models)
  const one = (quantity: string, unit: string, value: number | null, interval: Interval | null, n = line.n) =>
    compare(
      { table: '2', set, row, quantity, unit },
      { value, interval, n, from, note: value === null ? (lacking ?? line.reason) : note },
      printed(row, quantity),
    )
  return [
    one('net improvement', 'points', line.n < 2 ? null : line.netImprovement, null),
    one('progress rate', '', line.slope, drawn.rate),
    one('r2', '', line.r2, drawn.r2),
    ...gapRows(evidence, { set, note, models }, row, benchmarks),
  ]
}

/** Table 2's column is the ratio against DollarStreet; equation 1 (difference) and 2 (by improvements) stand beside it. */
function gapRows(
  evidence: Evidence,
  { set, note, models }: { set: string; note: string | null; models: readonly string[] },
  row: string,
  benchmarks: readonly string[],
): Comparison[] {
  const printed = printedIn('2')(row, 'progress gap')
  if (row === baseline) {
    const place = { table: '2', set, row, quantity: 'progress gap', unit: 'ratio' }
    return [compare(place, { value: 1, note: 'the baseline' }, set === '1K' ? printed : null)]
  }
  return geographic
    .filter(other => other !== row)
    .flatMap(other => {
      const options = { models, seed: evidence.seed, draws: evidence.draws }
      const gap = progressGap(evidence.table, benchmarks, other, { models })
      const drawn = bootstrapGap(evidence.table, benchmarks, other, options)
      const used = gap.standard.models
      const all = [...benchmarks, other, 'imagenet-1k']
      const reason = missing(evidence, all) ?? gap.reason
      const against = other === baseline ? '' : ` against ${other}`
      const one = (quantity: string, unit: string, value: number | null, interval: Interval | null) =>
        compare(
          { table: '2', set, row, quantity: `${quantity}${against}`, unit },
          { value, interval, n: used.length, from: evidence.from(all, used), note: value === null ? reason : note },
          set === '1K' && other === baseline && quantity === 'progress gap' ? printed : null,
        )
      return [
        one('progress gap', 'ratio', gap.ratio, drawn.ratio),
        one('progress gap as difference', '', gap.difference, drawn.difference),
        one('progress gap by improvements', '', gap.byImprovements, drawn.byImprovements),
      ]
    })
}

/** `no results on objectnet` */
export function missing(evidence: Evidence, benchmarks: readonly string[]): string | null {
  const absent = benchmarks.filter(name => !evidence.table.has(name))
  return absent.length === 0 ? null : `no results on ${absent.join(', ')}`
}

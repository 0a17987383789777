/** Says progress in words, as far as the intervals bear it. */
import { countText } from '../../lib/table/text.ts'
import { endsText, signedText } from '../../lib/table/values.ts'
import { excludesZero, type Interval } from '../../metrics/intervals.ts'
import { type ProgressRate } from '../../metrics/progress.ts'
import {
  headlinePairs,
  type LineProgress,
  oodAverage,
  type ProgressComparison,
  type ProgressPair,
} from './progress.ts'

type Axes = Pick<ProgressComparison, 'reference' | 'axis'>

/**
 * Returns one sentence for each geographic data set of a line of models, on the pair that stands for the others; those after the
 * first do not repeat the standard benchmark. Without a geographic data set it is one on the rates alone.
 *
 * @example
 * progressSentences(comparison, comparison.lines[0]!)
 * // ['A point on ImageNet came with 1.37 points on ImageNet-Sketch and 0.53 on Dollar Street: 2.6 times …']
 */
export function progressSentences(axes: Axes, line: LineProgress): string[] {
  const pairs = headlinePairs(line)
  if (pairs.length === 0) return [ratesSentence(axes, line)]
  return pairs.map((pair, i) =>
    i > 0 && pair.standard === pairs[0]!.standard && pair.gap.difference !== null
      ? `On ${pair.geographic.title} it was ${signedText(pair.gap.geographic.slope!, 2)}${outcomeText(pair, axes)}.`
      : pairSentence(axes, pair),
  )
}

/** Returns the sentence on a standard benchmark and a geographic data set. */
export function pairSentence({ reference, axis }: Axes, pair: ProgressPair): string {
  const { standard, geographic, gap } = pair
  if (gap.difference === null)
    return `The progress gap between ${textName(standard)} and ${geographic.title} cannot be given: ${gap.reason ?? 'no models'}.`
  const rates = ratesText({ reference, axis }, [
    ...(standard.name === reference.name ? [] : [[textName(standard), gap.standard] as const]),
    [geographic.title, gap.geographic],
  ])
  return `${rates}${outcomeText(pair, { reference, axis })}.`
}

/** Returns what the gap's intervals allow to say. */
function outcomeText({ geographic, gap }: ProgressPair, { axis }: Axes): string {
  const { difference, ratio, reason } = gap.intervals
  const models = countText(gap.standard.n, 'model')
  const size = `${signedText(gap.difference!, 2)}${axis === 'linear' ? ' points' : ''}`
  if (difference === null)
    return `; whether the two differ cannot be told (${reason ?? 'there is no interval'})`
  if (!excludesZero(difference))
    return `; whether the two differ cannot be told from ${models} (a gap of ${size}, ${rangeText(difference, 2)})`
  if (difference[1] < 0)
    return `: faster on ${geographic.title} (a gap of ${size}, ${rangeText(difference, 2)}; ${models})`
  if (ratio === null || ratio[0] <= 1)
    return `: a gap of ${size} (${rangeText(difference, 2)}; ${models})`
  return `: ${gap.ratio!.toFixed(1)} times (${rangeText(ratio, 1)}; ${models})`
}

const rangeText = (interval: Interval, digits: number): string =>
  `95 % interval ${endsText(interval, digits)}`

/** Returns the sentence on a line's standard benchmarks where there is no geographic data set. */
function ratesSentence(axes: Axes, { rates, models }: LineProgress): string {
  const known = rates.filter(({ rate }) => rate.slope !== null)
  if (known.length === 0) {
    const reason = rates[0]?.rate.reason ?? 'there are no accuracies'
    return `No progress can be given for ${countText(models.length, 'model')}: ${reason}.`
  }
  const shown = known.some(({ name }) => name === oodAverage)
    ? known.filter(({ name }) => name === oodAverage)
    : known.filter(({ name }) => name !== axes.reference.name)
  const start = ratesText(
    axes,
    (shown.length > 0 ? shown : known).map(each => [textName(each), each.rate] as const),
  )
  return `${start} (${countText(models.length, 'model')}). No geographic data set has accuracies of these models, so no progress gap can be given.`
}

/** Returns `A point on ImageNet came with 1.37 points on ImageNet-Sketch and 0.53 on Dollar Street`. */
function ratesText(
  { reference, axis }: Axes,
  rates: readonly (readonly [name: string, rate: ProgressRate])[],
): string {
  const unit = axis === 'linear' ? ' points' : ''
  const parts = rates.map(
    ([name, { slope }], i) => `${signedText(slope!, 2)}${i === 0 ? unit : ''} on ${name}`,
  )
  const start =
    axis === 'linear' ? `A point on ${reference.title}` : `One ${axis} on ${reference.title}`
  const list = new Intl.ListFormat('en-GB').format(parts)
  return `${start} came with ${list}`
}

/** Returns the name of a benchmark within a sentence. */
const textName = ({ name, title }: Pick<ProgressPair['standard'], 'name' | 'title'>): string =>
  name === oodAverage ? 'the OOD average (ImageNet-Sketch, ImageNet-R, ObjectNet)' : title

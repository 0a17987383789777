import { correctedSlope, type CorrectedSlope, slopesWithoutFamily } from './familyInference.ts'
import { mixedSlope, type MixedSlope } from './mixedModel.ts'
import { type AccuracyTable, gapSeries, pointsOf, type RateOptions } from './progress.ts'

/** The smallest and the largest value without one family, and which families those are. */
export interface RangeWithoutFamily {
  low: number
  lowWithout: string
  high: number
  highWithout: string
}

/** Other looks at a progress gap. */
export interface GapOpinions {
  /** The gap as a difference without each family in turn; null with fewer than three families. */
  withoutFamily: RangeWithoutFamily | null
  /** The gap as a ratio likewise; null where a rate in it is not positive. */
  ratioWithoutFamily: RangeWithoutFamily | null
  /** The gap by a line with random intercepts and slopes by family. */
  mixed: MixedSlope
  /** The gap corrected for sampling errors of the reference; null where these are not known. */
  corrected: CorrectedSlope | null
}

/**
 * Returns second opinions on the progress gap of `progressGap`: its range without each family, a mixed model, and the correction for
 * errors of the reference.
 *
 * @example
 * const { withoutFamily, mixed } = gapOpinions(table, { standard: 'objectnet', geographic: 'geode' }, { families, images })
 */
export function gapOpinions(
  table: AccuracyTable,
  { standard, geographic }: { standard: string | readonly string[]; geographic: string },
  options: RateOptions = {},
): GapOpinions {
  const names = [standard, geographic].flat()
  const { points } = pointsOf(table, names, options)
  const { x, above, below, apart, fit } = gapSeries(points, names, options)
  const { families, xVariances } = fit
  const { confidence = 0.95 } = options
  const without =
    new Set(families).size < 3
      ? []
      : slopesWithoutFamily({ x, families }, [above, below]).map(({ family, slopes }) => ({
          family,
          difference: slopes[0]! - slopes[1]!,
          ratio: slopes[1]! > 0 ? slopes[0]! / slopes[1]! : null,
        }))
  return {
    withoutFamily: rangeOf(without.map(({ family, difference }) => [family, difference])),
    ratioWithoutFamily: rangeOf(without.map(({ family, ratio }) => [family, ratio])),
    mixed: mixedSlope({ x, families }, apart, confidence),
    corrected: xVariances ? correctedSlope({ x, families, xVariances }, apart, confidence) : null,
  }
}

function rangeOf(
  values: readonly (readonly [family: string, value: number | null])[],
): RangeWithoutFamily | null {
  const known = values.flatMap(([family, value]) => (value === null ? [] : [{ family, value }]))
  if (known.length === 0 || known.length < values.length) return null
  const low = known.reduce((a, b) => (b.value < a.value ? b : a))
  const high = known.reduce((a, b) => (b.value > a.value ? b : a))
  return { low: low.value, lowWithout: low.family, high: high.value, highWithout: high.family }
}

import { type ModelLineOptions, modelFitOptions } from './progress.ts'
import { fitLine, knownPoints, type Line } from './regression.ts'

/** A model's accuracy on the reference benchmark and its disparity, both as shares; null where it has none. */
export interface ModelDisparity {
  model: string
  accuracy: number | null
  disparity: number | null
}

/** How disparity changes with accuracy over models (figure 2, left; "disparities have tripled"). */
export interface DisparityTrend extends Line {
  /** The models with the lowest and the highest reference accuracy. */
  worstModel: string | null
  bestModel: string | null
  /** Disparity of the best model divided by that of the worst. */
  growth: number | null
  /** Growth between the two accuracies as the line has it. */
  fittedGrowth: number | null
  leftOut: { model: string; reason: string }[]
}

/**
 * Returns the line of disparity on accuracy over models. Its interval takes families of models and the sampling errors of the
 * accuracies into account.
 *
 * @example
 * const { slope, interval } = disparityTrend(points, { families, images })
 */
export function disparityTrend(
  points: readonly ModelDisparity[],
  options: ModelLineOptions = {},
): DisparityTrend {
  const { known, leftOut } = knownPoints(
    points.map(({ model, accuracy, disparity }) => ({ model, x: accuracy, y: disparity })),
    ['accuracy', 'disparity'],
    ['no reference accuracy', 'no disparity'],
  )
  const line = fitLine(
    known.map(point => point.x),
    known.map(point => point.y),
    modelFitOptions(known, options),
  )
  const none = { worstModel: null, bestModel: null, growth: null, fittedGrowth: null, leftOut }
  if (line.slope === null || line.intercept === null) return { ...line, ...none }
  const { slope, intercept } = line
  const worst = known.reduce((a, b) => (b.x < a.x ? b : a))
  const best = known.reduce((a, b) => (b.x > a.x ? b : a))
  const ratio = (a: number, b: number): number | null => (b > 0 ? a / b : null)
  return {
    ...line,
    worstModel: worst.model,
    bestModel: best.model,
    growth: ratio(best.y, worst.y),
    fittedGrowth: ratio(intercept + slope * best.x, intercept + slope * worst.x),
    leftOut,
  }
}

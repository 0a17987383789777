/** One model's answers for some samples, column by column. Unused top-5 entries are -1. */
export interface Predictions {
  model: string
  /** `ok`, or the code of the image's error. */
  status: string[]
  /** Class indices, [items × 5], most probable first. */
  top5: Int32Array
  /** Of the classes of `top5`; NaN where it is not known. */
  probabilities: Float32Array
  /** Position of the first accepted class, from 1; 0 without a prediction or an accepted class. */
  rank: Int32Array
  /** Probability of the accepted classes together; NaN where it is not known. */
  targetProbability: Float32Array
  /** The kept output, float32 [items × width]; rows without a prediction are zero. */
  kept?: Float32Array | undefined
}

export const topCount = 5

/** Returns predictions that are to be filled in: every status is `ok`, and there is no class yet. */
export function emptyPredictions(model: string, items: number): Predictions {
  return {
    model,
    status: new Array<string>(items).fill('ok'),
    top5: new Int32Array(items * topCount).fill(-1),
    probabilities: new Float32Array(items * topCount).fill(NaN),
    rank: new Int32Array(items),
    targetProbability: new Float32Array(items).fill(NaN),
  }
}

/** Returns the predictions for the first `items` samples. */
export function firstPredictions(
  { model, status, top5, probabilities, rank, targetProbability, kept }: Predictions,
  items: number,
): Predictions {
  return {
    model,
    status: status.slice(0, items),
    top5: top5.slice(0, items * topCount),
    probabilities: probabilities.slice(0, items * topCount),
    rank: rank.slice(0, items),
    targetProbability: targetProbability.slice(0, items),
    kept: kept?.slice(0, (items * kept.length) / rank.length),
  }
}

/** Returns the predictions of one model for the samples of `a`, then those of `b`. */
export function joinPredictions(a: Predictions, b: Predictions): Predictions {
  return {
    model: a.model,
    status: [...a.status, ...b.status],
    top5: Int32Array.from([...a.top5, ...b.top5]),
    probabilities: Float32Array.from([...a.probabilities, ...b.probabilities]),
    rank: Int32Array.from([...a.rank, ...b.rank]),
    targetProbability: Float32Array.from([...a.targetProbability, ...b.targetProbability]),
    kept: joinKeptRows(a, b),
  }
}

/** Predictions without any image that could be read have no kept rows; zeros stand for them. */
function joinKeptRows(a: Predictions, b: Predictions): Float32Array | undefined {
  const known = a.kept ? a : b
  if (!known.kept) return undefined
  const width = known.kept.length / known.rank.length
  const both = new Float32Array((a.rank.length + b.rank.length) * width)
  if (a.kept) both.set(a.kept)
  if (b.kept) both.set(b.kept, a.rank.length * width)
  return both
}

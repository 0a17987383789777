/** One model's answers for some samples, column by column. Unused top-5 entries are -1. */
export interface Predictions {
  model: string
  /** `ok`, or the code of the error that the image met. */
  status: string[]
  /** Class indices, [items × 5], most probable first. */
  top5: Int32Array
  probabilities: Float32Array
  /** Position of the first accepted class, from 1; 0 where there is no prediction or no accepted class. */
  rank: Int32Array
  /** The kept output, float32 [items × width]; rows without a prediction are zero. */
  kept?: Float32Array
}

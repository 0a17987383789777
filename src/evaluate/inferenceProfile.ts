/** Where the time of a job went, in seconds of one process each; all processes' parts together fill `processes` × `wall`. */
export interface InferenceProfile {
  dataset: string
  models: readonly string[]
  images: number
  batch: number
  threads: number
  processes: number
  wall: number
  /** Reading and decoding, as far as inference waited for it. */
  decode: number
  /** Resizing to crops. */
  prepare: number
  /** Inference and scoring of each model. */
  infer: readonly number[]
  /** Making predictions durable, in the parent while its processes go on. */
  write: number
  /** The rest: starting processes, loading models, waiting for the last shard. */
  idle: number
}

import { type Choices, type Item } from '../datasets/dataset.ts'
import { type ReadyModel } from '../models/spec.ts'
import { type KeptOutput } from '../predictions/schema.ts'
import { type Step } from '../preprocessing/steps.ts'
import { type Engine } from './devices.ts'

/** Models that see the same crops and fit into memory together: images are decoded and cropped once for all of them. */
export interface ModelGroup extends Engine {
  models: readonly ReadyModel[]
  steps: readonly Step[]
  /** `none`: nothing is scored, the model needs no classes. */
  choices: Choices | 'none'
  /** Images that a model infers at once. */
  batch: number
  /** Images that are read and cropped together, where these are more than a batch. */
  ahead?: number
  threads: number
  /** An output to keep beside the scores. */
  keep?: KeptOutput
}

export type ShardItem = Pick<Item, 'id' | 'image' | 'labels'>

/** One model's outcomes for the items of a shard, column by column; unused top-5 places are -1. */
export interface Outcomes {
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

/** Milliseconds that a worker spent on each part of a shard. */
export interface Timings {
  /** Reading and decoding, as far as the worker waited for it. */
  decode: number
  /** Resizing to crops. */
  prepare: number
  /** Inference and scoring of each model. */
  infer: number[]
}

export const noTimings = (models: number): Timings => ({
  decode: 0,
  prepare: 0,
  infer: new Array<number>(models).fill(0),
})

export const addTimings = (a: Timings, b: Timings): Timings => ({
  decode: a.decode + b.decode,
  prepare: a.prepare + b.prepare,
  infer: a.infer.map((time, i) => time + b.infer[i]!),
})

/** `stop` asks for the answer after the running batch: the outcomes of as many items as are done then. */
export type ToWorker =
  { type: 'load'; group: ModelGroup } | { type: 'shard'; items: readonly ShardItem[] } | { type: 'stop' }

export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; code: string; message: string; model?: string }
  | { type: 'progress'; images: number }
  | { type: 'outcomes'; outcomes: Outcomes[]; timings: Timings }

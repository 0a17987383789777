import { type Choices, type Sample } from '../../datasets/dataset.ts'
import { type LocalModel } from '../../models/spec.ts'
import { type Predictions } from '../../results/predictions.ts'
import { type KeptOutput } from '../../results/schema.ts'
import { type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { type Engine } from '../../lib/onnx/engine.ts'

/** Models with equal preprocessing that fit into memory together: each image is decoded and cropped once for all of them. */
export interface InferenceGroup extends Engine {
  models: readonly LocalModel[]
  steps: readonly PreprocessingStep[]
  /** The classes that are scored; `none` if only features are kept. */
  choices: Choices | 'none'
  /** Images per inference call. */
  batch: number
  /** Images that are read and cropped together; `batch` by default. */
  ahead?: number
  threads: number
  /** The model output that is stored beside the scores. */
  keep?: KeptOutput | undefined
}

/** The fields of a sample that a worker needs. */
export type ShardSample = Pick<Sample, 'image' | 'labels'>

/** Time in milliseconds that a worker spent on each step of a shard. */
export interface Timings {
  /** Time spent waiting for images to be read and decoded. */
  decode: number
  /** Resizing to crops. */
  prepare: number
  /** Inference and scoring of each model. */
  infer: number[]
}

export const zeroTimings = (models: number): Timings => ({
  decode: 0,
  prepare: 0,
  infer: new Array<number>(models).fill(0),
})

export const addTimings = (a: Timings, b: Timings): Timings => ({
  decode: a.decode + b.decode,
  prepare: a.prepare + b.prepare,
  infer: a.infer.map((time, i) => time + b.infer[i]!),
})

/** Messages to a worker. `stop` ends the shard after the running batch; the worker then answers with the items that are done. */
export type ToWorker =
  | { type: 'load'; group: InferenceGroup }
  | { type: 'shard'; items: readonly ShardSample[] }
  | { type: 'stop' }

/** Messages from a worker. */
export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; code: string; message: string; model?: string }
  | { type: 'progress'; images: number }
  | { type: 'outcomes'; outcomes: Predictions[]; timings: Timings }

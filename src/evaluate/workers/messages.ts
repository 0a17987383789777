import { type Choices, type Sample } from '../../datasets/dataset.ts'
import { type LocalModel } from '../../models/spec.ts'
import { type Predictions } from '../../results/predictions.ts'
import { type KeptOutput } from '../../results/schema.ts'
import { type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { type Engine } from '../../lib/onnx/engine.ts'

/** Models that see the same crops and fit into memory together: images are decoded and cropped once for all of them. */
export interface InferenceGroup extends Engine {
  models: readonly LocalModel[]
  steps: readonly PreprocessingStep[]
  /** `none`: nothing is scored, the model needs no classes. */
  choices: Choices | 'none'
  /** Images that a model infers at once. */
  batch: number
  /** Images that are read and cropped together, where these are more than a batch. */
  ahead?: number
  threads: number
  /** An output to keep beside the scores. */
  keep?: KeptOutput | undefined
}

/** The fields of a sample that a worker needs. */
export type ShardSample = Pick<Sample, 'image' | 'labels'>

/** Milliseconds that a worker spent on each part of a shard. */
export interface Timings {
  /** Reading and decoding, as far as the worker waited for it. */
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

/** `stop` asks for the answer after the running batch: the outcomes of as many items as are done then. */
export type ToWorker =
  | { type: 'load'; group: InferenceGroup }
  | { type: 'shard'; items: readonly ShardSample[] }
  | { type: 'stop' }

export type FromWorker =
  | { type: 'ready' }
  | { type: 'failed'; code: string; message: string; model?: string }
  | { type: 'progress'; images: number }
  | { type: 'outcomes'; outcomes: Predictions[]; timings: Timings }

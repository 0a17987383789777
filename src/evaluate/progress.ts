import { type Dataset } from '../datasets/dataset.ts'
import { totalLength } from '../lib/ranges.ts'
import { secondsPerImage } from './imageCost.ts'
import { type EvaluationJob } from './jobs.ts'

/** A step of an evaluation, as `onProgress` receives it. */
export interface EvaluationProgress {
  models: readonly string[]
  dataset: string
  /** Images to evaluate in this step. */
  total: number
  /** Images evaluated so far. */
  done: number
  plan?: ExecutionPlan
}

/** How a job runs, with its estimated duration. */
export interface ExecutionPlan {
  processes: number
  threads: number
  batch: number
  seconds: number
  /** Whether the estimate comes from measurements on this machine. */
  measured: boolean
}

/** Reports the start of a job to `onProgress` and returns a function that reports each finished batch. */
export function startProgress(
  { group, shards, processes, cost }: EvaluationJob,
  { name }: Dataset,
  onProgress: ((progress: EvaluationProgress) => void) | undefined,
): (images: number) => void {
  const { models, threads, batch } = group
  const total = totalLength(shards)
  const seconds = (total * secondsPerImage(cost)) / (processes * threads)
  const progress: EvaluationProgress = {
    models: models.map(({ name }) => name),
    dataset: name,
    done: 0,
    total,
    plan: { processes, threads, batch, seconds, measured: cost.measured },
  }
  onProgress?.({ ...progress })
  return images => {
    progress.done = Math.min(progress.total, progress.done + images)
    onProgress?.({ ...progress })
  }
}
